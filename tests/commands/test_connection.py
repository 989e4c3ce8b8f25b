"""The client's connection, against servers that misbehave."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from rhythm_protocol.close import ABNORMAL, FLOODING, PROTOCOL_ERROR, Close
from rhythm_protocol.control import SUBPROTOCOL_BINARY, encode_binary
from rhythm_protocol.messages import Welcome
from rhythmd.app import Server
from rhythmd.client.connection import socket_url
from rhythmd.client.errors import ConnectionEnded, Unreachable
from rhythmd.client.listen import Until, listen
from rhythmd.client.room import RoomAddress
from rhythmd.client.session import open_session
from tests.commands.stage import LIMITS, ROBERT
from tests.deadline import until, within
from tests.services import free_port


@asynccontextmanager
async def scripted(
    script: Callable[[ServerConnection], Awaitable[None]], subprotocol: str = SUBPROTOCOL_BINARY
) -> AsyncIterator[str]:
    """The URL of a server that does what `script` says."""
    async with serve(script, "127.0.0.1", 0, subprotocols=[Subprotocol(subprotocol)]) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}"


async def ending(url: str) -> ConnectionEnded:
    with pytest.raises(ConnectionEnded) as end:
        async with open_session(url):
            pass
    return end.value


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("ws://127.0.0.1:8080", "ws://127.0.0.1:8080/ws"),
        ("wss://piano.example/", "wss://piano.example/ws"),
        ("http://[::1]:80", "ws://[::1]:80/ws"),
        ("ws://piano.example/deep/ws", "ws://piano.example/deep/ws"),
    ],
)
def test_socket_url_adds_the_path(given: str, address: str) -> None:
    assert socket_url(given) == address


def test_socket_url_says_bot_beside_what_is_there() -> None:
    assert socket_url("ws://piano.example?a=1", bot=True) == "ws://piano.example/ws?a=1&bot=1"


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://piano.example", "ws://", "ws://piano.example:port", ""])
def test_socket_url_refuses_what_is_no_address(url: str) -> None:
    with pytest.raises(Unreachable, match="no address"):
        socket_url(url)


async def test_open_session_learns_the_servers_clock(server: Server) -> None:
    async with open_session(server.url) as session:
        estimate = session.clock.estimate
        # Both sides read this machine's one monotonic clock.
        assert abs(estimate.offset_us) <= estimate.round_trip_us / 2 + 1


async def test_open_session_goes_on_asking_for_the_time(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rhythmd.client.connection.CLOCK_INTERVAL_S", 0.01)
    async with open_session(server.url) as session:
        first = session.clock.estimate
        await until(lambda: session.clock.estimate is not first, "the clock is asked for again")


async def test_open_session_without_a_server_is_told() -> None:
    with pytest.raises(Unreachable, match="cannot connect"):
        async with open_session(f"ws://127.0.0.1:{free_port()}"):
            pass


async def test_open_session_to_another_path_is_told(server: Server) -> None:
    with pytest.raises(Unreachable, match="HTTP 200"):
        async with open_session(f"{server.url}/health/live"):
            pass


async def test_open_session_to_another_protocol_is_told() -> None:
    async def wait(socket: ServerConnection) -> None:
        await socket.wait_closed()

    async with scripted(wait, "chat") as url:
        with pytest.raises(Unreachable):
            async with open_session(url):
                pass


@pytest.mark.parametrize(("code", "rule"), [(4002, FLOODING), (1002, PROTOCOL_ERROR), (4999, ABNORMAL)])
async def test_open_session_closed_at_once_names_the_rule(code: int, rule: Close) -> None:
    async def close(socket: ServerConnection) -> None:
        await socket.close(code, "because")

    async with scripted(close) as url:
        end = await within(ending(url))
    assert end.rule is rule
    assert f"{rule.name} ({rule.code}): because" in str(end)


async def test_open_session_dropped_is_abnormal() -> None:
    async def drop(socket: ServerConnection) -> None:
        socket.transport.abort()

    async with scripted(drop) as url:
        assert (await within(ending(url))).rule is ABNORMAL


@pytest.mark.parametrize("payload", [b"\x10\xc1", b"\x02short", b"\x01"])
async def test_open_session_garbage_is_a_protocol_error(payload: bytes) -> None:
    async def send(socket: ServerConnection) -> None:
        await socket.send(payload)
        await socket.wait_closed()

    async with scripted(send) as url:
        assert (await within(ending(url))).rule is PROTOCOL_ERROR


async def test_open_session_without_a_clock_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rhythmd.client.connection.PATIENCE_S", 0.1)

    async def welcome(socket: ServerConnection) -> None:
        await socket.send(encode_binary("welcome", Welcome(ROBERT, "s1", 0, 1, LIMITS)))
        await socket.wait_closed()

    async with scripted(welcome) as url:
        assert "no answer to clock" in str(await within(ending(url)))


async def test_open_session_without_a_welcome_is_told() -> None:
    async def answer(socket: ServerConnection) -> None:
        await socket.send(encode_binary("ack", {}, 1))
        await socket.wait_closed()

    async with scripted(answer) as url:
        assert (await within(ending(url))).rule is PROTOCOL_ERROR


async def test_listen_stays_away_when_the_rule_says_so() -> None:
    async def close(socket: ServerConnection) -> None:
        await socket.close(1002)

    async with scripted(close) as url:
        with pytest.raises(ConnectionEnded, match="trying again will not help"):
            await within(listen(RoomAddress(url, "Salon"), Until(), None, lambda _: None))

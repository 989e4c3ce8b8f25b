"""Idle things make room: connections for HTTP have an allowance of their own, and keep no player out."""

import asyncio
import contextlib
import gc
import resource
from itertools import count, islice
from pathlib import Path

import pytest

from rhythmd.app import Server
from rhythmd.net.incoming import IncomingConnection
from rhythmd.net.places import PATIENCE_S, Waiting
from rhythmd.rest.serving.connection import HttpConnection
from tests.deadline import DEADLINE_S, POLL_S, until
from tests.metrics import until_connections
from tests.raw import ConnectRaw, RawClient, frame, upgrade_request
from tests.server import Serve, ServerProcess, Spawn

LIVE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
PAGE = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
GUEST = (
    b"POST /api/v1/auth/guest HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
)
INVITED = b"HTTP/1.1 100 Continue\r\n"
PING = 0x89
TEXT = 0x81
CLOSE = 0x8
CLOSED = 0x88
PROXIED = b"PROXY TCP4 203.0.113.7 192.0.2.1 1 2\r\n"


async def ask(client: RawClient, request: bytes = LIVE) -> int:
    client.write(request)
    return (await client.response()).status


async def begin(client: RawClient, headers: bytes = b"") -> None:
    """Get a request into work that waits for its body."""
    client.write(GUEST + headers + b"Expect: 100-continue\r\n\r\n")
    assert (await client.head()).startswith(INVITED)


async def is_open(socket: RawClient) -> bool:
    socket.write(frame(PING, b"here"))
    while (answer := await socket.frame()).payload != b"here":
        assert answer.opcode != 0x8
    return True


async def is_ended(client: RawClient) -> bool:
    """Whether the server ends it, in whatever way."""
    with contextlib.suppress(ConnectionError):
        await client.rest()
    return True


async def test_connection_that_is_idle_for_longest_makes_room(serve: Serve, connect_raw: ConnectRaw) -> None:
    server = await serve("limits.http_connections=3")
    clients = [await connect_raw(server) for _ in range(3)]
    for client in clients:
        assert await ask(client) == 200
    assert await ask(clients[0]) == 200  # and so the second one has rested for longest
    assert await ask(await connect_raw(server)) == 200
    assert await is_ended(clients[1])
    assert [await ask(client) for client in (clients[0], clients[2])] == [200, 200]


async def test_idle_connections_keep_no_player_out_and_put_none_out(serve: Serve, connect_raw: ConnectRaw) -> None:
    server = await serve("limits.http_connections=3", "limits.connections=8")
    players: list[RawClient] = []
    for _ in range(7):
        for _ in range(4):
            assert await ask(await connect_raw(server)) == 200
        players.append(await connect_raw(server))
        await players[-1].upgrade()
    assert all([await is_open(player) for player in players])


async def test_places_that_players_leave_are_not_for_http(serve: Serve, connect_raw: ConnectRaw) -> None:
    """Sockets may take all places; those for HTTP alone are fewer."""
    server = await serve("limits.connections=2")
    first, second = await connect_raw(server), await connect_raw(server)
    for client in (first, second):
        await client.upgrade()
    assert (await (await connect_raw(server)).response()).status == 503
    await first.close()
    await until_connections(server, 1)
    assert await ask(await connect_raw(server)) == 200


async def test_request_in_work_makes_no_room(serve: Serve, connect_raw: ConnectRaw) -> None:
    server = await serve("limits.http_connections=1")
    working = await connect_raw(server)
    await begin(working)
    assert (await (await connect_raw(server)).response()).status == 503
    working.write(b"{}")
    assert (await working.response()).status == 200
    assert await ask(await connect_raw(server)) == 200
    assert await is_ended(working)


async def test_connection_that_asks_nothing_makes_room_after_a_while(
    serve: Serve, connect_raw: ConnectRaw, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await serve("limits.http_connections=1")
    silent = await connect_raw(server)
    silent.write(LIVE[:10])
    assert (await (await connect_raw(server)).response()).status == 503
    monkeypatch.setitem(PATIENCE_S, Waiting.FRESH, 0.0)
    assert await ask(await connect_raw(server)) == 200
    assert await is_ended(silent)


async def test_answer_that_is_not_read_is_given_up(serve: Serve, connect_raw: ConnectRaw) -> None:
    server = await serve("limits.unread_s=0.2")
    client = await connect_raw(server, receive_buffer=4_096)
    client.write(PAGE * 200)
    await until_connections(server, 0)


async def test_answer_that_is_read_slowly_comes_whole(serve: Serve, connect_raw: ConnectRaw) -> None:
    server = await serve("limits.unread_s=0.5")
    client = await connect_raw(server, receive_buffer=4_096)
    client.write(PAGE * 20)
    for _ in range(20):
        assert (await client.response()).status == 200
        await asyncio.sleep(0.05)


async def test_answer_that_is_not_read_makes_room_after_a_while(
    serve: Serve, connect_raw: ConnectRaw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PATIENCE_S, Waiting.UNREAD, 0.0)
    server = await serve("limits.http_connections=1")
    client = await connect_raw(server, receive_buffer=4_096)
    client.write(PAGE * 200)
    async with asyncio.timeout(DEADLINE_S):
        while await ask(await connect_raw(server)) == 503:  # noqa: ASYNC110 - until the first answer is stuck
            await asyncio.sleep(POLL_S)
    assert await is_ended(client)


async def test_idle_connection_ends_after_a_while(serve: Serve, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(await serve("limits.keep_alive_s=0.1"))
    assert await ask(client) == 200
    assert await client.rest() == b""


async def test_idle_connection_makes_room_for_another_one_of_its_network(serve: Serve, connect_raw: ConnectRaw) -> None:
    server = await serve("limits.connections_per_address=2", "limits.http_connections=8")
    first, second, third = [await connect_raw(server) for _ in range(3)]
    for client in (first, second, third):
        assert await ask(client, PROXIED + LIVE) == 200
    assert await is_ended(first)
    await begin(second)
    await begin(third)
    refused = await connect_raw(server)
    assert await ask(refused, PROXIED + LIVE) == 503
    other = await connect_raw(server)
    assert await ask(other, PROXIED.replace(b".7", b".8") + LIVE) == 200


async def test_page_is_loaded_beside_the_sockets_of_its_network(serve: Serve, connect_raw: ConnectRaw) -> None:
    """All of a class reload the page: their sockets are open still when the first scripts are asked for."""
    server = await serve("limits.connections_per_address=2", "limits.http_connections=16")
    players = [await connect_raw(server) for _ in range(2)]
    for player in players:
        player.write(PROXIED)
        await player.upgrade()
    working = [await connect_raw(server) for _ in range(4)]
    for client in working:
        client.write(PROXIED)
        await begin(client)
    third = await connect_raw(server)
    assert await ask(third, PROXIED + LIVE) == 503
    working[0].write(b"{}")
    assert (await working[0].response()).status == 200
    third = await connect_raw(server)
    third.write(PROXIED + upgrade_request())
    assert (await third.response()).status == 503  # a socket, of which there are two
    assert all([await is_open(player) for player in players])


async def test_socket_that_is_closing_counts_no_more(serve: Serve, connect_raw: ConnectRaw) -> None:
    """Its client may be gone without a word. Those that come back must not wait for it."""
    server = await serve("limits.connections_per_address=1")
    for _ in range(3):
        client = await connect_raw(server)
        client.write(PROXIED)
        await client.upgrade()
        client.write(frame(TEXT, b"not msgpack"))
        while (await client.frame()).opcode != CLOSE:
            pass


async def test_oldest_of_too_many_that_say_goodbye_and_stay_is_ended(serve: Serve, connect_raw: ConnectRaw) -> None:
    """A socket that is closing does not count, but it is there."""
    server = await serve("limits.connections_per_address=3")
    staying = []
    for _ in range(8):
        client = await connect_raw(server)
        client.write(PROXIED)
        await client.upgrade()
        client.write(frame(CLOSED, (1000).to_bytes(2)))
        while (await client.frame()).opcode != CLOSE:
            pass
        staying.append(client)
    await until_connections(server, 0)
    for client in staying[:5]:
        assert await is_ended(client)


async def test_requests_of_one_client_behind_a_proxy_do_not_take_all_places(
    serve: Serve, connect_raw: ConnectRaw
) -> None:
    server = await serve("limits.http_connections=4", "limits.connections_per_address=1")
    first, second, third = [await connect_raw(server) for _ in range(3)]
    by = b"X-Forwarded-For: 203.0.113.7\r\n"
    await begin(first, by)
    request = LIVE.replace(b"\r\n\r\n", b"\r\n" + by + b"\r\n")
    assert await ask(second, request) == 503
    assert await ask(third, request.replace(b".7", b".8")) == 200
    first.write(b"{}")
    assert (await first.response()).status == 200
    assert await ask(second, request) == 200
    assert await is_ended(first)
    assert await ask(second, request.replace(b".7", b".8")) == 200
    assert await is_ended(third)


async def test_network_with_nothing_gets_in_when_others_work_on_all_places(
    serve: Serve, connect_raw: ConnectRaw
) -> None:
    """The newest of the network with the most makes room, until nobody has more than one newcomer would have."""
    server = await serve("limits.http_connections=4", "limits.connections_per_address=2")
    first, second, third, fourth = [await connect_raw(server) for _ in range(4)]
    for client, host in ((first, b".7"), (second, b".7"), (third, b".8"), (fourth, b".9")):
        client.write(PROXIED.replace(b".7", host))
        await begin(client)
    newcomer = await connect_raw(server)
    newcomer.write(PROXIED.replace(b".7", b".10"))
    await begin(newcomer)
    assert await is_ended(second)
    assert await ask(await connect_raw(server), PROXIED.replace(b".7", b".11") + LIVE) == 503
    for client in (first, third, fourth, newcomer):
        client.write(b"{}")
        assert (await client.response()).status == 200


# Nothing to accept with


def files(server: ServerProcess) -> set[int]:
    """The descriptors that it has open for longer than a moment."""
    looks = [{int(entry.name) for entry in Path(f"/proc/{server.pid}/fd").iterdir()} for _ in range(20)]
    return set.intersection(*looks)


@pytest.fixture
async def short(spawn: Spawn, connect_raw: ConnectRaw) -> ServerProcess:
    """A server that may open few files more."""
    server = await spawn()
    await (await connect_raw(server)).upgrade()  # and so it has opened what it needs
    used = files(server)
    free = (number for number in count() if number not in used)
    _, hard = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (next(islice(free, 4, None)), hard))
    return server


def cpu_ticks(server: ServerProcess) -> int:
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


async def test_players_wait_while_the_server_can_open_no_file(short: ServerProcess, connect_raw: ConnectRaw) -> None:
    players = [await connect_raw(short) for _ in range(8)]
    opening = [asyncio.create_task(player.upgrade()) for player in players]
    await until(lambda: "nobody can be accepted: Too many open files" in short.log(), "it is short")
    before = cpu_ticks(short)
    await asyncio.wait(opening, timeout=0.4)
    assert cpu_ticks(short) - before < 20, "half of the time"
    opened = [player for player, task in zip(players, opening, strict=True) if task.done()]
    assert 0 < len(opened) < len(players)
    assert all([await is_open(player) for player in opened])
    while not all(task.done() for task in opening):
        for player, task in zip(players, opening, strict=True):
            if task.done():
                await player.close()
        await asyncio.wait(opening, timeout=0.1)
    assert [(await task).status for task in opening] == [101] * len(players)
    assert short.log().count("nobody can be accepted") < 4, "once, until nobody waits"


async def test_idle_connections_make_room_when_the_server_can_open_no_file(
    short: ServerProcess, connect_raw: ConnectRaw
) -> None:
    for _ in range(8):
        assert await ask(await connect_raw(short)) == 200


async def test_connection_that_is_gone_is_freed_at_once(server: Server, connect_raw: ConnectRaw) -> None:
    """Without a search for garbage, which is rare: what many connections leave behind would be megabytes."""
    gc.collect()
    gc.disable()
    try:
        idle, player = await connect_raw(server), await connect_raw(server)
        assert await ask(idle) == 200
        await player.upgrade()
        for client in (idle, player):
            await client.close()
        await until_connections(server, 0)
        kept = [found for found in gc.get_objects() if isinstance(found, HttpConnection | IncomingConnection)]
        assert len(kept) < 3, "that of the last question for metrics may be on its way"
    finally:
        gc.enable()

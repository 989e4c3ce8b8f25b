"""Errors, each with a line in the log: bytes that are no HTTP, frames that are none, handshakes that are refused."""

import asyncio
from collections.abc import Sequence
from typing import Final

from bench.abuse.attacker import ALLOWED_PER_S, Attack, Attacker
from bench.abuse.words import API, CLOSE, MASK, message, request, upgrade
from rhythm_protocol.websocket import BINARY, TEXT, client_frame

__all__ = ["ATTACKS"]

_PATIENCE_S: Final = 0.2
_GOODBYE: Final = client_frame(CLOSE, (1000).to_bytes(2), MASK)
_NO_HTTP: Final = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    b"GET / HTTP/9.9\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 5_000,
    b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
    b"\x00" * 1_000,
)
_NO_UPGRADE: Final = (
    upgrade().replace(b"13", b"12"),
    upgrade(protocol="nonsense"),
    request("GET", "/ws"),
    request("POST", "/ws"),
    upgrade(target="/ws?room=" + "a" * 4_000),
    request("GET", "/ws", headers=(("Origin", "https://elsewhere.example"),)),
)
_NO_FRAMES: Final = (
    b"\x82\x00",
    b"\xf2\x80" + MASK,
    b"\x83\x80" + MASK,
    b"\x89\xfe\xff\xff" + MASK,
    b"\x82\xff" + b"\xff" * 8,
    client_frame(TEXT, b"\xff\xfe", MASK),
    b"\x80\x80" + MASK,
)
_NO_MESSAGES: Final = (
    client_frame(BINARY, b"\x7f", MASK),
    client_frame(BINARY, b"\x01\x00", MASK),
    client_frame(BINARY, b"\x10\xc1", MASK),
    message("nonsense\x1b[2J", {}, 1),
    message("join-room", {"room": "\x1b[31m\n"}, 2),
    message("kick", {"user": "nobody"}, 3),
)


class _Once:
    """The attack that says one of these on a new connection, and again when the server has ended it or is slow to."""

    def __init__(self, words: Sequence[bytes], *, in_socket: bool = False) -> None:
        self._words = words
        self._in_socket = in_socket

    async def __call__(self, attacker: Attacker) -> None:
        async def one(number: int) -> None:
            words = attacker.random.choice(self._words)
            line = await (attacker.socket() if self._in_socket else attacker.line())
            try:
                line.write(words)
                async with asyncio.timeout(_PATIENCE_S):
                    await line.lost()
            finally:
                line.leave()

        await attacker.everywhere(one)


async def _bad_messages(attacker: Attacker) -> None:
    async def one(_number: int) -> None:
        line = await attacker.socket()
        try:
            await attacker.pace(line, _NO_MESSAGES, ALLOWED_PER_S)
        finally:
            line.leave()

    await attacker.everywhere(one)


async def _over_the_rate(attacker: Attacker) -> None:
    """Messages above the rate, until the server closes."""
    blocks = message("typing", {"typing": True}) * 50

    async def one(_number: int) -> None:
        line = await attacker.socket()
        try:
            await attacker.flood(line, blocks)
        finally:
            line.leave()

    await attacker.everywhere(one)


async def _missing(attacker: Attacker) -> None:
    """Paths that are not there, many at once."""
    words = b"".join(request("GET", f"{API}/{attacker.random.randbytes(20).hex()}") for _ in range(100))

    async def one(_number: int) -> None:
        line = await attacker.line()
        try:
            await attacker.flood(line, words)
        finally:
            line.leave()

    await attacker.everywhere(one)


async def _goodbyes(attacker: Attacker) -> None:
    """They close as the rules ask, but for the last step: to end the connection."""

    async def one(_number: int) -> None:
        line = await attacker.socket()
        line.stays = True
        line.write(_GOODBYE)

    await attacker.everywhere(one)


ATTACKS: Final[dict[str, Attack]] = {
    "no HTTP": Attack("bytes that are no HTTP, on 50 connections that come again", _Once(_NO_HTTP)),
    "refused handshakes": Attack("handshakes that cannot be granted, on 50 connections", _Once(_NO_UPGRADE)),
    "broken frames": Attack("frames that no client may send, on 50 sockets", _Once(_NO_FRAMES, in_socket=True)),
    "bad messages": Attack("messages that cannot be read, 48 times a second on 50 sockets", _bad_messages),
    "over the rate": Attack("50 sockets send as fast as they can until they are closed", _over_the_rate),
    "goodbyes that stay": Attack("sockets that say goodbye and keep the connection, 50 at a time", _goodbyes),
    "missing paths": Attack("paths that are not there, as fast as 50 connections may", _missing),
}

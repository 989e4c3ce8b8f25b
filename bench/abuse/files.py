"""Bodies and files: large ones, costly ones, ones that come to nothing."""

import itertools
import zlib
from functools import cache
from typing import Final

from bench.abuse.attacker import Attack, Attacker
from bench.abuse.wire import ask
from bench.abuse.words import API, bearer, request
from bench.uploads.contents import make

__all__ = ["ATTACKS"]

_BOUNDARY: Final = "1f0e3dad99908345f7439f8ffabdffc4"
_FORM: Final = ("Content-Type", f"multipart/form-data; boundary={_BOUNDARY}")
_SIZE: Final = 1_000_000
_ACCOUNTS: Final = 8
_FORMATS: Final = ("musicxml", "midi", "abc")
_CHUNK: Final = b"ffff\r\n" + b"a" * 0xFFFF + b"\r\n"


@cache
def _form(kind: str) -> bytes:
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    fields = f'\r\n--{_BOUNDARY}\r\nContent-Disposition: form-data; name="title"\r\n\r\nA\r\n--{_BOUNDARY}--\r\n'
    return head.encode() + make(kind, _SIZE, "abuse") + fields.encode()


@cache
def _picture() -> bytes:
    """A PNG of 20,000 by 20,000 black pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)

    side = 20_000
    head = side.to_bytes(4) + side.to_bytes(4) + bytes((1, 0, 0, 0, 0))
    pixels = zlib.compress(bytes((side // 8 + 1) * side), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


async def _uploads(attacker: Attacker) -> None:
    """Costly sheets and pictures of one account, beyond what it may send."""
    token = await attacker.account_token(f"Uploader{attacker.number}")
    headers = (bearer(token or ""), _FORM)
    words = [request("POST", f"{API}/sheet_music/upload", _form(kind), headers) for kind in _FORMATS]
    picture = (bearer(token or ""), ("Content-Type", "image/png"))
    words.append(request("PUT", f"{API}/users/avatar", _picture(), picture))

    await _again_and_again(attacker, words)


async def _disk(attacker: Attacker) -> None:
    """Sheets that nobody has yet, of several accounts."""
    tokens = [await attacker.account_token(f"Hoarder{attacker.number}x{number}") for number in range(_ACCOUNTS)]

    async def one(number: int) -> None:
        line = await attacker.line()
        headers = (bearer(tokens[number % _ACCOUNTS] or ""), _FORM)
        try:
            for count in itertools.count():
                if attacker.is_over:
                    break
                body = _form("abc").replace(b"X:1", f"X:1\n% {attacker.number}.{number}.{count}".encode(), 1)
                await ask(line, request("POST", f"{API}/sheet_music/upload", body, headers))
        finally:
            line.leave()

    await attacker.everywhere(one)


async def _again_and_again(attacker: Attacker, words: list[bytes]) -> None:
    """Each connection asks one of these, as often as it is answered."""

    async def one(number: int) -> None:
        line = await attacker.line()
        try:
            while not attacker.is_over:
                await ask(line, words[number % len(words)])
        finally:
            line.leave()

    await attacker.everywhere(one)


async def _uninvited(attacker: Attacker) -> None:
    """The same files from nobody."""
    words = [request("POST", f"{API}/sheet_music/upload", _form(kind), (_FORM,)) for kind in _FORMATS]

    await _again_and_again(attacker, words)


async def _endless(attacker: Attacker) -> None:
    """Bodies without an end, to paths that want none."""
    paths = ("/nothing", f"{API}/auth/login", f"{API}/rooms/active", "/ws")

    async def one(number: int) -> None:
        method = "POST" if number % 2 else "GET"
        line = await attacker.line()
        try:
            line.write(request(method, paths[number % len(paths)], headers=(("Transfer-Encoding", "chunked"),)))
            await attacker.flood(line, _CHUNK)
        finally:
            line.leave()

    await attacker.everywhere(one)


async def _tiny_chunks(attacker: Attacker) -> None:
    """Bodies in chunks of one byte, of which the limit lets many pass."""
    words = request("POST", f"{API}/auth/guest", headers=(("Transfer-Encoding", "chunked"),))
    chunks = b"1\r\n \r\n" * 5_000

    async def one(_number: int) -> None:
        line = await attacker.line()
        try:
            line.write(words)
            await attacker.flood(line, chunks)
        finally:
            line.leave()

    await attacker.everywhere(one)


ATTACKS: Final[dict[str, Attack]] = {
    "costly uploads": Attack("sheets of a megabyte and a vast picture, on 50 connections of one account", _uploads),
    "disk": Attack("new sheets of a megabyte from 8 accounts, on 50 connections", _disk),
    "uploads of nobody": Attack("the same without a login", _uninvited),
    "endless bodies": Attack("bodies without an end, on 50 connections", _endless),
    "bodies of tiny chunks": Attack("bodies in chunks of one byte, on 50 connections", _tiny_chunks),
}

"""Uploads in a process of their own: `python -m bench.uploads.sending SPEC`, with an `UploadSpec` as JSON.

It makes its files and accounts, says `ready`, and begins with all senders at once when a line comes in. A sender whose
file is in sends another one, as long as the time lasts; a server that is busy is asked again, until it takes the file.
Its output is an `UploadResult` as JSON.
"""

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from random import Random
from time import monotonic
from typing import Final

import aiohttp
import msgspec
import numpy as np
import uvloop
from msgspec import Struct

from bench.statistics import Summary, summarise
from bench.system import pinned
from bench.uploads.contents import FORMATS, make

__all__ = ["UploadResult", "UploadSpec", "begin", "read_result", "uploads"]

ROOT: Final = Path(__file__).parents[2]
READY: Final = b"ready\n"
API: Final = "/api/v1"
_PASSWORD: Final = "correct horse"
_ACCOUNTS: Final = 4
READY_MADE: Final = 2
"""Files for each sender that are made before the first is sent: making them takes more than sending."""
_SMALLEST: Final = 2_000
_PIECES: Final = 20
_PATIENCE_S: Final = 600.0
_AGAIN_S: Final = 0.5
_BOUNDARY: Final = "1f0e3dad99908345f7439f8ffabdffc4"


class UploadSpec(Struct, frozen=True):
    """A load of uploads.

    Args:
        url: of the server.
        senders: who upload at the same time.
        largest: bytes of a file, at most; sizes are spread evenly over their logarithms.
        seconds: for which senders begin again.
        slow: the share of senders that take `slow_s` to send a file.
        slow_s: seconds.
        seed: of everything.
    """

    url: str
    senders: int
    largest: int
    seconds: float
    slow: float = 0.25
    slow_s: float = 3.0
    seed: int = 1


class UploadResult(Struct, frozen=True):
    """What came of them: files that were sent, answers by status and code, bytes taken, times of those (ms)."""

    files: int
    answers: dict[str, int]
    bytes: int
    latency: Summary

    @property
    def through(self) -> int:
        return self.answers.get("201", 0)


class _File(Struct, frozen=True):
    """A body as it is sent, and how long its sender takes."""

    body: bytes
    seconds: float


def _file(spec: UploadSpec, number: int) -> _File:
    random = Random(f"{spec.seed} {number}")
    kind = [*FORMATS][number % len(FORMATS)]
    # The first of each format is as large as may be.
    largest = number < len(FORMATS)
    size = spec.largest if largest else int(_SMALLEST * (spec.largest / _SMALLEST) ** random.random())
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{number}"\r\n\r\n'
    fields = f'\r\n--{_BOUNDARY}\r\nContent-Disposition: form-data; name="title"\r\n\r\n{kind} {number}\r\n'
    content = make(kind, size, f"{spec.seed} {number}")
    body = b"".join((head.encode(), content, fields.encode(), f"--{_BOUNDARY}--\r\n".encode()))
    return _File(body, spec.slow_s if random.random() < spec.slow else 0.0)


async def _pieces(file: _File) -> AsyncIterator[bytes]:
    size = len(file.body) // _PIECES + 1
    for at in range(0, len(file.body), size):
        yield file.body[at : at + size]
        await asyncio.sleep(file.seconds / _PIECES)


class _Uploads:
    """All senders of a run, and what they have seen."""

    def __init__(self, spec: UploadSpec, session: aiohttp.ClientSession) -> None:
        self._spec = spec
        self._session = session
        self._numbers = count(READY_MADE * spec.senders)
        self._ready: Iterator[_File] = iter(())
        self._answers: Counter[str] = Counter()
        self._latencies: list[float] = []
        self._bytes = 0
        self._files = 0
        self._end = 0.0

    async def run(self, files: list[_File], tokens: list[str]) -> UploadResult:
        self._end = monotonic() + self._spec.seconds
        self._ready = iter(files)
        async with asyncio.TaskGroup() as tasks:
            for number in range(self._spec.senders):
                tasks.create_task(self._repeat(tokens[number % len(tokens)]))
        return UploadResult(self._files, dict(self._answers), self._bytes, summarise(np.array(self._latencies)))

    async def _repeat(self, token: str) -> None:
        await self._send(await self._next(), token)
        while monotonic() < self._end:
            await self._send(await self._next(), token)

    async def _next(self) -> _File:
        """One that was made before; later a new one."""
        file = next(self._ready, None)
        if file is not None:
            return file
        return await asyncio.to_thread(_file, self._spec, next(self._numbers))

    async def _send(self, file: _File, token: str) -> None:
        self._files += 1
        began = monotonic()
        answer = await self._post(file, token)
        while answer == "503 busy":
            await asyncio.sleep(_AGAIN_S)
            answer = await self._post(file, token)
        if answer == "201":
            self._latencies.append(monotonic() - began)
            self._bytes += len(file.body)

    async def _post(self, file: _File, token: str) -> str:
        headers = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}", "Authorization": f"Bearer {token}"}
        data = _pieces(file) if file.seconds else file.body
        async with self._session.post(f"{API}/sheet_music/upload", data=data, headers=headers) as answer:
            body = await answer.json()
        told = "201" if answer.status == 201 else f"{answer.status} {body['error']['code']}"
        self._answers[told] += 1
        return told


async def _register(session: aiohttp.ClientSession, number: int) -> str:
    """A new user's access token."""
    body = {"usertag": f"Uploader{number}", "password": _PASSWORD}
    async with session.post(f"{API}/auth/register", json=body) as answer:
        token: str = (await answer.json())["access_token"]
        return token


async def _run(spec: UploadSpec) -> UploadResult:
    timeout = aiohttp.ClientTimeout(total=_PATIENCE_S)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(spec.url, connector=connector, timeout=timeout) as session:
        tokens = [await _register(session, number) for number in range(_ACCOUNTS)]
        files = [_file(spec, number) for number in range(READY_MADE * spec.senders)]
        sys.stdout.buffer.write(READY)
        sys.stdout.buffer.flush()
        await asyncio.to_thread(sys.stdin.readline)
        return await _Uploads(spec, session).run(files, tokens)


@contextmanager
def uploads(spec: UploadSpec, core: int | None, nice: int = 0) -> Iterator["subprocess.Popen[bytes]"]:
    """Senders that wait for `begin`, beside the block; `read_result` waits for what they found."""
    command = [
        "nice",
        "-n",
        str(nice),
        sys.executable,
        "-m",
        "bench.uploads.sending",
        msgspec.json.encode(spec).decode(),
    ]
    with (
        pinned(core),
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process,
    ):
        try:
            assert process.stdout is not None
            if process.stdout.readline() != READY:
                raise RuntimeError("the uploads cannot begin; the reason stands above")
            yield process
        finally:
            process.kill()


def begin(process: "subprocess.Popen[bytes]") -> None:
    """Let all senders begin."""
    assert process.stdin is not None
    process.stdin.write(b"\n")
    process.stdin.flush()


def read_result(process: "subprocess.Popen[bytes]") -> UploadResult:
    """Raises RuntimeError."""
    output, _ = process.communicate()
    if process.returncode:
        raise RuntimeError("the uploads failed; the reason stands above")
    return msgspec.json.decode(output, type=UploadResult)


if __name__ == "__main__":
    found = uvloop.run(_run(msgspec.json.decode(sys.argv[1], type=UploadSpec)))
    sys.stdout.buffer.write(msgspec.json.encode(found))

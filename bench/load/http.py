"""An HTTP load in a process of its own: `python -m bench.load.http SPEC`, with an `HttpSpec` as JSON.

Closed loop: each connection sends its next request when the answer to the last one is there, as many browsers do that
reload. Its output is an `HttpResult` as JSON.
"""

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Final, cast

import msgspec
import numpy as np
import uvloop
from msgspec import Struct

from bench.statistics import Summary, summarise
from bench.system import pinned

__all__ = ["HttpLoadFailed", "HttpResult", "HttpSpec", "http_load", "read_result"]

ROOT: Final = Path(__file__).parents[2]
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
HEAD_END: Final = b"\r\n\r\n"


class HttpLoadFailed(Exception):
    """The load gave up: the server refused it or went away."""


class HttpSpec(Struct, frozen=True):
    """A load of requests. `token` is sent as the bearer, if there is one; times are seconds."""

    host: str
    port: int
    path: str
    token: str | None
    connections: int
    warmup: float
    seconds: float


class HttpResult(Struct, frozen=True):
    """What came of a load of requests."""

    requests: int
    seconds: float
    latency: Summary

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


class _Visitor(asyncio.Protocol):
    """One connection that asks for the same thing again and again."""

    def __init__(self, request: bytes, latencies: list[tuple[float, float]]) -> None:
        self._request = request
        self._latencies = latencies
        self._buffer = b""
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def _ask(self) -> None:
        self._sent = perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, body = self._buffer.partition(HEAD_END)
        if not end:
            return
        length = _LENGTH.search(head)
        if length is None or b" 200 " not in head[:20]:
            self._fail(head)
        elif len(body) >= int(length[1]):
            now = perf_counter()
            self._latencies.append((self._sent, now - self._sent))
            self._buffer = b""
            self._ask()

    def _fail(self, head: bytes) -> None:
        if not self.lost.done():
            self.lost.set_exception(HttpLoadFailed(head[:200].decode(errors="replace")))

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(b"the server closed a connection")


def _request(spec: HttpSpec) -> bytes:
    lines = [f"GET {spec.path} HTTP/1.1", f"Host: {spec.host}:{spec.port}"]
    if spec.token is not None:
        lines.append(f"Authorization: Bearer {spec.token}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _measure(spec: HttpSpec) -> HttpResult:
    latencies: list[tuple[float, float]] = []
    request, loop = _request(spec), asyncio.get_running_loop()
    visitors = [
        (await loop.create_connection(lambda: _Visitor(request, latencies), spec.host, spec.port))[1]
        for _ in range(spec.connections)
    ]
    begin = perf_counter() + spec.warmup
    lost, _ = await asyncio.wait(
        [visitor.lost for visitor in visitors],
        timeout=spec.warmup + spec.seconds,
        return_when=asyncio.FIRST_COMPLETED,
    )
    for future in lost:
        future.result()
    measured = np.array([latency for sent, latency in latencies if begin <= sent < begin + spec.seconds])
    return HttpResult(measured.size, spec.seconds, summarise(measured))


@contextmanager
def http_load(spec: HttpSpec, core: int | None, nice: int = 0) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the load beside the block; `read_result` waits for what it found."""
    command = ["nice", "-n", str(nice), sys.executable, "-m", "bench.load.http", msgspec.json.encode(spec).decode()]
    with pinned(core), subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


def read_result(process: "subprocess.Popen[bytes]") -> HttpResult:
    """Raises HttpLoadFailed."""
    output, _ = process.communicate()
    if process.returncode:
        raise HttpLoadFailed("its reason stands above")
    return msgspec.json.decode(output, type=HttpResult)


if __name__ == "__main__":
    found = uvloop.run(_measure(msgspec.json.decode(sys.argv[1], type=HttpSpec)))
    sys.stdout.buffer.write(msgspec.json.encode(found))

"""What a server says of itself at `/metrics`."""

import asyncio
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from rhythmd.app import Server
from tests.deadline import DEADLINE_S, POLL_S
from tests.raw import open_raw
from tests.server import ServerProcess

__all__ = ["connections", "metrics", "until_connections"]

REQUEST = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def label_of(labels: Mapping[str, str]) -> str | None:
    """The value of the label that tells a counter's parts from each other."""
    return labels.get("code") or labels.get("kind")


async def metrics(server: Server | ServerProcess) -> dict[str, float]:
    """Every value by name; one with a `code` or `kind` label as `name:code`."""
    async with open_raw(server.port) as client:
        client.write(REQUEST)
        response = await client.response()
        assert response.status == 200
        await client.rest()
    families = text_string_to_metric_families(response.body.decode())
    return {
        f"{sample.name}:{label}" if (label := label_of(sample.labels)) else sample.name: sample.value
        for family in families
        for sample in family.samples
    }


async def connections(server: Server | ServerProcess) -> int:
    """Open connections, without the one that asks."""
    return int((await metrics(server))["rhythmd_connections"]) - 1


async def until_connections(server: Server | ServerProcess, expected: int) -> None:
    """Wait until so many connections are open."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            if await connections(server) == expected:
                return
            await asyncio.sleep(POLL_S)

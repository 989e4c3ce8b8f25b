"""Rooms that are recorded over real sockets, and their files over real HTTP."""

from typing import Final

from rhythm_protocol.messages import RecordingInfo, RecordingReady
from rhythmd.app import Server
from tests.client import Client, Connect
from tests.midifiles import Track, parse
from tests.rest.api import open_api

__all__ = ["REPLAYS", "download", "enter", "ready"]

REPLAYS: Final = {"allow_replay": True}


async def enter(connect: Connect, server: Server, *names: str, **settings: object) -> list[Client]:
    """Members of one room; the first owns it."""
    clients = [await connect(server) for _ in names]
    for client, name in zip(clients, names, strict=True):
        await client.ask("user-update", {"name": name})
        await client.join("Salon", settings=settings)
    return clients


async def ready(client: Client) -> RecordingInfo:
    return (await client.expect(RecordingReady)).recording


async def download(server: Server, info: RecordingInfo) -> tuple[str, list[Track]]:
    async with open_api(server) as api:
        answer = await api.download(info.url)
    assert answer.status == 200
    assert len(answer.content) == info.bytes
    return parse(answer.content)

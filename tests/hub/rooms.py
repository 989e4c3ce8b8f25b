"""Rooms as tests find them, and as they leave them."""

import asyncio

import msgspec

from rhythm_protocol.messages import JoinAck
from rhythmd.app import Server
from tests.client import Client
from tests.deadline import DEADLINE_S, POLL_S
from tests.metrics import metrics

__all__ = ["find", "until_asleep"]


async def find(client: Client, room: str, **options: object) -> JoinAck:
    """Join a room that must be there already."""
    return msgspec.convert(await client.ask("join-room", {"room": room, **options}), JoinAck)


async def until_asleep(server: Server) -> None:
    """Wait until no room is live but the lobby."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            if (await metrics(server))["rhythmd_rooms"] == 1:
                return
            await asyncio.sleep(POLL_S)

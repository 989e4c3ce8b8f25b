"""Guests fill the live file with rooms and chat as far as they may; a `kill -9` later everybody has their seat."""

import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import msgspec

from rhythm_protocol.messages import ResumeAck
from tests.client import Client, open_client
from tests.server import ServerProcess, running_process

HONEST: Final = 40
LONG: Final = "\N{MUSICAL SYMBOL G CLEF}" * 500
SETTINGS: Final = (
    "limits.guest_network_share=100",  # one network stands for all that take part
    "limits.messages_per_s=1000000", "limits.messages_burst=1000000",
    "limits.bytes_per_s=1000000000", "limits.frames_per_s=1000000",
    "hub.room_deliveries_per_s=1000000", "limits.client_share=100", "limits.network_share=100",
)  # fmt: skip


async def fill(stack: AsyncExitStack, process: ServerProcess, room_lines: int, content: str) -> set[str]:
    """Make rooms with so many lines each, with a guest in each of them, until nothing goes; the refusals' codes."""
    codes: set[str] = set()
    for number in range(100):
        address = {"X-Forwarded-For": "203.0.113.7"}
        hog = await stack.enter_async_context(open_client(process.port, headers=address))
        made = await hog.answer("join-room", {"room": f"Full {number}", "create": True})
        if made.error is not None:
            return codes | {made.error.code}
        for _ in range(room_lines):
            said = await hog.answer("chat-message", {"content": content})
            if said.error is not None:
                codes.add(said.error.code)
                break
    raise AssertionError("the file was never full")


async def visit(stack: AsyncExitStack, process: ServerProcess) -> list[Client]:
    """Honest guests, each from an address of their own, in lobbies."""
    clients: list[Client] = []
    for number in range(HONEST):
        headers = {"X-Forwarded-For": f"198.51.100.{number}"}
        clients.append(await stack.enter_async_context(open_client(process.port, headers=headers)))
    return clients


async def test_seats_outlive_a_kill_though_guests_have_filled_the_live_file(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack, running_process(tmp_path, SETTINGS) as process:
        assert "chat-limit" in await fill(stack, process, 90, LONG)
        lost = await visit(stack, process)
        for client in lost:
            await client.join("lobby")
            await client.ask("user-update", {"status_text": "here"})
        process.signal(signal.SIGKILL)
        await process.wait()
        assert "MDB" not in process.log()
    async with AsyncExitStack() as stack, running_process(tmp_path, SETTINGS) as process:
        for client, before in zip(await visit(stack, process), lost, strict=True):
            data = await client.ask("resume", {"session": before.welcome.session, "received": 1})
            ack = msgspec.convert(data, ResumeAck)
            assert ack.join is not None
            assert (ack.user.id, ack.join.slot) == (before.welcome.user.id, before.slot)

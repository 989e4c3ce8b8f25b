"""A player whose buffer fills while the room is being written to."""

import asyncio
from functools import partial
from pathlib import Path

from rhythm_protocol.binary import OP_CONTROL, OP_MIDI, decode_midi_blocks, encode_midi
from rhythm_protocol.close import Close
from rhythm_protocol.control import decode_binary, encode_binary
from rhythmd.hub.clock import now_ms
from rhythmd.hub.hub import Hub
from rhythmd.hub.peer import Encoding
from rhythmd.hub.session import Session
from tests.client import note_on
from tests.deadline import until
from tests.hub.manual import bare_hub
from tests.server import make_config


class NarrowPeer:
    """A peer that can be made to say, in the middle of a write, that its buffer is full."""

    encoding = Encoding.BINARY
    address = "127.0.0.1"
    bot = False

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.is_narrow = False
        self.payloads: list[bytes] = []
        self.session: Session = hub.attach(self, None)

    def write(self, frame: bytes) -> None:
        head = 2 if frame[1] < 126 else 4
        self.payloads.append(frame[head:])
        if self.is_narrow:
            self.is_narrow = False
            self._hub.on_pause(self.session)

    def close(self, rule: Close) -> None:
        self._hub.on_lost(self.session)

    def heard(self) -> list[str]:
        """What it heard of slot 2: note events by status byte, and leaving."""
        heard: list[str] = []
        for payload in self.payloads:
            if payload[0] == OP_MIDI:
                blocks = [block for block in decode_midi_blocks(payload) if block.slot == 2]
                heard += [f"{event.status & 0xF0:#x}" for block in blocks for event in block.events]
            elif payload[0] == OP_CONTROL and (envelope := decode_binary(payload)).type == "user-left":
                heard.append(f"{envelope.data['slot']} left")
        return heard


def is_in_a_room(session: Session) -> bool:
    return session.member is not None


async def test_player_found_slow_in_a_flush_is_released_after_its_notes(tmp_path: Path) -> None:
    hub = bare_hub(make_config(tmp_path), asyncio.get_running_loop())
    peers = [NarrowPeer(hub) for _ in range(4)]
    for peer in peers:
        hub.on_binary(peer.session, encode_binary("join-room", {"room": "room", "create": True}))
        await until(partial(is_in_a_room, peer.session), "it is in the room")
    first, slow, third, listener = peers
    slow.is_narrow = True
    for player in (first, slow, third):
        hub.on_binary(player.session, encode_midi(now_ms(), [note_on()]))
    await until(lambda: len(hub.context.sessions) == 3, "the slow player is gone")
    await until(lambda: "2 left" in listener.heard(), "the others know")
    for peer in (first, third, listener):
        assert peer.heard() == ["0x90", "0x80", "2 left"]

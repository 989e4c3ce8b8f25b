"""One stay in a room: who is there, what they play and say, from the join to the end of the connection."""

from collections.abc import Callable
from typing import Final

from rhythm_protocol.binary import MidiBlock
from rhythm_protocol.clock import unwrap_ms
from rhythm_protocol.messages import (
    ChatLine,
    JoinAck,
    Message,
    SlotState,
    Stopping,
    User,
    UserJoined,
    UserLeft,
    UserUpdated,
)
from rhythm_protocol.midi import NOTE_OFF, NOTE_ON
from rhythmd.client.connection import Connection, local_us
from rhythmd.client.held import ChannelMessage
from rhythmd.client.lines import chat_text, event_text, line
from rhythmd.client.recording import Recording

__all__ = ["Visit"]

_NOTES: Final = frozenset({NOTE_ON, NOTE_OFF})


class Visit:
    """Turns what a room sends into lines and into a recording.

    Args:
        recording: gets the music, timed by this computer's clock, which outlives the connection.
        write: called with each line to print.
        on_note: called at each note-on and note-off.

    Attributes:
        back_in_s: when the server, going down, told us to come back.
    """

    def __init__(
        self,
        connection: Connection,
        recording: Recording | None,
        write: Callable[[str], None],
        on_note: Callable[[], None],
    ) -> None:
        self.back_in_s: float | None = None
        self._connection = connection
        self._recording = recording
        self._write = write
        self._on_note = on_note
        self._users: dict[int, User] = {}
        # What others played just before the join may arrive after it: it belongs behind the snapshot.
        self._since_ms = connection.server_ms()
        # Fixed for the whole stay: the estimate of the server's clock gets better, which must not bend the rhythm.
        self._ahead_ms = self._since_ms - local_us() // 1_000

    async def stay(self, ack: JoinAck) -> None:
        """Take in what the join told, then what comes, until an error ends it."""
        self._users = {user.slot: user for user in ack.members if user.slot is not None}
        self._say(ack.room.name, f"joined: {', '.join(user.name for user in ack.members)}")
        self._take_snapshot(ack.notes)
        while True:
            received = await self._connection.receive()
            if isinstance(received, list):
                self._take_blocks(received)
            else:
                self._take_message(received)

    def end(self) -> None:
        """End what still sounds in the recording: whether it goes on will not be heard."""
        if self._recording is not None:
            self._recording.release(self._connection.server_ms() - self._ahead_ms)

    def _take_snapshot(self, notes: list[SlotState]) -> None:
        for held in notes:
            for message in held.state:
                self._take_event(held.slot, self._since_ms, message)

    def _take_blocks(self, blocks: list[MidiBlock]) -> None:
        now_ms = self._connection.server_ms()
        for slot, wire_ms, events in blocks:
            base_ms = unwrap_ms(wire_ms, now_ms)
            for offset_ms, status, data1, data2 in events:
                at_ms = max(base_ms + offset_ms, self._since_ms)
                self._take_event(slot, at_ms, (status, data1, data2))

    def _take_event(self, slot: int, at_ms: int, message: ChannelMessage) -> None:
        name = self._name(slot)
        self._write(line(at_ms, name, event_text(message)))
        if self._recording is not None:
            user = self._users.get(slot)
            self._recording.add(user.id if user else name, name, at_ms - self._ahead_ms, message)
        if message[0] & 0xF0 in _NOTES:
            self._on_note()

    def _take_message(self, message: Message) -> None:
        match message:
            case UserJoined(user=user):
                self._keep(user)
                self._say(user.name, "joins")
            case UserUpdated(user=user):
                self._keep(user)
            case UserLeft(slot=slot, reason=reason):
                self._say(self._name(slot), f"leaves ({reason})")
                self._users.pop(slot, None)
            case ChatLine():
                self._say(message.name or "the room", chat_text(message))
            case Stopping(reconnect_after_ms=wait_ms):
                self.back_in_s = wait_ms / 1_000
            case _:
                pass

    def _keep(self, user: User) -> None:
        if user.slot is not None:
            self._users[user.slot] = user

    def _name(self, slot: int) -> str:
        user = self._users.get(slot)
        return user.name if user else f"slot {slot}"

    def _say(self, name: str, text: str) -> None:
        self._write(line(self._connection.server_ms(), name, text))

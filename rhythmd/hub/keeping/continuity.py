"""What a restart must not end: who sits where, rooms that no store keeps, and their chat.

Written as it changes, so that a `kill -9` finds it complete; read once, at the start. Nothing of it is older than the
process before: durable rows never hold live membership, and a place that nobody comes back to is free soon.
"""

from collections.abc import Container
from typing import Final, TypeVar

import msgspec

from rhythm_protocol.messages import ChatLine
from rhythmd.clock import server_us
from rhythmd.hub.identity import Identity
from rhythmd.hub.keeping.records import RoomRecord, SeatRecord, room_record, seat_record
from rhythmd.hub.rooms.members import Member
from rhythmd.hub.rooms.room import Room
from rhythmd.ports import LiveState
from rhythmd.telemetry import hub_log

__all__ = ["Continuity", "Remains"]

T = TypeVar("T")

FORMAT: Final = b"1"  # of what is written here; another one is not read
TOO_OLD_US: Final = 600_000_000  # after so long a stop everybody has gone home


class Remains(msgspec.Struct, frozen=True):
    """What the process before left: rooms, their chat by room id, the others by session key.

    Attributes:
        last_ids: of the last message with an id that said a line of chat.
    """

    rooms: list[RoomRecord]
    chat: dict[str, list[ChatLine]]
    seats: dict[str, SeatRecord]
    logins: dict[str, Identity]
    last_ids: dict[str, int]


class Continuity:
    """Keeps the live state up to date. Every method is called after the change and before it is acknowledged."""

    def __init__(self, state: LiveState, history: int) -> None:
        self._state = state
        self._history = history

    # Rooms

    def room_changed(self, room: Room) -> None:
        self._state.apply(self._record(room))

    def room_freed(self, room: Room) -> None:
        self._state.apply({f"room/{room.id}": None} | self._chat(room.id))

    def line_said(self, room: Room, line: ChatLine, author: Member, last_id: int | None) -> None:
        """A line of chat, and the message that said it, in one step: no restart says it twice."""
        changes: dict[str, bytes | None] = {
            _line_key(room.id, line.id): msgspec.msgpack.encode(line),
            _line_key(room.id, line.id - self._history): None,
        }
        if last_id is not None:
            changes[f"last/{author.key}"] = msgspec.msgpack.encode(last_id)
        self._state.apply(changes)

    def chat_cleared(self, room: Room) -> None:
        self._state.apply(self._chat(room.id) | self._record(room))

    def _record(self, room: Room) -> dict[str, bytes | None]:
        return {f"room/{room.id}": msgspec.msgpack.encode(room_record(room))}

    def _chat(self, room_id: str) -> dict[str, bytes | None]:
        return dict.fromkeys(key for key, _ in self._state.items(f"chat/{room_id}/"))

    # Seats

    def seat_changed(self, room: Room, member: Member) -> None:
        self._state.apply({f"seat/{member.key}": msgspec.msgpack.encode(seat_record(room, member))})

    def login_changed(self, key: str, identity: Identity | None) -> None:
        """Who is behind the session with this key; nobody that is known."""
        value = None if identity is None else msgspec.msgpack.encode(identity)
        self._state.apply({f"login/{key}": value})

    def seat_left(self, key: str) -> None:
        self._state.apply({f"seat/{key}": None, f"login/{key}": None, f"last/{key}": None})

    # The process

    def beat(self) -> None:
        """The server lives, and this is its time."""
        self._state.apply({"format": FORMAT, "beat": msgspec.msgpack.encode(server_us())})

    def remains(self) -> Remains | None:
        """What the process before left, as far as it can be read; None if it left nothing, or too long ago."""
        if not self._is_fresh():
            self._state.clear()
            return None
        chat: dict[str, list[ChatLine]] = {}
        for key, line in self._read("chat/", ChatLine).items():
            chat.setdefault(key.split("/")[0], []).append(line)
        return Remains(
            rooms=list(self._read("room/", RoomRecord).values()),
            chat=chat,
            seats=self._read("seat/", SeatRecord),
            logins=self._read("login/", Identity),
            last_ids=self._read("last/", int),
        )

    def _is_fresh(self) -> bool:
        if self._state.items("format") != [("format", FORMAT)]:
            return False
        return server_us() - self._read("beat", int).get("", 0) <= TOO_OLD_US

    def _read(self, prefix: str, kind: type[T]) -> dict[str, T]:
        """The values under `prefix` by what follows it in the key."""
        found: dict[str, T] = {}
        for key, value in self._state.items(prefix):
            try:
                found[key.removeprefix(prefix)] = msgspec.msgpack.decode(value, type=kind)
            except msgspec.MsgspecError as error:
                hub_log.error("a value of %s is not restored: %s", prefix, error)
        return found

    def forget_others(self, living: Container[str]) -> None:
        """Forget what belongs to no room or session with these ids and keys: it could not be restored."""
        owners = {key: key.split("/")[1] for key, _ in self._state.items("") if "/" in key}
        self._state.apply({key: None for key, owner in owners.items() if owner not in living})


def _line_key(room_id: str, line_id: int) -> str:
    return f"chat/{room_id}/{line_id:020}"

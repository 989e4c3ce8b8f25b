"""What a restart must not end: who sits where, rooms that no store keeps, and their chat.

Written as it changes, so that a `kill -9` finds it complete; read once, at the start. Nothing of it is older than the
process before: durable rows never hold live membership, and a place that nobody comes back to is free soon.
"""

from typing import Final, TypeVar

import msgspec

from rhythm_protocol.messages import ChatLine
from rhythmd.hub.clock import now_us
from rhythmd.hub.identity import Identity
from rhythmd.hub.member import Member
from rhythmd.hub.records import RoomRecord, SeatRecord, room_record, seat_record
from rhythmd.hub.room import Room
from rhythmd.ports import LiveState

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
        self._state.apply({f"room/{room.id}": msgspec.msgpack.encode(room_record(room))})

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
        self._state.apply(self._chat(room.id))

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
        self._state.apply({"format": FORMAT, "beat": str(now_us()).encode()})

    def remains(self) -> Remains | None:
        """What the process before left; None if it left nothing, or too long ago."""
        if not self._is_fresh():
            self._state.clear()
            return None
        chat: dict[str, list[ChatLine]] = {}
        for key, value in self._state.items("chat/"):
            chat.setdefault(key.split("/")[1], []).append(msgspec.msgpack.decode(value, type=ChatLine))
        return Remains(
            rooms=list(self._read("room/", RoomRecord).values()),
            chat=chat,
            seats=self._read("seat/", SeatRecord),
            logins=self._read("login/", Identity),
            last_ids=self._read("last/", int),
        )

    def _is_fresh(self) -> bool:
        found = dict(self._state.items("beat")) | dict(self._state.items("format"))
        return found.get("format") == FORMAT and now_us() - int(found["beat"]) <= TOO_OLD_US

    def _read(self, prefix: str, kind: type[T]) -> dict[str, T]:
        """The values under `prefix` by what follows it in the key."""
        return {
            key.removeprefix(prefix): msgspec.msgpack.decode(value, type=kind)
            for key, value in self._state.items(prefix)
        }


def _line_key(room_id: str, line_id: int) -> str:
    return f"chat/{room_id}/{line_id:020}"

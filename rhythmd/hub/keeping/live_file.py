"""What a restart must not end: who sits where, rooms that no store has, and their chat.

It is written as it changes, so that a `kill -9` finds it complete, and read once, at the start. Nothing of it is older
than the process before: durable rows never hold live membership, and a place that nobody comes back to is free soon.
Times are of the server's clock, which goes on over a restart on the same machine.
"""

from collections.abc import Container
from typing import Final, TypeVar

import msgspec

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import ChatLine, Metronome, RoomSettings, Status
from rhythmd.clock import server_us
from rhythmd.fairness.shares import Holder
from rhythmd.hub.keeping.ledger import Ledger
from rhythmd.hub.ports import Identity
from rhythmd.hub.rooms.lingering import Vacancy
from rhythmd.hub.rooms.members import Member, Player
from rhythmd.hub.rooms.room import Room
from rhythmd.hub.rooms.sanctions import Imposed
from rhythmd.names.rule import presentable
from rhythmd.ports import LiveState
from rhythmd.rows import SanctionKind
from rhythmd.telemetry import hub_log

__all__ = ["LiveFile", "Remains", "SavedRoom", "SavedSeat"]

T = TypeVar("T")

FORMAT: Final = b"2"  # of what is written here; another one is not read
TOO_OLD_US: Final = 600_000_000  # after so long a stop everybody has gone home
LINE_FIELDS: Final = 200  # bytes of a line of chat beside what it says, about
ROOM_FIELDS: Final = 600  # bytes of a room, about


class SavedRoom(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A live room, as the live file has it; of a room in the store only what is not there.

    Attributes:
        is_stored: whether the store has the rest.
        holder: who made it; None for a lobby, and in a file of an earlier version.
        password: salt and digest.
        bans: (what a ban applies to, `monotonic` end in s) each, as an earlier version wrote them.
        sanctions: bans and mutes by kind.
        last_line: id of a line of chat; later ones have higher ids, also when none is left.
    """

    id: str
    name: str
    settings: RoomSettings
    is_stored: bool
    owner_slot: int | None = None
    password: tuple[bytes, bytes] | None = None
    bans: list[tuple[tuple[str, ...], float]] = []
    sanctions: dict[SanctionKind, list[Imposed]] = {}
    metronome: Metronome | None = None
    last_line: int = 0
    vacancy: Vacancy = msgspec.field(default_factory=Vacancy)
    holder: Holder | None = None

    @classmethod
    def of(
        cls,
        room: Room,
        *,
        is_stored: bool,
        password: tuple[bytes, bytes] | None = None,
        holder: Holder | None = None,
    ) -> "SavedRoom":
        return cls(
            id=room.id,
            name=room.name,
            settings=room.settings,
            is_stored=is_stored,
            owner_slot=None if room.owner is None else room.owner.slot,
            password=password,
            sanctions={} if is_stored else room.sanctions.all(),
            metronome=room.metronome.state,
            last_line=room.chat.last_id,
            vacancy=room.vacancy,
            holder=holder,
        )

    def imposed(self) -> list[tuple[SanctionKind, list[Imposed]]]:
        """Bans and mutes, also of an earlier version."""
        before = [Imposed(keys, until) for keys, until in self.bans]
        return [(SanctionKind.BAN, before), *self.sanctions.items()]


class SavedSeat(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A member's place, the user in it, and who they proved to be.

    Attributes:
        notes_muted, chat_muted: as an earlier version wrote them; now the room has its mutes.
    """

    room_id: str
    slot: int
    user_id: str
    name: str
    colour: str
    address: str
    guest: bool
    bot: bool
    joined_us: int
    identity: Identity | None = None
    roles: frozenset[str] = frozenset()
    muted_until: float = 0.0
    status: Status = Status.ONLINE
    status_text: str = ""
    announced: bool = False
    self_muted: bool = False
    browser: str = ""
    since: float = 0.0
    notes_muted: bool = False
    chat_muted: bool = False

    @classmethod
    def of(cls, room: Room, member: Member) -> "SavedSeat":
        player = member.player
        return cls(
            room_id=room.id,
            slot=member.slot,
            user_id=player.id,
            name=player.name,
            colour=player.colour,
            address=player.address,
            guest=player.guest,
            bot=player.bot,
            joined_us=member.joined_us,
            identity=member.occupant.identity,
            roles=player.roles,
            muted_until=player.muted_until,
            status=player.status,
            status_text=player.status_text,
            announced=member.announced,
            self_muted=member.self_muted,
            browser=player.browser,
            since=player.since,
        )

    def player(self) -> Player:
        """The user in the seat."""
        name = presentable(self.name, "Guest")
        player = Player(self.user_id, name, self.colour, self.address, guest=self.guest, bot=self.bot)
        player.roles = self.roles
        player.muted_until = self.muted_until
        player.browser = self.browser
        player.since = self.since
        player.status = self.status
        player.status_text = presentable(self.status_text, "")
        return player

    def describe(self, member: Member) -> None:
        """Make `member`, who is new in this seat, what they were before."""
        member.joined_us = self.joined_us
        member.announced = self.announced
        member.self_muted = self.self_muted


class Remains(msgspec.Struct, frozen=True):
    """What the process before left: rooms, their chat by room id, the others by session key.

    Attributes:
        last_ids: of the last message with an id that said a line of chat.
    """

    rooms: list[SavedRoom]
    chat: dict[str, list[ChatLine]]
    seats: dict[str, SavedSeat]
    last_ids: dict[str, int]


class LiveFile:
    """Writes the live state, and reads what the process before left of it.

    Every write is called after the change and before the change is acknowledged. It takes some microseconds.

    Guests take no more of it than their share. What is left is for everybody's seats, and for lobbies.

    Args:
        state: where values are kept.
        history: lines of chat that a room remembers.
        ledger: who has how much of it.
    """

    def __init__(self, state: LiveState, history: int, ledger: Ledger) -> None:
        self._state = state
        self._history = history
        self._ledger = ledger

    def require_space(self, author: Player, size: int) -> None:
        """Raise Refused (`chat-limit`) unless a line of `size` bytes fits into its author's share."""
        holder = self._ledger.holder(author)
        self._ledger.make_space(holder, size + LINE_FIELDS, ErrorCode.CHAT_LIMIT, "lines of chat")

    def require_room(self, holder: Holder) -> None:
        """Raise Refused (`room-limit`) unless a room of this holder's fits into their share."""
        self._ledger.make_space(holder, ROOM_FIELDS, ErrorCode.ROOM_LIMIT, "rooms")

    # Rooms

    def write_room(self, saved: SavedRoom) -> None:
        value = msgspec.msgpack.encode(saved)
        self._ledger.room(saved.id, saved.holder, len(value))
        self._state.apply({f"room/{saved.id}": value})

    def delete_room(self, room_id: str) -> None:
        self._ledger.forget_room(room_id)
        self._state.apply({f"room/{room_id}": None} | self._without_chat(room_id))

    def write_line(self, room_id: str, line: ChatLine, author: Member, last_id: int | None) -> None:
        """A line of chat, and the message that said it, in one step: no restart says it twice."""
        value = msgspec.msgpack.encode(line)
        self._ledger.line(room_id, line.id, self._ledger.holder(author.player), len(value))
        self._ledger.forget_line(room_id, line.id - self._history)
        changes: dict[str, bytes | None] = {
            _line_key(room_id, line.id): value,
            _line_key(room_id, line.id - self._history): None,
        }
        if last_id is not None:
            changes[f"last/{author.occupant.key}"] = msgspec.msgpack.encode(last_id)
        self._state.apply(changes)

    def clear_chat(self, saved: SavedRoom) -> None:
        """Forget a room's lines, and write what it is like without them, in one step."""
        self._ledger.forget_lines(saved.id)
        self._state.apply(self._without_chat(saved.id) | {f"room/{saved.id}": msgspec.msgpack.encode(saved)})

    def count_lines(self, saved: SavedRoom, lines: list[ChatLine]) -> None:
        """Lines of before the start, which nobody's network is known of, are their room's maker's."""
        for line in lines:
            self._ledger.line(saved.id, line.id, saved.holder, len(msgspec.msgpack.encode(line)))

    def _without_chat(self, room_id: str) -> dict[str, bytes | None]:
        return dict.fromkeys(key for key, _ in self._state.items(f"chat/{room_id}/"))

    # Seats

    def write_seat(self, room: Room, member: Member) -> None:
        self._state.apply({f"seat/{member.occupant.key}": msgspec.msgpack.encode(SavedSeat.of(room, member))})

    def delete_seat(self, member: Member) -> None:
        key = member.occupant.key
        self._state.apply({f"seat/{key}": None, f"last/{key}": None})

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
            rooms=list(self._read("room/", SavedRoom).values()),
            chat=chat,
            seats=self._read("seat/", SavedSeat),
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

"""Rooms and seats as they are written down for the process that comes after this one.

Times are of the server's clock, which goes on over a restart on the same machine.
"""

import msgspec

from rhythm_protocol.messages import Metronome, RoomSettings, Status
from rhythmd.hub.rooms.members import Member, Profile
from rhythmd.hub.rooms.room import Room

__all__ = ["RoomRecord", "SeatRecord", "restored_profile", "room_record", "seat_record"]


class RoomRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A live room. Of one that is kept in the store only what is not there.

    Attributes:
        last_line: id of a line of chat; later ones have higher ids, also when none is left.
        bans: (what a ban holds on to, `monotonic` end in s) each.
    """

    id: str
    name: str
    settings: RoomSettings
    is_kept: bool
    owner_slot: int | None = None
    password: tuple[bytes, bytes] | None = None
    bans: list[tuple[tuple[str, ...], float]] = []
    metronome: Metronome | None = None
    last_line: int = 0


class SeatRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A member's place, and the user in it."""

    room_id: str
    slot: int
    user_id: str
    name: str
    colour: str
    address: str
    guest: bool
    bot: bool
    joined_us: int
    roles: frozenset[str] = frozenset()
    muted_until: float = 0.0
    status: Status = Status.ONLINE
    status_text: str = ""
    announced: bool = False
    notes_muted: bool = False
    self_muted: bool = False
    chat_muted: bool = False


def room_record(room: Room) -> RoomRecord:
    is_kept = room.kept is not None
    return RoomRecord(
        id=room.id,
        name=room.name,
        settings=room.settings,
        is_kept=is_kept,
        owner_slot=None if room.owner is None else room.owner.slot,
        password=None if room.password is None else room.password.parts,
        bans=[] if is_kept else room.bans.all(),
        metronome=room.metronome.state,
        last_line=room.chat.last_id,
    )


def seat_record(room: Room, member: Member) -> SeatRecord:
    profile = member.profile
    return SeatRecord(
        room_id=room.id,
        slot=member.slot,
        user_id=profile.id,
        name=profile.name,
        colour=profile.colour,
        address=profile.address,
        guest=profile.guest,
        bot=profile.bot,
        joined_us=member.joined_us,
        roles=profile.roles,
        muted_until=profile.muted_until,
        status=profile.status,
        status_text=profile.status_text,
        announced=member.announced,
        notes_muted=member.notes_muted,
        self_muted=member.self_muted,
        chat_muted=member.chat_muted,
    )


def restored_profile(seat: SeatRecord) -> Profile:
    profile = Profile(seat.user_id, seat.name, seat.colour, seat.address, guest=seat.guest, bot=seat.bot)
    profile.roles = seat.roles
    profile.muted_until = seat.muted_until
    profile.status = seat.status
    profile.status_text = seat.status_text
    return profile

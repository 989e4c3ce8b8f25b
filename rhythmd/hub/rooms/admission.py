"""Who may come into a room."""

from rhythm_protocol.errors import ErrorCode
from rhythmd.errors import Refused
from rhythmd.hub.rooms.members import Profile
from rhythmd.hub.rooms.room import Room

__all__ = ["check_admission"]


def check_admission(room: Room, profile: Profile, *, knows_password: bool) -> None:
    """Raise Refused, with the first reason that applies, unless `profile` may take a seat now."""
    settings = room.settings
    if room.bans.holds(profile):
        raise Refused(ErrorCode.BANNED, "you are banned from this room")
    if profile.guest and not settings.allow_guests:
        raise Refused(ErrorCode.GUESTS_NOT_ALLOWED, "this room is for members with an account")
    if profile.bot and not settings.allow_bots:
        raise Refused(ErrorCode.BOTS_NOT_ALLOWED, "this room does not allow bots")
    if room.seats.holds(profile.id):
        return
    if not knows_password:
        raise Refused(ErrorCode.WRONG_PASSWORD, "this room's password is another one", "password")
    if len(room.members) + len(room.seats) >= settings.max_players:
        raise Refused(ErrorCode.ROOM_FULL, f"all {settings.max_players} seats are taken")

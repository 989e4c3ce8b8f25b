"""Who may come into a room."""

from rhythm_protocol.errors import ErrorCode
from rhythmd.errors import Refused
from rhythmd.hub.member import Profile
from rhythmd.hub.room import Room

__all__ = ["check_admission"]


def check_admission(room: Room, profile: Profile, password: str | None) -> None:
    """Raise Refused, with the first reason that applies, unless `profile` may take a seat now."""
    settings = room.settings
    if room.bans.holds(profile):
        raise Refused(ErrorCode.BANNED, "you are banned from this room")
    if profile.guest and not settings.allow_guests:
        raise Refused(ErrorCode.GUESTS_NOT_ALLOWED, "this room is for members with an account")
    if profile.bot and not settings.allow_bots:
        raise Refused(ErrorCode.BOTS_NOT_ALLOWED, "this room does not allow bots")
    if room.password is not None and not room.password.matches(password):
        raise Refused(ErrorCode.WRONG_PASSWORD, "this room's password is another one", "password")
    if len(room.members) >= settings.max_players:
        raise Refused(ErrorCode.ROOM_FULL, f"all {settings.max_players} seats are taken")

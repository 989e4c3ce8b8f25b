"""Recording a room, and keeping its last minutes."""

from collections.abc import Callable, Coroutine
from typing import Any

from msgspec import UNSET, UnsetType

from rhythm_protocol.messages import Record, RecordLast, Right
from rhythmd.errors import Refused
from rhythmd.hub.recording.archive import Claim, RecordingArchive
from rhythmd.hub.recording.recorder import Recorder
from rhythmd.hub.rooms.keeper import Later
from rhythmd.hub.rooms.room import Room
from rhythmd.hub.sessions.session import Session, require_right
from rhythmd.hub.sessions.sessions import Sessions
from rhythmd.names.texts import clean_line, shows

__all__ = ["Recording"]

Check = Callable[[Room, str], None]
Act = Callable[[Room, str, str, Claim], None]


class Recording:
    """Begins and ends recordings, as far as the archive has room for them."""

    def __init__(self, recorder: Recorder, archive: RecordingArchive, sessions: Sessions) -> None:
        self._recorder = recorder
        self._archive = archive
        self._sessions = sessions

    def record(self, session: Session, message: Record) -> Later:
        """Begin to record the room, or end it. Ending what is not on does nothing."""
        recorder = self._recorder
        if not message.on:
            recorder.end(session.require_place().room)
            return None
        return self._claimed(session, Right.MODERATOR, recorder.check_idle, recorder.begin, message.name)

    def record_last(self, session: Session, message: RecordLast) -> Coroutine[Any, Any, None]:
        """Make a recording of the last minutes of the room, if its owner allows replays."""
        recorder = self._recorder
        return self._claimed(session, Right.MEMBER, recorder.check_replay, recorder.keep_last, message.name)

    async def _claimed(self, session: Session, right: Right, check: Check, act: Act, name: str | UnsetType) -> None:
        """`act` with a place for another recording, if there is one, and if all is still as it was when it is known."""
        room, member = session.require_place()
        if name is not UNSET:
            room.sanctions.require_voice(member)
        check(room, session.player.id)
        claim = await self._archive.claim(session.player, room.id)
        try:
            self._sessions.require_still_in(session, room)
            require_right(session, right)
            check(room, session.player.id)
        except Refused:
            claim.release()
            raise
        act(room, session.player.id, _title(name) or room.name, claim)


def _title(name: str | UnsetType) -> str:
    """What a recording is called, if it is called anything that can be seen."""
    title = "" if name is UNSET else clean_line(name).strip()
    return title if shows(title) else ""

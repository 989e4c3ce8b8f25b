"""Sheets of the library, played in a room."""

from typing import Final

from msgspec import UNSET

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import Right, SheetInRoom, SheetPlay, SheetSeek, SheetStop
from rhythmd.clock import server_ms
from rhythmd.errors import Refused
from rhythmd.fairness.account import Account
from rhythmd.fairness.shares import Shares
from rhythmd.fairness.slots import Crowded, FairSlots
from rhythmd.fairness.turns import Turns
from rhythmd.hub.ports import Performance, SheetSource
from rhythmd.hub.rooms.performance import Conductor, Starter
from rhythmd.hub.sessions.session import Session, require_right
from rhythmd.hub.sessions.sessions import Sessions

__all__ = ["Sheets"]

READ_AT_ONCE: Final = 2  # a long sheet is some megabytes, and its parsing takes a thread
MOST_WAITING: Final = 20  # for it; of networks that take turns


class Sheets:
    """Lets the server play, stop and seek.

    Args:
        source: of the sheets.
        conductor: of all performances.
        sessions: of all clients.
        shares: say what a player's performances count under.
        turns: keep the accounts that pay for them.
    """

    def __init__(
        self, source: SheetSource, conductor: Conductor, sessions: Sessions, shares: Shares, turns: Turns
    ) -> None:
        self._source = source
        self._conductor = conductor
        self._sessions = sessions
        self._shares = shares
        self._turns = turns
        self._reading = FairSlots(READ_AT_ONCE, MOST_WAITING)

    async def play(self, session: Session, message: SheetPlay) -> None:
        """Play a sheet in the room, if all is still as it was when it has been read.

        Raises:
            Refused: `not-found`, `performance-limit`, `unavailable`, what `require_right` raises, or `chat-muted`:
                all are shown its title, which may be anything.
        """
        room, member = session.require_place()
        self._sessions.require_running()
        room.sanctions.require_voice(member)
        player = session.player
        starter = Starter(player.id, self._shares.holder(player), self._payer(session))
        self._conductor.check_limit(room.performance, starter.holder)
        sheet = await self._read(session, message.sheet)
        self._sessions.require_running()
        self._sessions.require_still_in(session, room)
        require_right(session, Right.MODERATOR)
        self._conductor.start(room.performance, sheet, starter, message.position_ms, message.speed)

    def _payer(self, session: Session) -> Account:
        """The account of a client, who may be away by now."""
        return self._turns.account(session.player.address) if session.peer is None else session.peer.account

    async def _read(self, session: Session, sheet_id: str) -> Performance:
        """The sheet, when it is its turn. Raises Refused (`unavailable`) when too many wait already."""
        user_id = None if session.player.guest else session.player.id
        try:
            async with self._reading.slot():
                return await self._source.performance(sheet_id, user_id, session.player.roles)
        except Crowded:
            raise Refused(ErrorCode.UNAVAILABLE, "too many sheets are being read, try again later") from None

    def stop(self, session: Session, _message: SheetStop) -> None:
        """End the sheet. Ending what is not played does nothing."""
        performance = session.require_place().room.performance
        if performance.state is not None:
            _require_hand_in(session, performance.state)
            performance.stop(server_ms())

    def seek(self, session: Session, message: SheetSeek) -> None:
        """Go on at another place, or at another speed."""
        performance = session.require_place().room.performance
        if performance.state is None:
            raise Refused(ErrorCode.NOT_FOUND, "no sheet is played in this room")
        _require_hand_in(session, performance.state)
        self._conductor.pays(performance, self._payer(session))
        performance.seek(message.position_ms, None if message.speed is UNSET else message.speed, server_ms())


def _require_hand_in(session: Session, sheet: SheetInRoom) -> None:
    """Raise Refused unless `session` started `sheet`, owns the room or is a moderator."""
    if sheet.by != session.player.id:
        try:
            require_right(session, Right.MODERATOR)
        except Refused as refused:
            who = "the room's owner, a moderator or who started the sheet"
            raise Refused(refused.code, f"only {who} may do this") from None

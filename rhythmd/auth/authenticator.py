"""Turns tokens and tickets into principals: the accounts and guests behind requests and sockets."""

from rhythmd.auth.errors import InvalidToken, TokenExpired
from rhythmd.auth.sessions import check_ban
from rhythmd.auth.tickets import Ticket, Tickets
from rhythmd.auth.tokens import AccessTokens
from rhythmd.auth.values import Clock, Principal
from rhythmd.ports import Store

__all__ = ["Authenticator"]


class Authenticator:
    """Verifies tokens and tickets. It asks the store each time, so a revoked session, a role or a ban counts at once.

    Args:
        store: of accounts and sessions.
        tokens: that check access tokens.
        tickets: that redeem tickets.
        clock: Unix ms.
    """

    def __init__(self, store: Store, tokens: AccessTokens, tickets: Tickets, clock: Clock) -> None:
        self._store = store
        self._tokens = tokens
        self._tickets = tickets
        self._clock = clock

    async def by_token(self, token: str) -> Principal:
        """The principal of an access token. Raises InvalidToken, TokenExpired, Banned, StoreUnavailable."""
        claims = self._tokens.verify(token)
        if claims.is_guest:
            return Principal(user_id=claims.sub, session_id=claims.sid, expires=claims.expires)
        return await self._member(claims.sub, claims.sid, claims.expires)

    async def by_ticket(self, ticket: str) -> tuple[Principal, Ticket]:
        """The principal of a ticket, and the ticket's content.

        Raises InvalidTicket, InvalidToken, TokenExpired, Banned, StoreUnavailable.
        """
        content = await self._tickets.take(ticket)
        if content.expires <= self._clock():
            raise TokenExpired
        if content.guest:
            guest = Principal(user_id=content.user_id, session_id=content.session_id, expires=content.expires)
            return guest, content
        return await self._member(content.user_id, content.session_id, content.expires), content

    async def _member(self, user_id: str, session_id: str, expires: int) -> Principal:
        now = self._clock()
        session, account = await self._store.sessions.with_account(session_id, user_id, now)
        if account is not None:
            check_ban(account, now)  # First: a ban ends all sessions, and is what its user should be told.
        if session is None or account is None or session.user_id != user_id:
            raise InvalidToken("the session has ended")
        return Principal(user_id=user_id, session_id=session_id, expires=expires, account=account)

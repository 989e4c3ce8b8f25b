"""One-time tickets: a browser cannot put a bearer token into the request that opens a socket."""

from typing import Final

import msgspec
from msgspec import Struct

from rhythmd.auth.errors import InvalidTicket
from rhythmd.auth.secret import digest, new_secret
from rhythmd.auth.values import Principal
from rhythmd.ports import Cache

__all__ = ["TICKET_S", "Ticket", "Tickets"]

TICKET_S: Final = 30.0


class Ticket(Struct, frozen=True, kw_only=True):
    """The content of a ticket. `expires` (Unix ms) is that of the token it was bought with.

    `room` is the id of a room in which a seat is reserved, `seat` what the reservation is known by.
    """

    user_id: str
    session_id: str
    expires: int
    guest: bool
    room: str | None = None
    seat: str | None = None


def _key(ticket: str) -> str:
    return f"ticket:{digest(ticket).hex()}"


class Tickets:
    """Issues tickets and redeems each of them once.

    Args:
        cache: that keeps them; shared, if several servers are to accept each other's.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    async def issue(self, principal: Principal, room: str | None = None, seat: str | None = None) -> str:
        """A ticket, good once and for 30 s. Raises StoreUnavailable."""
        ticket = new_secret()
        content = Ticket(
            user_id=principal.user_id,
            session_id=principal.session_id,
            expires=principal.expires,
            guest=principal.is_guest,
            room=room,
            seat=seat,
        )
        await self._cache.set(_key(ticket), msgspec.json.encode(content), TICKET_S)
        return ticket

    async def take(self, ticket: str) -> Ticket:
        """The ticket's content; the ticket is worth nothing afterwards. Raises InvalidTicket, StoreUnavailable."""
        content = await self._cache.take(_key(ticket))
        if content is None:
            raise InvalidTicket
        return msgspec.json.decode(content, type=Ticket)

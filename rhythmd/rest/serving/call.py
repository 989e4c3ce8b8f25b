"""What a row of the table of routes says, and what a handler gets and gives."""

from collections.abc import Awaitable, Callable, Mapping
from enum import IntEnum
from http import HTTPStatus
from typing import Any, ClassVar, Final, Generic, TypeVar

from aiohttp import web
from msgspec import Struct, json

from rhythm_protocol.errors import ErrorCode
from rhythmd.auth.values import Client, Principal
from rhythmd.rest.serving.cookies import CookieScope, access_token
from rhythmd.rest.serving.paths import VARIABLES
from rhythmd.rest.serving.rates import Rate
from rhythmd.rest.serving.source import RequestSource
from rhythmd.rest.serving.uploads import Upload, UploadedFile
from rhythmd.rows import Account

__all__ = ["Answer", "Call", "Input", "Nothing", "Route", "Who", "as_json"]


JSON_HEADERS: Final = {"Content-Type": "application/json", "Cache-Control": "no-store"}


class Who(IntEnum):
    """The callers that a route lets in: each includes those after it.

    For `ANYONE` nobody is asked who they are; for `VISITOR` a login counts if there is one.
    """

    ANYONE = 0
    VISITOR = 1
    GUEST = 2
    MEMBER = 3
    MODERATOR = 4
    ADMIN = 5


class Input(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of what a request brings: the query of a GET, the JSON body of all others.

    `aliases` are names that fields had before; what has one of them is read as if it had the new one.
    """

    aliases: ClassVar[Mapping[str, str]] = {}


class Nothing(Input, frozen=True):
    """A request without anything."""


InputT = TypeVar("InputT", bound=Struct)

Answer = Struct | web.StreamResponse | None
"""A struct is sent as JSON, None as 204."""


def as_json(answer: Struct, status: int = HTTPStatus.OK) -> web.Response:
    """An answer that nobody on its way keeps."""
    return web.Response(body=json.encode(answer), status=status, headers=JSON_HEADERS)


class Call(Generic[InputT]):
    """A request that has passed everything that stands before its handler.

    Attributes:
        request: aiohttp's.
        input: what came with it, checked.
        principal: the caller; None for one that showed no login.
        file: what came with it, where the row takes a file.
    """

    __slots__ = ("_source", "file", "input", "principal", "request")

    def __init__(
        self,
        request: web.BaseRequest,
        input_: InputT,
        principal: Principal | None,
        source: RequestSource,
        file: UploadedFile | None = None,
    ) -> None:
        self.request = request
        self.input = input_
        self.principal = principal
        self.file = file
        self._source = source

    @property
    def client(self) -> Client:
        """Where the request comes from."""
        return self._source.client(self.request)

    @property
    def network(self) -> str:
        """Of many addresses that one sender may have, what stands for them."""
        return self._source.network(self.request)

    @property
    def cookie_scope(self) -> CookieScope:
        """Where the sender's cookies are good."""
        return self._source.cookie_scope(self.request)

    @property
    def access_token(self) -> str | None:
        """Of anybody, good or not."""
        return access_token(self.request, self.cookie_scope)

    def path(self, name: str) -> str:
        """A variable part of the path."""
        return self.request[VARIABLES][name]

    @property
    def known(self) -> Principal:
        """The caller, where the row lets in only those that are known."""
        assert self.principal is not None, "the route's row asks for a login"  # noqa: S101
        return self.principal

    @property
    def account(self) -> Account:
        """The caller's account, where the row lets in only members."""
        account = self.known.account
        assert account is not None, "the route's row asks for a member"  # noqa: S101
        return account

    @property
    def upload(self) -> UploadedFile:
        """The file, where the row asks for one."""
        assert self.file is not None, "the route's row asks for a file"  # noqa: S101
        return self.file

    def close(self) -> None:
        """Let go of the file. Its handler is done with it."""
        if self.file is not None:
            self.file.content.close()


class Route(Struct, Generic[InputT], frozen=True, kw_only=True):
    """One row of the table.

    Args:
        method: of HTTP.
        path: with variable parts in braces.
        handler: what answers; its docstring is the description in the API's document.
        input: type of the query or body.
        answer: type of the JSON that is sent, or a file's media types; None for an empty one.
        status: when all is well.
        more: other statuses that are no errors, such as 304.
        who: may call.
        rate: how requests are counted.
        errors: the codes that the handler itself answers with.
        upload: what file it takes; the input is then the form's other fields.
        default: the input of a request that brings nothing, for rows that are in a hurry.
    """

    method: str
    path: str
    handler: Callable[[Call[InputT]], Awaitable[Answer]]
    input: type[InputT]
    answer: Any = None
    status: HTTPStatus = HTTPStatus.OK
    more: tuple[HTTPStatus, ...] = ()
    who: Who = Who.ANYONE
    rate: Rate = Rate.GENERAL
    errors: tuple[ErrorCode, ...] = ()
    upload: Upload | None = None
    default: InputT | None = None

    @property
    def may_be_empty(self) -> bool:
        """Whether a request without a body is one that brings nothing. So it is where several kinds may come."""
        if self.default is not None:
            return True
        return self.input is Nothing if self.upload is None else not self.upload.is_required

"""The operator's commands: `rhythmd user …`, `rhythmd keys rotate` and `rhythmd db …`.

They work on the store and the key file themselves, beside a running server or without one. A server sees what they
change at the next request, and within seconds for a socket that is open then. Whatever is asked for is asked before an
event loop runs, so that Ctrl-C ends the command there and then.
"""

import argparse
import asyncio
import getpass
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from msgspec import Struct, json

from rhythmd.app import SQLITE_FILE, open_store
from rhythmd.auth.errors import AuthError, Unknown
from rhythmd.auth.keys import KeyFile
from rhythmd.auth.names import check_usertag
from rhythmd.auth.notices import LogMailer
from rhythmd.auth.service import Auth, load_keys
from rhythmd.auth.values import Client
from rhythmd.clock import unix_ms
from rhythmd.config import Config
from rhythmd.errors import ConfigError
from rhythmd.options import choice, positive_int, text
from rhythmd.ports import Store, StoreError
from rhythmd.rows import FOREVER, Account, Role
from rhythmd.store.cache import MemoryCache
from rhythmd.terminal import complain, has_surrogates, printable, trouble_of

__all__ = [
    "OPERATOR",
    "Commands",
    "Format",
    "Shared",
    "Work",
    "add_admin_commands",
    "add_format",
    "announce_data",
    "open_auth",
    "opened",
    "print_list",
]

OPERATOR: Final = Client(user_agent="rhythmd command")
CACHE_ENTRIES: Final = 100
PAGE: Final = 100
AUDIT_S: Final = 10.0
FAILED: Final = 1

T = TypeVar("T")


class Commands(Protocol):
    """What `ArgumentParser.add_subparsers` returns, as far as it is used here."""

    def add_parser(self, name: str, *, help: str) -> argparse.ArgumentParser: ...  # noqa: A002 - argparse's name


Work = Callable[[Config, argparse.Namespace], Coroutine[Any, Any, int]]
Ask = Callable[[argparse.Namespace], None]
"""Asks at the terminal for what the command line does not say, and puts it into the options."""


class Format(StrEnum):
    """How a list is printed: for people, in lines with tabs, or as JSON."""

    TEXT = "text"
    JSON = "json"


class Shared(Struct, frozen=True):
    """The options that these commands share, and how these become a configuration."""

    add_options: Callable[[argparse.ArgumentParser], None]
    load: Callable[[argparse.Namespace], Config]

    def add(
        self, commands: Commands, name: str, summary: str, work: Work, ask: Ask | None = None
    ) -> argparse.ArgumentParser:
        """A command that does `work`, after it has asked for what it needs."""
        parser = commands.add_parser(name, help=summary)
        self.add_options(parser)
        parser.add_argument("--data", metavar="DIR", help="folder for what is kept (server.data_dir)")
        parser.set_defaults(run=lambda options: _run(work, ask, self.load(options), options))
        return parser


def add_format(parser: argparse.ArgumentParser) -> None:
    """Let the user choose how a list is printed."""
    parser.add_argument(
        "--format", type=choice(Format), default=Format.TEXT, metavar="FORMAT", help="text (default) or json"
    )


def _group(commands: Commands, name: str, summary: str) -> Commands:
    parser = commands.add_parser(name, help=summary)
    return parser.add_subparsers(title="commands", required=True, metavar="COMMAND")


def add_admin_commands(commands: Commands, shared: Shared) -> None:
    """Add all; each sets `run`, which takes the options and returns the exit status."""
    _add_user_commands(_group(commands, "user", "make, show, change and delete accounts"), shared)
    keys = _group(commands, "keys", "the keys that access tokens are signed with")
    shared.add(keys, "rotate", "sign with a new key; tokens of the old one stay good for their time", _rotate)
    store = _group(commands, "db", "look after the database")
    add_format(shared.add(store, "check", "look through the whole database and say what is wrong with it", _check))
    shared.add(store, "migrate", "bring the database up to date; `serve` does that, too", _migrate)


def _add_user_commands(users: Commands, shared: Shared) -> None:
    def add(name: str, summary: str, work: Work, ask: Ask | None = None) -> argparse.ArgumentParser:
        parser = shared.add(users, name, summary, work, ask)
        parser.add_argument("usertag", type=text)
        add_format(parser)
        return parser

    roles, named = choice(Role), ", ".join(Role)
    create = add("create", "make an account; its password is asked for, or read from a pipe", _create, _ask_for_new)
    create.add_argument("--email", type=text, help="the user's own address, to log in with: it counts as verified")
    create.add_argument("--role", action="append", default=[], type=roles, metavar="ROLE", help=f"{named}; repeatable")
    add("show", "show an account", _show)
    add("password", "give an account another password, asked for as above; its logins end", _password, _ask_password)
    role = add("role", "give an account exactly these roles", _set_roles)
    role.add_argument("roles", nargs="+", type=roles, metavar="ROLE", help=named)
    ban = add("ban", "close an account, or open it again", _ban)
    ban.add_argument("--reason", default="", type=text, help="shown to the user")
    mute = add("mute", "let an account not chat, or let it chat again", _mute)
    for parser in (ban, mute):
        parser.add_argument("--seconds", type=positive_int, help="for how long (default: for good)")
        parser.add_argument("--lift", action="store_true", help="take it back")
    delete = add("delete", "delete an account and its logins; its rooms and sheets stay", _delete, _ask_whether)
    delete.add_argument("--yes", action="store_true", help="do not ask")
    add_format(shared.add(users, "list", "list all accounts, newest first", _list))


def _run(work: Work, ask: Ask | None, config: Config, options: argparse.Namespace) -> int:
    try:
        if ask is not None:
            ask(options)
        return asyncio.run(work(config, options))
    except BrokenPipeError:
        raise
    except (AuthError, StoreError, OSError) as error:
        complain(trouble_of(error))
        return FAILED


# Asking


def _ask_for_new(options: argparse.Namespace) -> None:
    check_usertag(options.usertag)
    _ask_password(options)


def _ask_password(options: argparse.Namespace) -> None:
    """From the terminal, twice; from a pipe, its first line."""
    try:
        options.password = _read_password()
    except EOFError:
        raise ConfigError("no password was given") from None
    except UnicodeDecodeError:
        raise ConfigError("the password is not UTF-8") from None
    if has_surrogates(options.password):
        raise ConfigError("the password is not UTF-8")


def _read_password() -> str:
    if not sys.stdin.isatty():
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line.rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise ConfigError("the passwords differ")
    return password


def _ask_whether(options: argparse.Namespace) -> None:
    """At a terminal only: a script says what it means."""
    if options.yes or not sys.stdin.isatty():
        return
    try:
        print(
            f"Delete {printable(options.usertag)} for good? Type the usertag again: ",
            end="",
            file=sys.stderr,
            flush=True,
        )
        answer = sys.stdin.readline().strip()
    except UnicodeDecodeError:
        answer = ""
    if answer != options.usertag:
        raise ConfigError("nothing was deleted")


# The store


def _data_folder(config: Config) -> Path:
    return Path(config.server.data_dir).absolute()


def announce_data(config: Config) -> None:
    """Say which folder is about to be made: it may be a mistyped one."""
    folder = _data_folder(config)
    if not folder.exists():
        complain(f"{folder} is a new folder for what is kept (server.data_dir)")
    elif config.store.backend == "sqlite" and not (folder / SQLITE_FILE).exists():
        complain(f"{folder} gets a new database (server.data_dir)")


def _require_data(config: Config) -> None:
    """A command that looks at what is there makes nothing, least of all in a mistyped folder. Raises ConfigError."""
    folder = _data_folder(config)
    if config.store.backend == "sqlite" and not (folder / SQLITE_FILE).exists():
        what = "no database in" if folder.exists() else "no folder"
        raise ConfigError(
            f"there is {what} {folder} (server.data_dir, --data); serve, user create and db migrate make it"
        )


@asynccontextmanager
async def opened(config: Config, *, may_make: bool = False) -> AsyncIterator[Store]:
    """The store of the configuration, started. Raises StoreError, or ConfigError if it is not there to be looked at."""
    await asyncio.to_thread(announce_data if may_make else _require_data, config)
    store = open_store(config)
    await store.start()
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def open_auth(config: Config, store: Store) -> AsyncIterator[Auth]:
    """The services on a store, with an audit that is written before the end."""
    keys = await asyncio.to_thread(load_keys, config.auth, Path(config.server.data_dir))
    auth = Auth(config.auth, keys, store, MemoryCache(CACHE_ENTRIES), LogMailer())
    auth.start()
    try:
        yield auth
    finally:
        await auth.stop(AUDIT_S)


@asynccontextmanager
async def _services(config: Config, *, may_make: bool = False) -> AsyncIterator[Auth]:
    async with opened(config, may_make=may_make) as store, open_auth(config, store) as auth:
        yield auth


# Users


class AccountRow(Struct, frozen=True, kw_only=True):
    """An account as it is printed. Times are Unix ms."""

    usertag: str
    id: str
    email: str | None
    roles: list[str]
    created: int
    username: str
    nickname: str
    has_password: bool
    banned_until: int | None
    ban_reason: str
    muted_until: int | None


def _row(account: Account) -> AccountRow:
    now = unix_ms()
    is_banned, is_muted = (account.banned_until or 0) > now, (account.muted_until or 0) > now
    return AccountRow(
        usertag=account.usertag,
        id=account.id,
        email=account.email,
        roles=sorted(account.roles),
        created=account.created,
        username=account.username,
        nickname=account.nickname,
        has_password=account.password_hash is not None,
        banned_until=account.banned_until if is_banned else None,
        ban_reason=account.ban_reason if is_banned else "",
        muted_until=account.muted_until if is_muted else None,
    )


def _line(row: AccountRow) -> str:
    words = [row.usertag, f"{_time(row.created):%Y-%m-%d}", ",".join(row.roles), row.email or "-"]
    marks = [name for name, until in (("banned", row.banned_until), ("muted", row.muted_until)) if until is not None]
    return "\t".join(map(printable, [*words, *marks]))


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1_000, UTC)


def _until(ms: int | None) -> str:
    if ms is None:
        return "no"
    return "for good" if ms >= FOREVER else f"until {_time(ms):%Y-%m-%d %H:%M:%S} UTC"


def _print_account(account: Account, options: argparse.Namespace) -> int:
    row = _row(account)
    print(json.encode(row).decode() if options.format is Format.JSON else _line(row))
    return 0


async def _create(config: Config, options: argparse.Namespace) -> int:
    async with _services(config, may_make=True) as auth:
        account = await auth.accounts.create(options.usertag, options.password, options.email, verified=True)
        if options.role:
            roles = frozenset(options.role) | account.roles
            account = await auth.moderation.set_roles(None, options.usertag, roles, OPERATOR)
    return _print_account(account, options)


async def _show(config: Config, options: argparse.Namespace) -> int:
    async with opened(config) as store:
        account = await store.accounts.by_usertag(options.usertag)
        if account is None:
            raise Unknown("user")
        identities = await store.identities.of_user(account.id)
    if options.format is Format.JSON:
        return _print_account(account, options)
    row = _row(account)
    logins = [*(["password"] if row.has_password else []), *(identity.provider for identity in identities)]
    for name, value in (
        ("usertag", row.usertag),
        ("id", row.id),
        ("name", row.username),
        ("nickname", row.nickname),
        ("email", row.email or "-"),
        ("roles", ", ".join(row.roles)),
        ("created", f"{_time(row.created):%Y-%m-%d %H:%M:%S} UTC"),
        ("logs in with", ", ".join(logins) or "-"),
        ("banned", f"{_until(row.banned_until)}{f': {row.ban_reason}' if row.ban_reason else ''}"),
        ("muted", _until(row.muted_until)),
    ):
        print(f"{name:<12}  {printable(value)}")
    return 0


async def _password(config: Config, options: argparse.Namespace) -> int:
    async with _services(config) as auth:
        account = await auth.accounts.reset_password(options.usertag, options.password, OPERATOR)
    return _print_account(account, options)


async def _delete(config: Config, options: argparse.Namespace) -> int:
    async with _services(config) as auth:
        account = await auth.accounts.delete(options.usertag, OPERATOR)
    return _print_account(account, options)


async def _set_roles(config: Config, options: argparse.Namespace) -> int:
    async with _services(config) as auth:
        account = await auth.moderation.set_roles(None, options.usertag, frozenset(options.roles), OPERATOR)
    return _print_account(account, options)


async def _ban(config: Config, options: argparse.Namespace) -> int:
    async with _services(config) as auth:
        if options.lift:
            account = await auth.moderation.unban(None, options.usertag, OPERATOR)
        else:
            account = await auth.moderation.ban(None, options.usertag, options.seconds, options.reason, OPERATOR)
    return _print_account(account, options)


async def _mute(config: Config, options: argparse.Namespace) -> int:
    async with _services(config) as auth:
        if options.lift:
            account = await auth.moderation.unmute(None, options.usertag, OPERATOR)
        else:
            account = await auth.moderation.mute(None, options.usertag, options.seconds, OPERATOR)
    return _print_account(account, options)


async def _list(config: Config, options: argparse.Namespace) -> int:
    async with opened(config) as store:
        await print_list(_all_accounts(store), _line, options.format)
    return 0


async def _all_accounts(store: Store) -> AsyncIterator[AccountRow]:
    cursor: str | None = None
    while True:
        page = await store.accounts.page(PAGE, cursor)
        for account in page.items:
            yield _row(account)
        cursor = page.next
        if cursor is None:
            return


async def print_list(items: AsyncIterator[T], line: Callable[[T], str], form: Format) -> None:
    """Print items as they come, as lines or as one array of JSON."""
    before = "["
    async for item in items:
        if form is Format.JSON:
            print(before, json.encode(item).decode(), sep="", end="")
            before = ",\n"
        else:
            print(line(item), flush=True)
    if form is Format.JSON:
        print("[]" if before == "[" else "]")


# Keys and the database


async def _rotate(config: Config, _options: argparse.Namespace) -> int:
    if not _data_folder(config).exists():
        raise ConfigError(f"there is no folder {_data_folder(config)} (server.data_dir, --data)")
    keys = await asyncio.to_thread(load_keys, config.auth, Path(config.server.data_dir))
    if not isinstance(keys, KeyFile):
        raise ConfigError(
            "auth.algorithm is HS256: set auth.previous_secret to the secret, and auth.secret to a new one"
        )
    print(f"signing with key {await asyncio.to_thread(keys.rotate)}")
    return 0


async def _check(config: Config, options: argparse.Namespace) -> int:
    async with opened(config) as store:
        problems = await store.check()
    if options.format is Format.JSON:
        print(json.encode(problems).decode())
    else:
        print("\n".join(map(printable, problems)) or "nothing is wrong")
    return FAILED if problems else 0


async def _migrate(config: Config, _options: argparse.Namespace) -> int:
    async with opened(config, may_make=True):
        print("the database is up to date")
    return 0

"""The operator's commands: `rhythmd user …`, `rhythmd keys rotate` and `rhythmd db …`.

They work on the store and the key file themselves, beside a running server or without one. A server sees what they
change at the next request, and within seconds for a socket that is open then.
"""

import argparse
import asyncio
import getpass
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

from msgspec import Struct

from rhythmd.app import open_store
from rhythmd.auth.errors import AuthError
from rhythmd.auth.keys import KeyFile
from rhythmd.auth.notices import LogMailer
from rhythmd.auth.service import Auth, load_keys
from rhythmd.auth.values import Client
from rhythmd.clock import unix_ms
from rhythmd.config import Config
from rhythmd.errors import ConfigError
from rhythmd.ports import Store, StoreError
from rhythmd.rows import Account, Role
from rhythmd.store.cache import MemoryCache

__all__ = ["OPERATOR", "Commands", "Shared", "Work", "add_admin_commands", "open_auth", "opened"]

OPERATOR: Final = Client(user_agent="rhythmd command")
CACHE_ENTRIES: Final = 100
PAGE: Final = 100
AUDIT_S: Final = 10.0
FAILED: Final = 1


class Commands(Protocol):
    """What `ArgumentParser.add_subparsers` returns, as far as it is used here."""

    def add_parser(self, name: str, *, help: str) -> argparse.ArgumentParser: ...  # noqa: A002 - argparse's name


Work = Callable[[Config, argparse.Namespace], Coroutine[Any, Any, int]]


class Shared(Struct, frozen=True):
    """The options that these commands share, and how these become a configuration."""

    add_options: Callable[[argparse.ArgumentParser], None]
    load: Callable[[argparse.Namespace], Config]

    def add(self, commands: Commands, name: str, text: str, work: Work) -> argparse.ArgumentParser:
        """A command that does `work`."""
        parser = commands.add_parser(name, help=text)
        self.add_options(parser)
        parser.add_argument("--data", metavar="DIR", help="folder for what is kept (server.data_dir)")
        parser.set_defaults(run=lambda options: _run(work, self.load(options), options))
        return parser


def add_admin_commands(commands: Commands, shared: Shared) -> None:
    """Add all; each sets `run`, which takes the options and returns the exit status."""
    users = commands.add_parser("user", help="make, change and list accounts").add_subparsers(required=True)
    create = shared.add(users, "create", "make an account; its password is asked for, or read from a pipe", _create)
    create.add_argument("usertag")
    create.add_argument("--email")
    create.add_argument("--role", action="append", default=[], choices=[*Role], help="repeatable")
    role = shared.add(users, "role", "give an account exactly these roles", _set_roles)
    role.add_argument("usertag")
    role.add_argument("roles", nargs="+", choices=[*Role], metavar="ROLE", help=", ".join(Role))
    ban = shared.add(users, "ban", "close an account, or open it again", _ban)
    ban.add_argument("usertag")
    ban.add_argument("--seconds", type=int, help="for how long (default: for good)")
    ban.add_argument("--reason", default="", help="shown to the user")
    ban.add_argument("--lift", action="store_true", help="open the account again")
    shared.add(users, "list", "list all accounts, newest first", _list)
    keys = commands.add_parser("keys", help="the keys that access tokens are signed with").add_subparsers(required=True)
    shared.add(keys, "rotate", "sign with a new key; tokens of the old one stay good for their time", _rotate)
    store = commands.add_parser("db", help="look after the database").add_subparsers(required=True)
    shared.add(store, "check", "look through the whole database and say what is wrong with it", _check)
    shared.add(store, "migrate", "bring the database up to date; `serve` does that, too", _migrate)


def _run(work: Work, config: Config, options: argparse.Namespace) -> int:
    try:
        return asyncio.run(work(config, options))
    except (AuthError, StoreError, OSError) as error:
        print(f"rhythmd: {error}", file=sys.stderr)
        return FAILED


@asynccontextmanager
async def opened(config: Config) -> AsyncIterator[Store]:
    """The store of the configuration, started. Raises StoreError."""
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
async def _services(config: Config) -> AsyncIterator[Auth]:
    async with opened(config) as store, open_auth(config, store) as auth:
        yield auth


def _read_password() -> str:
    """From the terminal, twice; from a pipe, its first line."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise ConfigError("the passwords differ")
    return password


async def _create(config: Config, options: argparse.Namespace) -> int:
    password = await asyncio.to_thread(_read_password)
    async with _services(config) as auth:
        account = await auth.accounts.create(options.usertag, password, options.email)
        if options.role:
            roles = frozenset(map(Role, options.role)) | account.roles
            account = await auth.moderation.set_roles(None, options.usertag, roles, OPERATOR)
    print(_line(account))
    return 0


async def _set_roles(config: Config, options: argparse.Namespace) -> int:
    async with _services(config) as auth:
        roles = frozenset(map(Role, options.roles))
        account = await auth.moderation.set_roles(None, options.usertag, roles, OPERATOR)
    print(_line(account))
    return 0


async def _ban(config: Config, options: argparse.Namespace) -> int:
    async with _services(config) as auth:
        if options.lift:
            account = await auth.moderation.unban(None, options.usertag, OPERATOR)
        else:
            account = await auth.moderation.ban(None, options.usertag, options.seconds, options.reason, OPERATOR)
    print(_line(account))
    return 0


async def _list(config: Config, _options: argparse.Namespace) -> int:
    async with opened(config) as store:
        cursor: str | None = None
        while True:
            page = await store.accounts.page(PAGE, cursor)
            for account in page.items:
                print(_line(account))
            cursor = page.next
            if cursor is None:
                return 0


def _line(account: Account) -> str:
    banned = (account.banned_until or 0) > unix_ms()
    created = datetime.fromtimestamp(account.created / 1_000, UTC)
    words = [account.usertag, f"{created:%Y-%m-%d}", ",".join(sorted(account.roles)), account.email or "-"]
    return "\t".join([*words, "banned"] if banned else words)


async def _rotate(config: Config, _options: argparse.Namespace) -> int:
    keys = await asyncio.to_thread(load_keys, config.auth, Path(config.server.data_dir))
    if not isinstance(keys, KeyFile):
        raise ConfigError(
            "auth.algorithm is HS256: set auth.previous_secret to the secret, and auth.secret to a new one"
        )
    print(f"signing with key {await asyncio.to_thread(keys.rotate)}")
    return 0


async def _check(config: Config, _options: argparse.Namespace) -> int:
    async with opened(config) as store:
        problems = await store.check()
    print("\n".join(problems) or "nothing is wrong")
    return FAILED if problems else 0


async def _migrate(config: Config, _options: argparse.Namespace) -> int:
    async with opened(config):
        print("the database is up to date")
    return 0

"""Notices of what happened to an account: mail to its user, and calls to those in this process who hold its sockets."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from rhythmd.rows import Account
from rhythmd.telemetry import auth_log

__all__ = ["ChangeNotifier", "ChangeWatcher", "LogMailer", "Mail", "Mailer"]


class Mail(Struct, frozen=True):
    """An e-mail in plain text to one address."""

    to: str
    subject: str
    text: str


class Mailer(Protocol):
    """The port to whatever sends e-mail."""

    def send(self, mail: Mail) -> None:
        """Take a mail for sending. Does not wait, does not fail."""


class LogMailer:
    """A Mailer for servers without one: it writes to the log what would be sent."""

    def send(self, mail: Mail) -> None:
        auth_log.info("no mailer is configured; mail to %s: %s: %s", mail.to, mail.subject, mail.text)


class ChangeWatcher(Protocol):
    """The port to those who act on changes at once. Called in the event loop after the change is durable.

    Its methods must not raise.
    """

    def sessions_ended(self, user_id: str, session_ids: Sequence[str]) -> None: ...

    def account_changed(self, account: Account) -> None:
        """Its roles, its ban or its mute are new."""


class ChangeNotifier:
    """Passes every change on to all watchers, in the order in which they came."""

    def __init__(self) -> None:
        self._watchers: list[ChangeWatcher] = []

    def add(self, watcher: ChangeWatcher) -> None:
        self._watchers.append(watcher)

    def sessions_ended(self, user_id: str, session_ids: Sequence[str]) -> None:
        for watcher in self._watchers if session_ids else ():
            watcher.sessions_ended(user_id, session_ids)

    def account_changed(self, account: Account) -> None:
        for watcher in self._watchers:
            watcher.account_changed(account)

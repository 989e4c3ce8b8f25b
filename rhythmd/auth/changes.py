"""Tells those who hold sockets what has changed about their users."""

from collections.abc import Sequence
from typing import Protocol

from rhythmd.rows import Account

__all__ = ["Changes", "Watcher"]


class Watcher(Protocol):
    """Called in the event loop after the change is durable. Must not raise."""

    def sessions_ended(self, user_id: str, session_ids: Sequence[str]) -> None: ...

    def account_changed(self, account: Account) -> None:
        """Its roles, its ban or its mute are new."""


class Changes:
    """Passes every change on to all watchers, in the order in which they came."""

    def __init__(self) -> None:
        self._watchers: list[Watcher] = []

    def watch(self, watcher: Watcher) -> None:
        self._watchers.append(watcher)

    def sessions_ended(self, user_id: str, session_ids: Sequence[str]) -> None:
        for watcher in self._watchers if session_ids else ():
            watcher.sessions_ended(user_id, session_ids)

    def account_changed(self, account: Account) -> None:
        for watcher in self._watchers:
            watcher.account_changed(account)

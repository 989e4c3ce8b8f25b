"""The port for e-mail. Sending it is for an adapter; until there is one, the log has it."""

from typing import Protocol

from msgspec import Struct

from rhythmd.telemetry import auth_log

__all__ = ["LogMailer", "Mail", "Mailer"]


class Mail(Struct, frozen=True):
    to: str
    subject: str
    text: str


class Mailer(Protocol):
    def send(self, mail: Mail) -> None:
        """Take a mail for sending. Does not wait, does not fail."""


class LogMailer:
    """Writes to the log what would be sent."""

    def send(self, mail: Mail) -> None:
        auth_log.info("no mailer is configured; mail to %s: %s: %s", mail.to, mail.subject, mail.text)

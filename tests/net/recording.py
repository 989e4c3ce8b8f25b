"""A transport and a receiver that write down what a connection does with them."""

import asyncio
from typing import NamedTuple, cast

from rhythm_protocol.close import Close
from rhythmd.hub.ports import Arrival, Credentials, Identity, LapsedLogin, Peer

__all__ = ["Nobody", "RecordingReceiver", "RecordingTransport"]


class RecordingTransport(asyncio.Transport):
    """Keeps what is written. A write after the end of the stream fails, as on a real one."""

    def __init__(self, peer: str = "127.0.0.1") -> None:
        super().__init__({"peername": (peer, 50_000)})
        self.written = bytearray()
        self.ended = False
        self.gone = False
        self.is_paused = False
        self.protocol = asyncio.Protocol()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.ended, "write after the end of the stream"
        self.written += data

    def write_eof(self) -> None:
        self.ended = True

    def can_write_eof(self) -> bool:
        return True

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def is_closing(self) -> bool:
        return self.gone

    def close(self) -> None:
        self.gone = True

    def abort(self) -> None:
        self.gone = True

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = cast(asyncio.Protocol, protocol)


class Session(NamedTuple):
    peer: "Peer[Session]"


class Nobody:
    """An authenticator that is never asked."""

    async def verify(self, credentials: Credentials, address: str) -> Identity:
        raise NotImplementedError

    async def admit(self, credentials: Credentials, address: str) -> Identity | LapsedLogin:
        raise NotImplementedError


class RecordingReceiver:
    """Keeps the messages it is given, and how often its peer was lost."""

    def __init__(self) -> None:
        self.messages: list[bytes | str] = []
        self.lost = 0

    def attach(self, peer: Peer[Session], identity: Arrival) -> Session:
        return Session(peer)

    def on_binary(self, session: Session, payload: bytes) -> None:
        self.messages.append(payload)

    def on_text(self, session: Session, payload: str) -> None:
        self.messages.append(payload)

    def on_slowed(self, session: Session) -> None:
        pass

    def on_pause(self, session: Session) -> None:
        pass

    def on_drain(self, session: Session) -> None:
        pass

    def unconfirmed(self, session: Session) -> int | None:
        return None

    def on_confirm(self, session: Session, number: int) -> None:
        pass

    def on_lost(self, session: Session, rule: Close) -> None:
        self.lost += 1

"""The clock exchange: a client learns the server's clock from the two times in the answer."""

from rhythm_protocol.binary import decode_clock_request, encode_clock_reply
from rhythm_protocol.messages import ClockAnswer, ClockQuestion
from rhythm_protocol.websocket import BINARY, server_frame
from rhythmd.clock import server_us
from rhythmd.hub.sessions.context import Context
from rhythmd.hub.sessions.session import Session

__all__ = ["clock", "clock_message"]


def clock(_context: Context, session: Session, payload: bytes) -> None:
    """Answer a binary clock request at once."""
    received = server_us()
    value = decode_clock_request(payload).value
    session.write(server_frame(BINARY, encode_clock_reply(value, received, server_us())))


def clock_message(_context: Context, session: Session, message: ClockQuestion) -> None:
    """The same in JSON."""
    received = server_us()
    session.send("clock", ClockAnswer(message.value, received, server_us()))

"""The wire of rhythmd, version 1: bytes in, values out. No sockets, no event loop, no clock, no logging.

- `rhythm_protocol.binary`     the fast layouts: MIDI, clock, cursor
- `rhythm_protocol.control`    control messages, as msgpack and as JSON
- `rhythm_protocol.messages`   their types: the tables of both directions
- `rhythm_protocol.skipped`    what is checked in fields that nobody knows
- `rhythm_protocol.midi`       MIDI channel messages
- `rhythm_protocol.errors`     what can be wrong, with the published codes
- `rhythm_protocol.close`      close codes and what a client does after each
- `rhythm_protocol.clock`      the server's clock, estimated by a client
- `rhythm_protocol.resume`     what a client counts to resume its session after a lost connection
- `rhythm_protocol.playout`    how late notes come in, measured by a listener
- `rhythm_protocol.websocket`  whole WebSocket frames

`rhythm-protocol.js` is the same wire for browsers; `PROTOCOL.md` beside the package is the reference of both.
"""

from typing import Final

__all__ = ["VERSION"]

VERSION: Final = 1

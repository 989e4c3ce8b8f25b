"""Standard MIDI Files made by hand, whole and broken."""

__all__ = ["END", "NOTE", "midi", "quantity", "riff", "track"]

END = b"\x00\xff\x2f\x00"
NOTE = b"\x00\x90\x3c\x40\x60\x80\x3c\x00"
"""Middle C for 96 ticks."""


def quantity(number: int) -> bytes:
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(number & 0x7F | 0x80)
    return bytes(reversed(digits))


def track(events: bytes = NOTE, end: bytes = END, length: int | None = None) -> bytes:
    content = events + end
    return b"MTrk" + (len(content) if length is None else length).to_bytes(4, "big") + content


def midi(*tracks: bytes, form: int = 1, count: int | None = None, division: int = 96) -> bytes:
    head = (form, len(tracks) if count is None else count, division)
    return b"MThd\x00\x00\x00\x06" + b"".join(number.to_bytes(2, "big") for number in head) + b"".join(tracks)


def riff(content: bytes, kind: bytes = b"RMID") -> bytes:
    chunk = b"data" + len(content).to_bytes(4, "little") + content
    return b"RIFF" + (4 + len(chunk)).to_bytes(4, "little") + kind + chunk

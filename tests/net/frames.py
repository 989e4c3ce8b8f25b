"""Frames of every kind for generated tests: valid, broken, cut short, in any order."""

from typing import Final, NamedTuple

from hypothesis import strategies as st

__all__ = ["GivenFrame", "frames", "segments"]

DATA_OPCODES: Final = (0x0, 0x1, 0x2)
CONTROL_OPCODES: Final = (0x8, 0x9, 0xA)
FIN: Final = 0x80
LENGTHS: Final = (0, 1, 2, 124, 125, 126, 127, 199, 200, 201, 65_535, 65_536, 69_999, 70_000, 70_001)
SHORT_LENGTHS: Final = tuple(length for length in LENGTHS if length < 300)
CLOSE_CODES: Final = (
    0,
    999,
    1000,
    1001,
    1002,
    1003,
    1004,
    1005,
    1006,
    1007,
    1011,
    1014,
    1015,
    1016,
    2999,
    3000,
    4999,
    5000,
)
TEXTS: Final = (
    b"",
    b"plain",
    "h\u00e9 \u2669 \U0001d11e".encode(),
    b"\xff",
    b"\xc3",
    b"\xa9",
    b"\xed\xa0\x80",
    b"\xf0\x9d\x84",
)


class GivenFrame(NamedTuple):
    """A frame as it is sent. `size` is the bytes of its length: 1, 2 or 8; `announced` is what they say."""

    first: int
    mask: bytes | None
    size: int
    announced: int
    payload: bytes

    def head(self) -> bytes:
        """The bytes up to the mask."""
        masked = 0 if self.mask is None else 0x80
        if self.size == 1:
            return bytes((self.first, masked | self.announced))
        code = 126 if self.size == 2 else 127
        return bytes((self.first, masked | code)) + self.announced.to_bytes(self.size, "big")

    def encode(self) -> bytes:
        if self.mask is None:
            return self.head() + self.payload
        mask = (self.mask * (len(self.payload) // 4 + 1))[: len(self.payload)]
        masked = int.from_bytes(self.payload, "big") ^ int.from_bytes(mask, "big")
        return self.head() + self.mask + masked.to_bytes(len(self.payload), "big")

    @property
    def is_minimal(self) -> bool:
        """Whether the length is encoded in the fewest bytes, with its highest bit 0."""
        return self.size == _shortest(self.announced) and self.announced < 1 << 63

    @property
    def breaks_first_byte(self) -> bool:
        """Whether the header alone shows reserved bits, or a control frame that is long or fragmented."""
        is_control = bool(self.first & 0x08)
        return bool(self.first & 0x70) or (is_control and (self.announced > 125 or not self.first & FIN))


def _shortest(length: int) -> int:
    return 1 if length < 126 else 2 if length < 0x10000 else 8


def _masks() -> st.SearchStrategy[bytes]:
    return st.sampled_from([b"\0\0\0\0", b"\x37\xfa\x21\x3d", b"\xff\x00\xff\x00"])


def _frame(first: int, payload: bytes, mask: bytes | None) -> GivenFrame:
    return GivenFrame(first, mask, _shortest(len(payload)), len(payload), payload)


def _payloads(lengths: tuple[int, ...]) -> st.SearchStrategy[bytes]:
    patterned = st.builds(lambda length, byte: bytes((byte,)) * length, st.sampled_from(lengths), st.integers(0, 255))
    return patterned | st.sampled_from(TEXTS) | st.binary(max_size=12)


def _data_frames(lengths: tuple[int, ...]) -> st.SearchStrategy[GivenFrame]:
    first = st.builds(int.__or__, st.sampled_from([0, FIN]), st.sampled_from(DATA_OPCODES))
    return st.builds(_frame, first, _payloads(lengths), _masks())


def _whole_messages(lengths: tuple[int, ...]) -> st.SearchStrategy[GivenFrame]:
    """What the fast path takes, mostly."""
    return st.builds(_frame, st.sampled_from([0x82, 0x82, 0x81]), _payloads(lengths), _masks())


def _pings_and_pongs() -> st.SearchStrategy[GivenFrame]:
    payloads = st.binary(max_size=4) | st.sampled_from([b"p" * 125, b"p" * 124])
    return st.builds(_frame, st.sampled_from([0x89, 0x8A]), payloads, _masks())


def _closes() -> st.SearchStrategy[GivenFrame]:
    coded = st.builds(
        lambda code, reason: code.to_bytes(2, "big") + reason,
        st.sampled_from(CLOSE_CODES), st.sampled_from(TEXTS) | st.just(b"r" * 123),
    )  # fmt: skip
    return st.builds(_frame, st.just(0x88), coded | st.sampled_from([b"", b"\x03"]), _masks())


def _broken_frames() -> st.SearchStrategy[GivenFrame]:
    """Any first byte, with or without mask, with a length in any of the three encodings."""
    return st.builds(
        lambda first, mask, size, payload: GivenFrame(
            first, mask, max(size, _shortest(len(payload))), len(payload), payload
        ),
        st.integers(0, 255), st.none() | _masks(), st.sampled_from([1, 1, 2, 8]), _payloads(SHORT_LENGTHS),
    )  # fmt: skip


def _long_lengths() -> st.SearchStrategy[GivenFrame]:
    """Right but for a length in more bytes than it needs."""
    return st.builds(
        lambda first, size, payload: GivenFrame(first, b"\0\0\0\0", size, len(payload), payload),
        st.sampled_from([0x82, 0x81, 0x89]), st.sampled_from([2, 8]), st.sampled_from([b"", b"s" * 125, b"m" * 199]),
    )  # fmt: skip


def _lying_frames() -> st.SearchStrategy[GivenFrame]:
    """Announce more than they hold; what follows is taken for their payload."""
    return st.builds(
        lambda first, announced: GivenFrame(first, b"\0\0\0\0", _shortest(announced), announced, b""),
        st.sampled_from([0x82, 0x81, 0x02, 0x80, 0x89, 0x88, 0xC2]),
        st.sampled_from([125, 126, 201, 65_535, 65_536, 70_000, 70_001, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]),
    )


def frames() -> st.SearchStrategy[list[GivenFrame]]:
    """Sequences of frames. At most one is long, or it takes too long; a lying one is the last."""
    common = _whole_messages(SHORT_LENGTHS) | _data_frames(SHORT_LENGTHS) | _pings_and_pongs()
    rare = _closes() | _broken_frames() | _long_lengths() | _whole_messages(LENGTHS)
    parts = st.tuples(
        st.lists(common, max_size=6), st.lists(rare, max_size=1), st.lists(common, max_size=4),
        st.lists(_lying_frames(), max_size=1),
    )  # fmt: skip
    return parts.map(lambda given: [frame for part in given for frame in part])


def segments(data: bytes, cuts: list[int]) -> list[bytes]:
    """`data` cut at `cuts` (any numbers); a single negative cut means byte by byte."""
    if cuts == [-1]:
        return [data[at : at + 1] for at in range(len(data))]
    ends = sorted({cut % (len(data) + 1) for cut in cuts} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False) if end > start]

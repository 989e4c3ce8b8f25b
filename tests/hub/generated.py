"""Random music."""

from hypothesis import strategies as st

from rhythm_protocol.midi import MidiEvent
from tests.hub.synthesizer import RESET_TO

__all__ = ["batches", "channel_messages"]

ChannelMessages = st.SearchStrategy[tuple[int, int, int]]

_PARAMETERS = [6, 38, *range(96, 102)]
_CONTROLLERS = st.sampled_from(
    [
        0,
        7,
        10,
        32,
        39,
        42,
        70,
        79,
        91,
        95,
        *RESET_TO,
        *_PARAMETERS,
        *_PARAMETERS,
        120,
        121,
        122,
        123,
        124,
        125,
        126,
        126,
        127,
    ]
)
_DATA = st.integers(0, 127)
_KEYS = st.integers(60, 64)  # few, so that presses and releases meet
_CHANNELS = st.sampled_from([0, 1, 9, 15])


def _kind(status: int, data1: st.SearchStrategy[int], data2: st.SearchStrategy[int]) -> ChannelMessages:
    return st.tuples(_CHANNELS.map(lambda channel: status | channel), data1, data2)


channel_messages: ChannelMessages = st.one_of(
    _kind(0x90, _KEYS, _DATA),
    _kind(0x90, _KEYS, _DATA),
    _kind(0x80, _KEYS, _DATA),
    _kind(0xA0, _KEYS, _DATA),
    _kind(0xB0, _CONTROLLERS, _DATA),
    _kind(0xB0, st.sampled_from(_PARAMETERS), st.sampled_from([0, 1, 2, 127])),  # few, so that some are met again
    _kind(0xC0, _DATA, st.just(0)),
    _kind(0xD0, _DATA, st.just(0)),
    _kind(0xE0, _DATA, _DATA),
)


def batches(max_size: int) -> st.SearchStrategy[list[MidiEvent]]:
    """Events that one message may carry."""
    return st.lists(channel_messages.map(lambda message: MidiEvent(0, *message)), min_size=1, max_size=max_size)

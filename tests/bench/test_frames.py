from hypothesis import given
from hypothesis import strategies as st

from bench.load.frames import events_of_relay, events_of_rhythmd, whole_frames
from rhythm_protocol.binary import CursorAt, MidiBlock, encode_cursors, encode_midi, encode_midi_blocks
from rhythm_protocol.control import encode_binary
from rhythm_protocol.midi import MidiEvent, pack_events
from rhythm_protocol.websocket import BINARY, server_frame

PING = 0x9
EVENTS = [MidiEvent(n, 0x90, n, 1) for n in range(100)]


def block(slot: int, *events: MidiEvent) -> MidiBlock:
    return MidiBlock(slot, 1_000, events)


def test_whole_frames_leaves_a_cut_frame_at_every_cut() -> None:
    frames = [server_frame(BINARY, b"a"), server_frame(PING, b""), server_frame(BINARY, bytes(300))]
    data = b"".join(frames)
    for cut in range(len(data)):
        found = list(whole_frames(data[:cut]))
        whole = [n for n in range(len(frames)) if len(b"".join(frames[: n + 1])) <= cut]
        assert len(found) == len(whole)


@given(st.lists(st.sampled_from([0, 1, 125, 126, 127, 65_535, 65_536]), max_size=4))
def test_whole_frames_finds_payloads_of_every_length_form(lengths: list[int]) -> None:
    payloads = [bytes(n % 251 for n in range(length)) for length in lengths]
    data = b"".join(server_frame(BINARY, payload) for payload in payloads)
    assert [data[start:stop] for _, start, stop in whole_frames(data)] == payloads


def test_events_of_rhythmd_takes_events_of_all_blocks_of_all_messages() -> None:
    data = server_frame(BINARY, encode_midi_blocks([block(1, *EVENTS[:3]), block(2, EVENTS[3])]))
    data += server_frame(BINARY, encode_midi_blocks([block(7, *EVENTS[4:])]))
    events = bytearray(b"before")
    assert events_of_rhythmd(data, events) == len(EVENTS)
    assert events == b"before" + pack_events(EVENTS)


def test_events_of_rhythmd_passes_over_other_messages() -> None:
    data = server_frame(BINARY, encode_binary("error", {"code": "x", "message": ""}))
    data += server_frame(BINARY, encode_cursors([CursorAt(1, 2, 3)])) + server_frame(PING, b"\x01abc")
    assert events_of_rhythmd(data, bytearray()) == 0


def test_events_of_relay_takes_events_as_clients_sent_them() -> None:
    data = b"".join(server_frame(BINARY, encode_midi(9, [event])) for event in EVENTS) + server_frame(PING, b"1234")
    events = bytearray()
    assert events_of_relay(data, events) == len(EVENTS)
    assert events == pack_events(EVENTS)

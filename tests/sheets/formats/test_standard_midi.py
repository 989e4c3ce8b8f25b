"""Standard MIDI Files: facts, the bytes that come out, and refusals with their byte."""

import io

import pytest

from rhythmd.rows import ScoreFacts, SheetCategory
from rhythmd.sheets.formats.analysis import analyse
from tests.sheets.formats.midis import NOTE, midi, quantity, riff, track
from tests.sheets.formats.reading import facts_of, refusal

TEMPO_150 = b"\x00\xff\x51\x03\x06\x1a\x80"
METRE_6_8 = b"\x00\xff\x58\x04\x06\x03\x24\x08"
KEY_C_MINOR = b"\x00\xff\x59\x02\xfd\x01"
NAME = b"\x00\xff\x03\x05Etude"


def converted(content: bytes) -> bytes:
    out = io.BytesIO()
    analyse(io.BytesIO(content), out)
    return out.getvalue()


def test_facts_are_read() -> None:
    assert facts_of(midi(track(NAME + TEMPO_150 + METRE_6_8 + KEY_C_MINOR), track(), track(NOTE + NOTE))) == ScoreFacts(
        category=SheetCategory.MIDI,
        title="Etude",
        tempo=150.0,
        key="C minor",
        time_signature="6/8",
        duration_ms=800,
        notes=3,
        parts=2,
    )


def test_file_comes_out_as_it_is() -> None:
    content = midi(track(), form=0)
    assert converted(content) == content


def test_riff_file_is_opened() -> None:
    content = midi(track(), form=0)
    assert converted(riff(content)) == content


def test_channels_of_one_track_are_parts() -> None:
    assert facts_of(midi(track(NOTE + b"\x00\x91\x3c\x40\x60\x81\x3c\x00"), form=0)).parts == 2


def test_tempo_changes_of_any_track_count_for_the_duration() -> None:
    slower = quantity(48) + b"\xff\x51\x03\x0f\x42\x40"  # from the middle of the note on, half as fast
    assert facts_of(midi(track(slower), track())).duration_ms == 250 + 500


def test_last_tempo_at_one_tick_counts() -> None:
    facts = facts_of(midi(track(b"\x00\xff\x51\x03\x07\xa1\x20" + TEMPO_150), track()))
    assert (facts.tempo, facts.duration_ms) == (150, 400)


def test_running_status_pedals_system_exclusive_and_unknown_chunks_are_read() -> None:
    events = (
        b"\x00\xf0\x03\x01\x02\xf7\x00\xb0\x40\x7f\x00\x40\x00\x00\xc0\x05" + NOTE + b"\x00\x90\x3e\x40\x60\x3e\x00"
    )
    content = midi(b"Xtra\x00\x00\x00\x02ab" + track(events), count=1)
    assert (facts_of(content).notes, facts_of(content).duration_ms) == (2, 1000)
    assert converted(content) == midi(track(events))


def test_smpte_time_is_read() -> None:
    assert facts_of(midi(track(), division=0xE728)).duration_ms == 96  # 25 frames of 40 ticks


def test_title_in_latin_1_is_read() -> None:
    assert facts_of(midi(track(b"\x00\xff\x03\x03F\xfcr" + NOTE))).title == "Für"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"MThd", "byte 0: the header is cut off"),
        (midi(track(b"")), "it has no notes"),
        (midi(), "it has no notes"),
        (riff(b"")[:12], "byte 0: the RIFF file has no MIDI data"),
        (riff(b"hello"), "byte 0: the RIFF file has no MIDI data"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_what_is_no_midi_file_is_refused(content: bytes, reason: str) -> None:
    assert refusal(content) == reason


@pytest.mark.parametrize(
    ("content", "remark"),
    [
        (midi(track(b"\x00\xff\x59\x02\x08\x00" + NOTE)), "byte 23: a key signature that is none is left out"),
        (midi(track(b"\x00\xff\x58\x04\x00\x02\x18\x08" + NOTE)), "byte 23: a time signature that is none is left out"),
        (midi(track(b"\x00\xff\x51\x03\x00\x00\x00" + NOTE)), "byte 23: a tempo of 0 is left out"),
        (midi(track(b"\x00\xb0\x07\xff" + NOTE)), "byte 23: a value above 127 is taken as 127"),
        (midi(track(), count=3), "byte 10: the header has a wrong number of tracks"),
        (midi(track(), form=2), "byte 8: the tracks of a file of format 2 are played one after the other"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_what_is_forgiven_is_a_remark_and_is_not_in_the_file_that_comes_out(content: bytes, remark: str) -> None:
    facts = facts_of(content)
    assert (facts.remarks, facts.notes, facts.duration_ms) == ((remark,), 1, 500)
    again = facts_of(converted(content))
    assert (again.remarks, again.notes, again.duration_ms) == ((), 1, 500)


def test_too_many_notes_are_refused() -> None:
    content = midi(track(NOTE[:3] + b"\x40" + b"\x00\x3c\x40" * 500_000))
    assert refusal(content) == "it has more than 500,000 notes, repeats included"

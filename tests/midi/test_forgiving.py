"""Files with faults: what sounds, when, and what is said of the faults."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhythmd.midi.parser import parse
from rhythmd.midi.reader import NotReadable, in_time
from rhythmd.sheets.formats.bounds import RefusedFile
from rhythmd.sheets.formats.standard_midi import read_midi
from tests.sheets.formats.midis import riff

HEAD: Final = "4d546864 00000006 0000 0001 01e0"
FIRST: Final = "00903c64 836080 3c40"  # half a second
SECOND: Final = "00904064 83608040 40"
END: Final = "00ff2f00"
TWO: Final = ((0, "903c64"), (500, "803c40"), (500, "904064"), (1_000, "804040"))

Heard = tuple[tuple[int, str], ...]


def whole(*tracks: str, head: str = HEAD, before: str = "", after: str = "") -> bytes:
    parts = (bytes.fromhex(part) for part in tracks)
    chunks = b"".join(b"MTrk" + len(part).to_bytes(4, "big") + part for part in parts)
    return bytes.fromhex(head + before) + chunks + bytes.fromhex(after)


def heard(content: bytes) -> tuple[Heard, list[str]]:
    """(ms, message) of all, and what is said of the faults, without the bytes."""
    file = parse(content)
    sounds = tuple((timed.ms, f"{timed.message:06x}") for timed in in_time(file, with_drums=True))
    return sounds, [warning.partition(": ")[2] for warning in file.warnings]


def test_real_time_byte_of_the_report_is_left_out() -> None:
    content = "4d546864000000060000000101e04d54726b0000001800fe00903c648360803c4000904064836080404000ff2f00"
    assert heard(bytes.fromhex(content)) == (
        TWO, ["a system common or real-time message has no place in a file and is left out"],
    )  # fmt: skip


def test_unknown_meta_event_of_the_report_keeps_its_time() -> None:
    content = (
        "4d546864000000060000000101e04d54726b0000002000903c648360803c408740ff08055069616e6f00904064836080404000ff2f00"
    )
    sounds, said = heard(bytes.fromhex(content))
    assert [at_ms for at_ms, _ in sounds] == [0, 500, 1_500, 2_000]
    assert said == []


SUBJECT: Final = "a message about a key, controller or program above 127 is left out"
COUNT: Final = "the header has a wrong number of tracks"
FORMAT: Final = "the format is unknown, and taken as 1"
EXCLUSIVE: Final = "a system exclusive message has a wrong length and is taken to end with F7"
SYSTEM: Final = "a system common or real-time message has no place in a file and is left out"


@pytest.mark.parametrize(
    "message", ["f1 01", "f2 01 02", "f3 01", *(f"{status:x}" for status in (*range(0xF4, 0xF7), *range(0xF8, 0xFF)))]
)
def test_system_messages_are_left_out_and_keep_their_time(message: str) -> None:
    sounds, said = heard(whole(FIRST + f"8360 {message}" + SECOND + END))
    assert ([at_ms for at_ms, _ in sounds], said) == ([0, 500, 1_000, 1_500], [SYSTEM])


@pytest.mark.parametrize("kind", [kind for kind in range(0x80) if kind not in (0x21, 0x2F, 0x51, 0x58, 0x59)])
def test_meta_events_of_any_kind_keep_their_time(kind: int) -> None:
    sounds, said = heard(whole(FIRST + f"8360 ff {kind:02x} 03 010203" + SECOND + END))
    assert ([at_ms for at_ms, _ in sounds], said) == ([0, 500, 1_000, 1_500], [])


TOO_FAST: Final = "a tempo of more than 60,000 quarters a minute is left out"
BEFORE: Final = "what is before the header is left out"
NO_TICKS: Final = "a beat has no ticks, and is taken to have as many as is usual"
LONGER: Final = "the data in the RIFF file are longer than it says"
CUT_RIFF: Final = "the RIFF file is cut off"
JUNK: Final = (
    bytes(128), b"\xef\xbb\xbf", b"\n", b"HTTP/1.1 200 OK\r\nContent-Type: audio/midi\r\n\r\n", bytes(4_095),
    b"XMF_2.00" + bytes(40),
)  # fmt: skip


def riffs(content: bytes) -> list[tuple[bytes, list[str]]]:
    """RIFF files of `content`, and what is said of each."""
    made = riff(content)
    info = b"LIST\x04\0\0\0INFO"

    def sized(at: int, size: int) -> bytes:
        return made[:at] + size.to_bytes(4, "little") + made[at + 4 :]

    return [
        (made, []),
        (made + b"junk", []),
        (made + info, []),
        (made[:12] + info + made[12:], []),
        (riff(content, kind=b"WAVE"), []),
        *((sized(4, size), []) for size in (0, 7, 0xFFFFFFFF)),
        *((sized(16, size), [LONGER]) for size in (0, 5, 16, len(content) - 2)),
        *((sized(16, size), [CUT_RIFF]) for size in (len(content) + 1, 0xFFFFFFFF)),
        (sized(16, int.from_bytes(len(content).to_bytes(4), "little")), [CUT_RIFF]),
        (made[:12] + b"LIST\xff\xff\xff\x7fINFO" + made[12:], [BEFORE]),
        (made[:12] + b"LIST\x01\0\0\0INFO" + made[12:], [BEFORE]),
        (made[:12] + content, [BEFORE]),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (whole("00ff59020800" + FIRST + SECOND + END), ["a key signature that is none is left out"]),
        (whole("00ff59020102" + FIRST + SECOND + END), ["a key signature that is none is left out"]),
        (whole("00ff58040002 1808" + FIRST + SECOND + END), ["a time signature that is none is left out"]),
        (whole("00ff580404ff 1808" + FIRST + SECOND + END), ["a time signature that is none is left out"]),
        (whole("00ff58020402" + FIRST + SECOND + END), ["a meta event of the wrong length is left out"]),
        (whole("00ff5103000000" + FIRST + SECOND + END), ["a tempo of 0 is left out"]),
        (whole("00ff5103000001" + FIRST + SECOND + END), [TOO_FAST]),
        (whole("00ff51030003e7" + FIRST + SECOND + END), [TOO_FAST]),
        (whole("00ff510207a1" + FIRST + SECOND + END), ["a meta event of the wrong length is left out"]),
        (whole("00909064" + FIRST + SECOND + END), [SUBJECT]),
        (whole("003c64" + FIRST + SECOND + END), ["data without a status are left out"]),
        (whole(FIRST + SECOND + END, before="58464948 00000002 4d54"), []),
        (whole(FIRST + SECOND + END, after="58464948 00000002 4d54"), []),
        (whole(FIRST + SECOND + END, after="000000"), ["what is no chunk is left out"]),
        (whole(FIRST + SECOND + END, after="58464948 00000099 4d54"), ["what is no chunk is left out"]),
        (whole(FIRST + SECOND + END, before="ffffff"), ["what is no chunk is left out"]),
        *((before + whole(FIRST + SECOND + END), [BEFORE]) for before in JUNK),
        *((content, said) for content, said in riffs(whole(FIRST + SECOND + END))),
        (whole(FIRST + SECOND + END, head="4d546864 00000006 0000 0001 0000"), [NO_TICKS]),
        (whole(FIRST + SECOND + END, head="4d546864 00000008 0000 0001 01e0 abcd"), []),
        (whole(FIRST + SECOND + END, head="4d546864 00000000 0000 0001 01e0"), ["the header has a wrong length"]),
        (whole(FIRST + SECOND + END, head="4d546864 00ffffff 0000 0001 01e0"), ["the header has a wrong length"]),
        (whole(FIRST + SECOND + END, head="4d546864 00000006 0000 0000 01e0"), [COUNT]),
        (whole(FIRST + SECOND + END, head="4d546864 00000006 0001 0009 01e0"), [COUNT]),
        (whole(FIRST + SECOND + END, head="4d546864 00000006 0007 0001 01e0"), [FORMAT]),
        (whole(FIRST + SECOND), ["a track has no end event"]),
        (whole(FIRST + SECOND + END + "00903c64"), ["what follows a track's end event is left out"]),
        (whole(FIRST + "00f043f7" + SECOND + END), [EXCLUSIVE]),
        (whole(FIRST + "00f003010203" + "00f702 04f7" + SECOND + END), []),
        (whole(FIRST + "00f70401020304" + SECOND + END), []),
        (whole(FIRST + "00f703904064" + "8360 804040" + END), []),
        (whole("808080808000" + FIRST[2:] + SECOND + END), ["a number has more than four bytes"]),
    ],
    ids=str,
)  # fmt: skip
def test_faults_do_not_change_what_sounds(content: bytes, said: list[str]) -> None:
    assert heard(content) == (TWO, said)


def test_value_above_127_is_taken_as_127() -> None:
    assert heard(whole("00b007ff" + FIRST + SECOND + END)) == (
        ((0, "b0077f"), *TWO), ["a value above 127 is taken as 127"],
    )  # fmt: skip


@pytest.mark.parametrize("between", ["00f00101", "00ff010168", "00f001f7"])
def test_running_status_goes_on_over_other_events(between: str) -> None:
    sounds, said = heard(whole("00903c64" + between + "83603c00" + END))
    assert sounds == ((0, "903c64"), (500, "903c00"))
    assert said == ["running status goes on after a system exclusive or meta event"]


def with_length(content: bytes, length: int) -> bytes:
    """The same with another length of its first track."""
    at = content.index(b"MTrk") + 4
    return content[:at] + length.to_bytes(4, "big") + content[at + 4 :]


TRACK_BYTES: Final = 22


@pytest.mark.parametrize("length", [TRACK_BYTES - 6, TRACK_BYTES - 1, 5, 0])
def test_track_that_says_too_little_is_read_to_its_end(length: int) -> None:
    assert heard(with_length(whole(FIRST + SECOND + END), length)) == (TWO, ["a track is longer than it says"])


@pytest.mark.parametrize("length", [TRACK_BYTES + 1, 10_000, 0xFFFFFFFF])
def test_track_that_says_too_much_is_read_to_its_end(length: int) -> None:
    assert heard(with_length(whole(FIRST + SECOND + END), length)) == (TWO, ["a track is shorter than it says"])


@pytest.mark.parametrize("length", [4, 9, 12, 14, 30, 99, 0xFFFFFFFF])
def test_wrong_length_of_one_track_does_not_harm_the_next(length: int) -> None:
    content = whole(FIRST + END, "8360 904064 83608040 40" + END, head="4d546864 00000006 0001 0002 01e0")
    sounds, said = heard(with_length(content, length))
    assert (sounds, len(said)) == (TWO, 1)


def test_every_beginning_of_a_file_plays_what_is_whole() -> None:
    content = whole(FIRST + SECOND + END)
    for end in range(22, len(content)):
        sounds, said = heard(content[:end])
        assert said
        pressed = [message for _, message in sounds if message[0] == "9"]
        assert pressed == ["903c64", "904064"][: (end >= 26) + (end >= 35)]
    assert heard(content) == (TWO, [])


def test_two_files_of_film_time_are_read_at_all_rates() -> None:
    for frames, second in ((24, 24.0), (25, 25.0), (29, 30_000 / 1_001), (30, 30.0)):
        head = f"4d546864 00000006 0000 0001 {0x100 - frames:02x}28"
        sounds, said = heard(whole("00903c64 8360 803c00" + END, head=head))
        assert (sounds[1][0], said) == (round(480 / 40 / second * 1_000), [])


def test_tracks_of_format_2_are_played_one_after_the_other_each_in_its_tempo() -> None:
    slow = "00ff51030f4240" + FIRST + END
    sounds, said = heard(whole(slow, FIRST + END, head="4d546864 00000006 0002 0002 01e0"))
    assert [at_ms for at_ms, _ in sounds] == [0, 1_000, 1_000, 1_500]
    assert said == ["the tracks of a file of format 2 are played one after the other"]


def test_channels_of_a_second_port_get_free_ones() -> None:
    tracks = ("00ff210100" + FIRST + END, "00ff210101" + FIRST + "0099244000892400" + END)
    sounds, said = heard(whole(*tracks, head="4d546864 00000006 0001 0002 01e0"))
    assert {message[1] for _, message in sounds} == {"0", "1", "9"}
    assert said == ["it has several ports: their channels go to free ones, and share one where none is free"]


def test_notes_that_are_never_ended_end_with_the_piece() -> None:
    sounds, said = heard(whole("00903c64" + "8360ff2f00"))
    assert sounds == ((0, "903c64"), (500, "803c00"))
    assert said == ["notes that are never ended last until the end of the piece"]


def test_film_time_without_ticks_has_as_many_as_is_usual() -> None:
    head = "4d546864 00000006 0000 0001 e700"
    assert heard(whole("00903c64 14803c00" + END, head=head)) == (((0, "903c64"), (20, "803c00")), [NO_TICKS])


PAUSE: Final = "nothing happens for more than ten minutes, of which two seconds are left"
TAIL: Final = "what comes more than ten minutes after the last note is left out"


@pytest.mark.parametrize("delta", ["ffffff7f", "ffffff7e", "8480 8000", "ff8080807f"])
def test_absurd_pause_is_shortened_and_what_is_before_and_after_it_plays(delta: str) -> None:
    sounds, said = heard(whole(FIRST + delta + SECOND[2:] + END))
    assert [message for _, message in sounds] == [message for _, message in TWO]
    assert [at_ms for at_ms, _ in sounds] == [0, 500, 2_500, 3_000]
    assert said[-1:] == [PAUSE]


def test_pause_of_minutes_is_none_that_is_shortened() -> None:
    sounds, said = heard(whole(FIRST + "a38c00" + SECOND[2:] + END))  # 599 s
    assert ([at_ms for at_ms, _ in sounds], said) == ([0, 500, 599_433, 599_933], [])


def test_absurd_pause_at_the_beginning_is_shortened() -> None:
    sounds, said = heard(whole("ffffff7f" + FIRST[2:] + SECOND + END))
    assert ([at_ms for at_ms, _ in sounds], said) == ([2_000, 2_500, 2_500, 3_000], [PAUSE])


def test_note_of_hours_is_shortened() -> None:
    sounds, said = heard(whole("00903c64 ffffff7f 803c40" + SECOND + END))
    assert ([at_ms for at_ms, _ in sounds], said) == ([0, 2_000, 2_000, 2_500], [PAUSE])


def test_many_absurd_pauses_are_shortened() -> None:
    sounds, said = heard(whole("ffffff7f 904064" * 9_000 + END))
    pressed = [at_ms for at_ms, message in sounds if message.startswith("9")]
    assert pressed == [2_000 * number for number in range(1, len(pressed) + 1)]
    assert 4_000 < len(pressed) < 4_100  # what is later than half a year cannot be counted
    assert "what comes after half a year is left out" in said


def test_pause_of_one_track_while_another_plays_is_none() -> None:
    still = "".join("8cd000 904064" for _ in range(40))  # 208 s each
    sounds, said = heard(whole(FIRST + "81adb000" + SECOND[2:] + END, still + END, head=HEAD.replace("0001 ", "0002 ")))
    assert PAUSE not in said
    assert (500, "803c40") in sounds


def test_tempo_within_an_absurd_pause_counts_behind_it() -> None:
    slow = "ffffff7f ff51030f4240 ffffff7f"
    sounds, said = heard(whole(FIRST + slow + SECOND[2:] + END))
    assert ([at_ms for at_ms, _ in sounds], said) == ([0, 500, 2_500, 3_500], [PAUSE])


def test_what_comes_hours_after_the_last_note_is_left_out() -> None:
    sounds, said = heard(whole(FIRST + SECOND + "ffffff7f b04000" + END))
    assert (sounds, said) == (TWO, [TAIL])
    assert heard(whole(FIRST + SECOND + "ffffff7f ff2f00")) == (TWO, [TAIL])


def test_piece_of_more_than_a_day_plays_for_a_day() -> None:
    """The slowest tempo that there is; a note every five minutes."""
    events = "00ff5103ffffff" + "12 90407f" * 400
    sounds, said = heard(whole(events + END, head="4d546864 00000006 0000 0001 0001"))
    times = [at_ms for at_ms, message in sounds if message.startswith("9")]
    assert (len(times), "what comes after the first day is left out" in said) == (86_400_000 // 301_990, True)
    assert max(times) <= 86_400_000


def test_tracks_that_all_press_one_key_cost_no_more_than_others() -> None:
    """What each costs must not grow with how many hold the key."""
    track = b"MTrk\0\0\0\x0c\0\x90\x3c\x64\x60\x80\x3c\0\0\xff\x2f\0"
    sounds, _ = heard(bytes.fromhex("4d546864 00000006 0001 2710 01e0") + track * 10_000)
    assert (len(sounds), sounds[0], sounds[-1]) == (20_000, (0, "903c64"), (100, "803c00"))


def test_keys_that_are_never_released_last_as_long_in_the_file_that_others_get() -> None:
    facts, kept = read_midi(whole("00903c64" + "8360ff2f00"))
    assert (facts.duration_ms, read_midi(kept)[0].duration_ms) == (500, 500)


EARLY: Final = "releases of a track's last notes that follow its end event are taken"


@pytest.mark.parametrize("release", ["803c40", "903c00"])
@pytest.mark.parametrize("end", [END, ""])
def test_release_behind_an_end_that_is_too_early_counts(release: str, end: str) -> None:
    sounds, said = heard(whole("00903c64" + END + "836080" + "3c40" + end))
    assert (sounds, said) == (((0, "903c64"), (500, "803c40")), [EARLY])
    sounds, said = heard(whole("00903c64 00904064" + "60ff2f00" + f"8300 {release}" + end))
    assert sounds[2] == (500, release)
    assert said[0] == EARLY


@pytest.mark.parametrize("rest", ["00903c64", "0000", "8360803e40", "ffff", "00f9", "8360903c64"])
def test_what_is_no_release_of_a_held_key_behind_the_end_is_left_out(rest: str) -> None:
    sounds, said = heard(whole("00903c64 60ff2f00" + rest))
    assert sounds == ((0, "903c64"), (100, "803c00"))
    assert said[0] == "what follows a track's end event is left out"


EVENTS: Final = st.sampled_from(
    [FIRST, SECOND, END, "00f043f7", "00ff2100", "00ff210101", "00f9", "00b0ffff", "00ff51030000", "003c", "4d54726b",
     "4d54726b00000004", "00", "ff", "f0", "8360", "00f003010203", "4d546864", "00ff5900"]
)  # fmt: skip


@given(st.lists(EVENTS, max_size=12), st.integers(0, 60), st.sampled_from([0, 1, 2, 3]))
def test_file_that_comes_out_says_the_same_without_faults(events: list[str], length: int, kind: int) -> None:
    """Any file is read or refused; what is written anew is read as it was, and nothing is wrong with it."""
    content = whole("".join(events), head=f"4d546864 00000006 {kind:04x} 0001 01e0")
    for made in (content, with_length(content, length)):
        try:
            facts, kept = read_midi(made)
        except RefusedFile:
            continue
        again, same = read_midi(kept)
        hanging = tuple(line for line in again.remarks if "never ended" not in line)
        assert hanging == ()
        assert (again.notes, again.duration_ms) == (facts.notes, facts.duration_ms)
        assert heard(kept)[0] == heard(made)[0] == heard(same)[0]


@given(st.binary(max_size=120))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    for made in (content, bytes.fromhex(HEAD) + content, whole(content.hex())):
        try:
            sounds, _ = heard(made)
        except NotReadable:
            continue
        assert [at_ms for at_ms, _ in sounds] == sorted(at_ms for at_ms, _ in sounds)


def test_header_that_is_too_short_costs_no_track() -> None:
    file = parse(whole(FIRST + END, head="4d546864 00000004 0000 0001"))
    assert [event.seconds for event in in_time(file, with_drums=True)] == [0.0, 0.5]
    assert any("header" in warning for warning in file.warnings)

"""Files that lie about what they are, or ask for more than a file may: refused with the reason, and cheaply."""

import io
import zipfile

import pytest

from rhythmd.midi import track as limits
from rhythmd.midi.reader import read_performance
from rhythmd.sheets.formats import bounds
from rhythmd.sheets.formats.analysis import analyse
from rhythmd.sheets.formats.bounds import MAX_BYTES, RefusedFile
from rhythmd.sheets.formats.musicxml.container import MAX_UNPACKED
from tests.sheets.formats.midis import NOTE, midi, track
from tests.sheets.formats.reading import facts_of, refusal
from tests.sheets.formats.scores import CONTAINER, attributes, document, measures, mxl, note, sound

SCORE = document(measures(note("C4")))

LAUGHS = "".join(f'<!ENTITY lol{n} "{f"&lol{n - 1};" * 10}">' for n in range(1, 10))
XML = '<?xml version="1.0"?>\n'
BOMB = f'{XML}<!DOCTYPE x [<!ENTITY lol0 "lol">{LAUGHS}]>\n<score-partwise>&lol9;</score-partwise>'
QUADRATIC = f'{XML}<!DOCTYPE x [<!ENTITY a "{"a" * 50_000}">]>\n<score-partwise>{"&a;" * 50_000}</score-partwise>'
EXTERNAL = (
    '<?xml version="1.0"?>\n<!DOCTYPE score-partwise [<!ENTITY secret SYSTEM "file:///etc/passwd">]>\n'
    "<score-partwise><movement-title>&secret;</movement-title></score-partwise>"
)
PARAMETER = '<?xml version="1.0"?>\n<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x"> %p;]>\n<score-partwise/>'


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (BOMB, "line 2: the entity 'lol0' is declared, which no score needs"),
        (QUADRATIC, "line 2: the entity 'a' is declared, which no score needs"),
        (EXTERNAL, "line 2: the entity 'secret' is declared, which no score needs"),
        (PARAMETER, "line 2: the entity 'p' is declared, which no score needs"),
        ("<a>" * 100_000, "line 1: elements are nested more than 40 deep"),
        ("<score-partwise>" + "<a/>" * 30_000, "line 1: 'score-partwise' has too many elements"),
        ("<!DOCTYPE html>\n<html></html>", "line 2: this is XML, but no MusicXML score: its root is 'html'"),
        ("<score-partwise>\n<part", "line 2: this is no XML (unclosed token)"),
        (SCORE.replace("</part>", ""), "line 3: this is no XML (mismatched tag)"),
        (SCORE.replace("UTF-8", "klingon"), "line 1: this is no XML (unknown encoding: klingon)"),
        (SCORE.replace('<part id="P1">', '<part id="P9">'), "line 3: the part 'P9' is not in the part list"),
        ("<score-partwise/>", "it has no notes"),
    ],
    ids=lambda value: value[:30],
)
def test_documents(content: str, reason: str) -> None:
    assert refusal(content) == reason


@pytest.mark.parametrize(
    ("inside", "reason"),
    [
        (note("H4"), "line 3: unknown step 'H'"),
        (note("C4").replace("<duration>4</duration>", ""), "line 3: a note has no duration"),
        (note("C4").replace(">4</d", ">-4</d"), "line 3: a duration is negative"),
        (note("C4").replace(">4</d", ">1e9999999</d"), "line 3: a duration is '1e9999999', no number"),
        (note("C4").replace(">4</o", ">x</o"), "line 3: an octave is 'x', no whole number"),
        (note("C4").replace(">4</o", ">99</o"), "line 3: a note is outside MIDI's 128 keys"),
        ("<note><duration>4</duration></note>", "line 3: a note has neither pitch nor rest"),
        ("<backup></backup>", "line 3: a backup has no duration"),
        (sound('tempo="1e9"'), "line 3: a tempo is '1e9', no number"),
        (attributes("<key><fifths>44</fifths></key>"), "line 3: a key with 44 sharps is not supported"),
        (
            attributes("<time><beats>4</beats><beat-type>0</beat-type></time>"),
            "line 3: '4/0' is no time signature",
        ),
        (
            attributes("<time><beats>4</beats><beat-type>5</beat-type></time>"),
            "line 3: 4/5 is no time signature",
        ),
        ("<attributes><divisions>0</divisions></attributes>", "line 3: a quarter note has no divisions"),
        ('<barline><ending number="100" type="start"/></barline>', "line 3: the ending '100' is not of 1 to 99"),
        (
            '<barline><repeat direction="backward" times="9999999"/></barline>',
            "line 3: a section cannot be played '9999999' times, only 1 to 1,000",
        ),
        (note("C4", 400_000), "it lasts longer than 24 hours"),
    ],
    ids=lambda value: value[:40],
)
def test_contents_of_a_measure(inside: str, reason: str) -> None:
    bar = inside if "divisions" in inside else attributes() + inside
    if "lasts" in reason:
        bar = sound('tempo="4"') + bar
    assert refusal(document(f'<measure number="1">{bar}</measure>')) == reason


def zip_bomb() -> bytes:
    return mxl({"score.xml": b" " * (MAX_UNPACKED + 1)})


def many_files() -> bytes:
    return mxl({f"{number}.xml": "" for number in range(300)})


def encrypted() -> bytes:
    content = bytearray(mxl({"score.xml": SCORE}))
    central = content.rindex(b"PK\x01\x02")
    content[central + 8] |= 1
    content[content.index(b"PK\x03\x04", 10) + 6] |= 1
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (zip_bomb(), "the file 'score.xml' in the archive has more than 40,000,000 bytes"),
        (many_files(), "the archive has more than 200 files"),
        (mxl({"score.xml": mxl({"score.xml": SCORE})}), "the file 'score.xml' in the archive is an archive itself"),
        (mxl({"../score.xml": SCORE}), "the archive has a file '../score.xml', whose path leads out of it"),
        (mxl({"/etc/passwd": SCORE}), "the archive has a file '/etc/passwd', whose path leads out of it"),
        (mxl({"C:/score.xml": SCORE}), "the archive has a file 'C:/score.xml', whose path leads out of it"),
        (mxl({"a\\..\\b.xml": SCORE}), "the archive has a file 'a\\..\\b.xml', whose path leads out of it"),
        (mxl({"score.xml": SCORE}, ""), "this is a zip archive without META-INF/container.xml, so no MusicXML"),
        (mxl({"other.xml": SCORE}), "the archive has no file 'score.xml', which its container names"),
        (mxl({"score.xml": SCORE}, "<container/>"), "META-INF/container.xml names no MusicXML file"),
        (mxl({"score.xml": "<svg/>"}), "line 1: this is XML, but no MusicXML score: its root is 'svg'"),
        (mxl({"score.xml": BOMB}), "line 2: the entity 'lol0' is declared, which no score needs"),
        (mxl({"score.xml": SCORE}, BOMB), "line 2: the entity 'lol0' is declared, which no score needs"),
        (mxl({"score.xml": SCORE})[:-30], "this is no readable zip archive (File is not a zip file)"),
        (
            encrypted(),
            "the file 'score.xml' in the archive is encrypted",
        ),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_containers(content: bytes, reason: str) -> None:
    assert refusal(content) == reason


def test_container_whose_sizes_lie_is_refused() -> None:
    content = bytearray(mxl({"score.xml": b"x" * 1_000_000}))
    central = content.rindex(b"PK\x01\x02")
    content[central + 24 : central + 28] = (10).to_bytes(4, "little")
    assert refusal(bytes(content)).startswith(("this is no readable zip archive", "line 1: this is no XML"))


def test_container_with_an_unknown_compression_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("META-INF/container.xml", CONTAINER)
    content = bytearray(out.getvalue())
    content[8] = content[content.rindex(b"PK\x01\x02") + 10] = 77
    assert refusal(bytes(content)).startswith("this is no readable zip archive")


NO_FORMAT = "this is neither MIDI, MusicXML, ABC notation, multiplayer-piano text nor a Virtual Piano sheet"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "byte 7: this is neither MIDI, MusicXML nor text"),
        (b"\x1f\x8b\x08\x00\x00\x00", "byte 0: this is neither MIDI, MusicXML nor text"),
        (b"%PDF-1.7\n", f"{NO_FORMAT} (line 1: 'F' is no key of Virtual Piano)"),
        (b"GIF89a\x01\x00", "byte 6: this is neither MIDI, MusicXML nor text"),
        (b"\xff\xfet\x00u", "byte 4: this is no text in the encoding that its first bytes promise"),
        (b"a" * (MAX_BYTES + 1), "it has more than 5,242,880 bytes"),
        (b"   \n \t", "it has no notes"),
        (b"#!/bin/sh\nrm -rf /\n", f"{NO_FORMAT} (line 2: '/' is no key of Virtual Piano)"),
        (b"\nDear Sir, it is [not", f"{NO_FORMAT} (line 2: ',' is no key of Virtual Piano)"),
        (b"T:Tune\nM:4/4\nCDEF|\n", f"{NO_FORMAT} (line 1: ':' is no key of Virtual Piano)"),
        (b"asdf\nas,df\n", "line 2: ',' is no key of Virtual Piano"),
        (b"Title: Tune\nas,df\n", "line 2: ',' is no key of Virtual Piano"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_other_files(content: bytes, reason: str) -> None:
    assert refusal(content) == reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("\n" * 4_900_000 + "t", "it has more than 200,000 lines"),
        ("X:1\n" * 1_000_000, "it has more than 200,000 lines"),
        ("t" + " -" * 310_000, "line 1: the sheet has more than 300,000 steps"),
        ("X:1\nK:C\nC" + "| " * 200_000, "line 3: more than 100,000 notes, rests and bar lines are written"),
        ("X:1\nK:C\n" + "(3" * 2_400_000, "line 3: tuplets are nested more than 4 deep"),
        ("X:1\nK:C\n" + "{" * 4_900_000, "line 3: unknown character '{'"),
        ("X:1\nK:C\n" + "[" * 4_900_000, "line 3: unknown character '['"),
        ("X:1\nQ:" + "1/2222" * 800_000 + "\nK:C\nC", ""),
        ("X:1\nK:C\n" + "".join(f"[V:{number}]C|" for number in range(100)), "line 3: there are more than 64 voices"),
        ("X:1\nP:" + "(" * 100_000 + "\nK:C\nC", ""),
        ("X:1\nP:" + "(A99" * 20 + ")99" * 20 + "\nK:C\nC", "line 2: more than 500 parts are played"),
        (document("<measure/>" * 400_000), "it has more than 20,000 bars"),
        ("[" + ",".join(["[]"] * 100_000) + "]", "it has no notes"),
    ],
    ids=lambda value: value[:40],
)
def test_what_would_take_long_is_refused_early(content: str, reason: str) -> None:
    if reason:
        assert refusal(content) == reason
    else:
        assert facts_of(content).notes > 0


def test_many_notes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MAX_WRITTEN", 1_000)  # a hundredth of what takes seconds
    reason = "more than 1,000 notes, rests and bar lines are written"
    assert refusal("t" * 1_100) == f"line 1: {reason}"
    assert refusal("X:1\nK:C\n" + "C" * 1_100) == f"line 3: {reason}"
    assert refusal(document(measures(note("C4", 1) * 1_100))) == f"line 3: {reason}"


PEDALS = '<direction><direction-type><pedal type="change"/></direction-type></direction>' * 600


@pytest.mark.parametrize(
    ("content", "many"),
    [
        (midi(track(NOTE + b"\x00\xd0\x05" + b"\x00\x05" * 996), form=0), False),
        (midi(track(NOTE + b"\x00\xd0\x05" + b"\x00\x05" * 997), form=0), True),
        (midi(track(NOTE + b"\x00\xf0\x01\xf7" * 998), form=0), True),
        (midi(track(b"\x00\xff\x01\x00" * 600), track(NOTE + b"\x00\xb0\x40\x00" * 400)), True),
        ("t" * 501, True),
        (document(measures(PEDALS + note("C4"))), True),
        ("X:1\nL:1/4\nK:C\n" + "[Q:1/4=100] C [Q:1/4=90] C" * 300, True),
    ],
    ids=["as many as may be", "messages", "exclusive", "tracks", "notes", "pedals", "tempos"],
)  # fmt: skip
def test_more_events_than_a_room_plays_are_refused(
    monkeypatch: pytest.MonkeyPatch, content: bytes | str, many: bool
) -> None:
    monkeypatch.setattr(bounds, "MAX_EVENTS", 1_000)  # a thousandth of what takes seconds
    monkeypatch.setattr(limits, "MOST_EVENTS", 1_000)
    out = io.BytesIO()
    source = io.BytesIO(content.encode() if isinstance(content, str) else content)
    if many:
        with pytest.raises(RefusedFile, match="more than 1,000 MIDI events of any kind, which no room plays"):
            analyse(source, out)
    else:
        analyse(source, out)
        assert read_performance(out.getvalue()).duration_ms > 0


@pytest.mark.parametrize(
    "content",
    [
        midi(track(NOTE, end=b"\xff\xff\xff\x7f\xff\x2f\x00")),
        midi(track(NOTE + b"\xff\xff\xff\x7f\xb0\x40\x00")),
        midi(track(b"\xff\xff\xff\x7f\xff\x01\x00"), track()),
        midi(track(b"\xff\xff\xff\x7f\xff\x51\x03\x07\xa1\x20"), track()),
    ],
    ids=["end of the track", "pedal", "another track", "tempo"],
)
def test_silence_of_more_than_a_day_behind_the_music_is_left_out(content: bytes) -> None:
    out = io.BytesIO()
    facts = analyse(io.BytesIO(content), out)
    assert (facts.duration_ms, len(facts.remarks)) == (500, 1)
    assert out.getvalue().endswith(track())


def test_silence_of_more_than_a_day_in_a_score_is_refused() -> None:
    assert (
        refusal("X:1\nM:4/4\nL:1/4\nQ:1/4=4\nK:C\nC|" + "Z199|" * 8 + "[Q:1/4=5] z|") == "it lasts longer than 24 hours"
    )

"""MusicXML: the notes, their times and loudness, tempo, facts, and the two forms of a document."""

import pytest

from rhythmd.rows import ScoreFacts, SheetCategory
from tests.sheets.formats.reading import Music, facts_of, hear, listen
from tests.sheets.formats.scores import attributes, document, measures, mxl, note, part, rest, sound, words


def velocities(content: str) -> list[int]:
    return [heard.velocity for track in hear(content).tracks for heard in track]


def dynamics(name: str) -> str:
    return f"<direction><direction-type><dynamics><{name}/></dynamics></direction-type></direction>"


def metronome(per_minute: int) -> str:
    mark = f"<metronome><beat-unit>quarter</beat-unit><per-minute>{per_minute}</per-minute></metronome>"
    return f"<direction><direction-type>{mark}</direction-type></direction>"


def wedge(kind: str) -> str:
    return f'<direction><direction-type><wedge type="{kind}"/></direction-type></direction>'


def notations(inside: str) -> str:
    return f"<notations>{inside}</notations>"


TIE_ON = '<tie type="start"/>'
TIE_BACK = '<tie type="stop"/>'
CHORD = "<chord/>"
GRACE = "<grace/>"


def test_notes_rests_and_chords_sound_in_their_time() -> None:
    content = document(measures(note("C4") + rest() + note("E4", 8) + note("G#4", 8, CHORD), note("Bb3", 2)))
    assert hear(content).melody == "0 C4 1, 2 E4 2, 2 G#4 2, 4 A#3 0.5"


def test_facts_are_read() -> None:
    head = (
        "<work><work-title> Träumerei </work-title></work><movement-title>7</movement-title>"
        '<identification><creator type="composer">R. Schumann</creator></identification>'
    )
    first = attributes(
        "<key><fifths>-1</fifths><mode>major</mode></key><time><beats>6</beats><beat-type>8</beat-type></time>"
    )
    content = document(measures(first + sound('tempo="66.5"') + note("C4", 12)), measures(note("C3", 12)), head=head)
    assert facts_of(content) == ScoreFacts(
        category=SheetCategory.MUSICXML,
        title="Träumerei",
        composer="R. Schumann",
        tempo=66.5,
        key="F major",
        time_signature="6/8",
        duration_ms=2707,
        notes=2,
        parts=2,
    )


def test_title_may_be_that_of_the_movement_or_the_page() -> None:
    music = measures(note("C4"))
    assert facts_of(document(music, head="<movement-title>Air</movement-title>")).title == "Air"
    credit = "<credit><credit-type>title</credit-type><credit-words>Sarabande</credit-words></credit>"
    assert facts_of(document(music, head=credit)).title == "Sarabande"
    assert facts_of(document(music)).title == ""


def test_key_without_a_mode_has_no_name() -> None:
    assert facts_of(document(measures(attributes("<key><fifths>2</fifths></key>") + note("C4")))).key == ""


@pytest.mark.parametrize(
    ("fifths", "mode", "name"),
    [(-3, "minor", "C minor"), (-6, "major", "G-flat major"), (4, "minor", "C-sharp minor"), (0, "dorian", "D dorian")],
)
def test_key_is_named(fifths: int, mode: str, name: str) -> None:
    key = f"<key><fifths>{fifths}</fifths><mode>{mode}</mode></key>"
    assert facts_of(document(measures(attributes(key) + note("C4")))).key == name


def test_tied_notes_are_one() -> None:
    content = document(measures(note("C4", 16, after=TIE_ON), note("C4", 4, after=TIE_BACK) + note("C4", 4)))
    assert hear(content).melody == "0 C4 5, 5 C4 1"


def test_tie_within_a_chord_joins_one_note_only() -> None:
    content = document(measures(note("C4", 4, after=TIE_ON) + note("E4", 4, CHORD) + note("C4", 4, after=TIE_BACK)))
    assert hear(content).melody == "0 E4 1, 0 C4 2"


def test_tie_that_nothing_follows_is_a_note() -> None:
    assert hear(document(measures(note("C4", 4, after=TIE_ON) + rest() + note("C4", 4, after=TIE_BACK)))).melody == (
        "0 C4 1, 2 C4 1"
    )


def test_triplet_fills_its_time_exactly() -> None:
    triplet = attributes().replace("4", "3") + note("C4", 1) + note("D4", 1) + note("E4", 1)
    assert hear(document(measures(triplet + note("F4", 3)))).melody == (
        "0 C4 0.333, 0.333 D4 0.333, 0.667 E4 0.333, 1 F4 1"
    )


def test_voices_and_staves_are_read_beside_each_other() -> None:
    upper = note("C5", 8, after="<voice>1</voice><staff>1</staff>")
    inner = note("E4", 4, after="<voice>2</voice><staff>1</staff>")
    lower = note("C3", 8, after="<voice>3</voice><staff>2</staff>")
    back = "<backup><duration>8</duration></backup>"
    forward = "<forward><duration>4</duration></forward>"
    facts, music = listen(document(measures(upper + back + forward + inner + back + lower)))
    assert [Music.line(track) for track in music.tracks] == ["0 C5 2, 1 E4 1", "0 C3 2"]
    assert facts.parts == 2


def test_unison_of_two_voices_is_one_note_of_the_longer_one() -> None:
    content = document(measures(note("C4", 4) + "<backup><duration>4</duration></backup>" + note("C4", 8)))
    assert hear(content).melody == "0 C4 2"


def test_grace_notes_come_before_the_beat() -> None:
    content = document(measures(note("C4") + note("E4", 0, GRACE) + note("F4", 0, GRACE) + note("G4")))
    assert hear(content).melody == "0 C4 1, 0.75 E4 0.125, 0.875 F4 0.125, 1 G4 1"


def test_grace_notes_at_the_beginning_take_from_the_first_note() -> None:
    assert hear(document(measures(note("E4", 0, GRACE) + note("G4")))).melody == "0 E4 0.125, 0.125 G4 0.875"


def test_grace_notes_after_a_trill_end_their_bar() -> None:
    content = document(measures(note("G4") + note("F4", 0, GRACE), note("E4")))
    assert hear(content).melody == "0 G4 1, 0.875 F4 0.125, 1 E4 1"


def test_cue_notes_do_not_sound() -> None:
    assert hear(document(measures(note("C4", 4, "<cue/>") + note("E4")))).melody == "1 E4 1"


def test_transposing_instrument_sounds_as_it_does() -> None:
    clarinet = "<key><fifths>2</fifths><mode>major</mode></key><transpose><chromatic>-2</chromatic></transpose>"
    octave = "<transpose><chromatic>0</chromatic><octave-change>-1</octave-change></transpose>"
    facts, music = listen(
        document(measures(attributes(clarinet) + note("D4")), measures(attributes(octave) + note("C4")))
    )
    assert [Music.line(track) for track in music.tracks] == ["0 C4 1", "0 C3 1"]
    assert facts.key == "C major"


def test_pickup_bar_is_as_long_as_its_notes() -> None:
    time = attributes("<time><beats>4</beats><beat-type>4</beat-type></time>")
    assert hear(document(measures(time + note("G4"), note("C5", 16), note("D5")))).melody == "0 G4 1, 1 C5 4, 5 D5 1"


def test_rests_of_a_wrong_length_do_not_stretch_the_bar() -> None:
    music = hear(document(measures(note("C4", 8), note("D4", 8)), measures(rest(16), note("E4", 8))))
    assert [Music.line(track) for track in music.tracks] == ["0 C4 2, 2 D4 2", "2 E4 2"]


def test_bar_of_rests_lasts_as_long_as_they_do() -> None:
    assert hear(document(measures(rest(12), note("E4")))).melody == "3 E4 1"


def test_bar_with_nothing_lasts_as_its_metre_says() -> None:
    time = attributes("<time><beats>3</beats><beat-type>4</beat-type></time>")
    assert hear(document(measures(time, note("E4")))).melody == "3 E4 1"


def test_tempo_of_a_sound_a_metronome_and_words() -> None:
    metronome = (
        "<direction><direction-type><metronome><beat-unit>quarter</beat-unit><beat-unit-dot/>"
        "<per-minute>c. 60</per-minute></metronome></direction-type></direction>"
    )
    content = document(
        measures(sound('tempo="100"') + note("C4"), metronome + note("C4"), words("Adagio") + note("C4"))
    )
    facts, music = listen(content)
    assert music.tempos == [(0, 100), (1, 90), (2, 70)]
    assert facts.tempo == 100
    assert facts.duration_ms == round(60_000 / 100 + 60_000 / 90 + 60_000 / 70)


def test_number_is_better_than_words_at_the_same_place() -> None:
    allegro = words("Allegro") + note("C4")
    assert hear(document(measures(allegro), measures(sound('tempo="150"') + note("C4")))).tempos == [(0, 150)]


def test_last_tempo_at_one_place_counts() -> None:
    two = sound('tempo="150"') + sound('tempo="60"') + note("C4", 16)
    at_the_bar_line = sound('tempo="80"') + note("C4", 16)
    facts, music = listen(document(measures(two + sound('tempo="100"'), at_the_bar_line)))
    assert (facts.tempo, facts.duration_ms, music.tempos) == (60, 7_000, [(0, 60), (4, 80)])


def test_score_without_a_tempo_is_played_at_120() -> None:
    facts, music = listen(document(measures(note("C4"))))
    assert (music.tempos, facts.tempo, facts.duration_ms) == ([], 0, 500)


def test_dynamics_and_accents_are_velocities() -> None:
    accent = notations("<articulations><accent/></articulations>")
    content = document(
        measures(note("C4") + dynamics("pp") + note("D4") + dynamics("ff") + note("E4") + note("F4", after=accent))
    )
    assert velocities(content) == [80, 33, 112, 127]


def test_hairpin_leads_from_one_dynamic_to_the_next() -> None:
    soft, loud = (
        dynamics("p") + wedge("crescendo") + note("C4") + note("D4"),
        wedge("stop") + dynamics("f") + note("E4"),
    )
    assert velocities(document(measures(soft + loud))) == [49, 72, 96]


def test_sforzato_is_for_its_note_only() -> None:
    assert velocities(document(measures(dynamics("p") + note("C4") + dynamics("sfz") + note("D4") + note("E4")))) == [
        49,
        77,
        49,
    ]


def test_staccato_is_half_as_long() -> None:
    staccato = notations("<articulations><staccato/></articulations>")
    assert hear(document(measures(note("C4", after=staccato) + note("D4")))).melody == "0 C4 0.5, 1 D4 1"


def test_pedal_is_controller_64() -> None:
    down, up = (
        f'<direction><direction-type><pedal type="{kind}"/></direction-type></direction>' for kind in ("start", "stop")
    )
    music = hear(document(measures(down + note("C4", 8) + up + note("D4"))))
    values = [(message.control, message.value) for message in music.file.tracks[1] if message.type == "control_change"]
    assert values == [(64, 127), (64, 0)]


def test_drums_are_on_channel_10_with_their_sounds() -> None:
    listed = (
        '<score-part id="P1"><part-name>Drums</part-name><score-instrument id="I1"/>'
        '<midi-instrument id="I1"><midi-channel>10</midi-channel><midi-unpitched>39</midi-unpitched></midi-instrument>'
        "</score-part>"
    )
    unpitched = '<note><unpitched/><duration>4</duration><instrument id="I1"/></note>'
    music = hear(document(measures(unpitched), listed=listed))
    assert [(message.channel, message.note) for message in music.file.tracks[1] if message.type == "note_on"] == [
        (9, 38)
    ]


def test_program_is_that_of_the_part_list() -> None:
    listed = (
        '<score-part id="P1"><part-name>Flute</part-name><midi-instrument id="I1"><midi-program>74</midi-program>'
        "</midi-instrument></score-part>"
    )
    music = hear(document(measures(note("C4")), listed=listed))
    assert [message.program for message in music.file.tracks[1] if message.type == "program_change"] == [73]


TEMPO_REMARK = "tempos that are not between 4 and 5000 quarters a minute (1)"
DYNAMICS_REMARK = "dynamics that are not between 0 and 1,000 per cent of forte (1)"


@pytest.mark.parametrize(
    ("direction", "remark"),
    [
        (sound('tempo="0"'), TEMPO_REMARK),
        (sound('tempo="-120"'), TEMPO_REMARK),
        ('<sound tempo="999999"/>', TEMPO_REMARK),
        (metronome(99_999), TEMPO_REMARK),
        (metronome(0), "metronome marks without a number (1)"),
        (sound('dynamics="-10"'), DYNAMICS_REMARK),
        (sound('dynamics="999999"'), DYNAMICS_REMARK),
    ],
    ids=lambda value: value[-60:],
)
def test_values_that_make_no_sense_are_left_out(direction: str, remark: str) -> None:
    plain = measures(sound('tempo="100" dynamics="50"') + note("C4"))
    content = document(measures(sound('tempo="100" dynamics="50"') + direction + note("C4")))
    facts, music = listen(content)
    assert (facts.tempo, facts.remarks) == (100, (remark,))
    assert music.tracks == hear(document(plain)).tracks


def test_metronome_counts_where_the_sound_beside_it_makes_no_sense() -> None:
    both = metronome(90).replace("</direction>", '<sound tempo="0"/></direction>')
    assert hear(document(measures(both + note("C4")))).tempos == [(0, 90)]


def test_what_does_not_sound_is_counted_in_remarks() -> None:
    trill = notations("<ornaments><trill-mark/></ornaments><fermata/>")
    content = document(measures(note("C4", after=trill) + note("C4", after=trill) + words("poco rit.")))
    assert facts_of(content).remarks == (
        "fermatas last no longer than written (2)",
        "gradual changes of tempo (1)",
        "ornaments are played as plain notes (2)",
    )


def test_timewise_score_is_read_like_a_partwise_one() -> None:
    first, second = attributes() + note("C4"), note("D4")
    bass = attributes() + note("C3", 8)
    timewise = document(measures("x"), measures("x"))
    head = timewise[: timewise.index('<part id="P1">')].replace("partwise", "timewise")
    body = (
        f'<measure number="1">{part(first)}{part(bass, "P2")}</measure>'
        f'<measure number="2">{part(second)}{part(rest(), "P2")}</measure></score-timewise>'
    )
    partwise = document(measures(first, second), measures(bass, rest()))
    assert hear(head + body).tracks == hear(partwise).tracks


def test_container_is_opened() -> None:
    content = document(measures(note("C4")))
    assert listen(mxl({"score.xml": content}))[0] == facts_of(content)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "iso-8859-1", "utf-8-sig"])
def test_other_encodings_are_read(encoding: str) -> None:
    name = encoding.removesuffix("-le").removesuffix("-be").removesuffix("-sig")
    content = document(measures(note("C4")), head="<movement-title>Für</movement-title>").replace("UTF-8", name.upper())
    data = content.encode(encoding)
    if encoding in ("utf-16-le", "utf-16-be"):
        data = "\ufeff".encode(encoding) + data
    assert facts_of(data).title == "Für"

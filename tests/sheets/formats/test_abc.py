"""ABC notation: notes, lengths, accidentals, voices, fields, order, and refusals."""

import pytest

from rhythmd.rows import ScoreFacts, SheetCategory
from tests.sheets.formats.reading import Music, facts_of, hear, listen, refusal


def tune(music: str, key: str = "C", fields: str = "L:1/4\n") -> str:
    return f"X:1\n{fields}K:{key}\n{music}\n"


def melody(music: str, key: str = "C", fields: str = "L:1/4\n") -> str:
    return hear(tune(music, key, fields)).melody


def names(music: str, key: str = "C", fields: str = "L:1/4\n") -> str:
    [track] = hear(tune(music, key, fields)).tracks
    return " ".join(heard.name for heard in track)


def velocities(music: str) -> list[int]:
    return [heard.velocity for track in hear(tune(music)).tracks for heard in track]


def test_facts_are_read() -> None:
    text = (
        "X:3\nT:Für Elise % a comment\nT:again\nC:Beethoven\nM:3/8\nL:1/16\nQ:3/8=40\nK:Am\nE ^D | E^DEB,=DC | A,6 |]\n"
    )
    assert facts_of(text) == ScoreFacts(
        category=SheetCategory.ABC,
        title="Für Elise",
        composer="Beethoven",
        tempo=60.0,
        key="A minor",
        time_signature="3/8",
        duration_ms=3500,
        notes=9,
        parts=1,
    )


def test_octaves_and_lengths() -> None:
    assert melody("C, C c c' | C2 C/ C// C3/2 | C/4") == (
        "0 C3 1, 1 C4 1, 2 C5 1, 3 C6 1, 4 C4 2, 6 C4 0.5, 6.5 C4 0.25, 6.75 C4 1.5, 8.25 C4 0.25"
    )


def test_rests_and_rests_of_whole_bars() -> None:
    assert melody("C z x E | Z2 | G", fields="M:2/4\nL:1/4\n") == "0 C4 1, 3 E4 1, 8 G4 1"


def test_unit_length_follows_from_the_metre() -> None:
    assert melody("C", fields="M:2/4\n") == "0 C4 0.25"
    assert melody("C", fields="M:3/4\n") == "0 C4 0.5"
    assert melody("C", fields="") == "0 C4 0.5"


def test_signature_and_accidentals_until_the_bar_line() -> None:
    assert names("F ^C C c | C =F F | F", "G") == "F#4 C#4 C#4 C#5 C4 F4 F4 F#4"


@pytest.mark.parametrize(
    ("key", "heard"),
    [
        ("Dm", "B♭"), ("D dorian", "B"), ("Amix", "B"), ("Eb", "B♭"), ("F#m", "B"), ("none", "B"), ("C exp _B", "B♭"),
        ("Bb clef=bass", "B♭"), ("Gm", "B♭"), ("", "B"),
    ],
)  # fmt: skip
def test_keys(key: str, heard: str) -> None:
    assert names("B", key) == {"B": "B4", "B♭": "A#4"}[heard]


def test_key_is_named() -> None:
    assert [facts_of(tune("C", key)).key for key in ("Ador", "Ebm", "none", "G clef=bass")] == [
        "A dorian", "E-flat minor", "", "G major",
    ]  # fmt: skip


def test_chord_has_the_length_of_its_first_note() -> None:
    assert melody("[CE2G]2 c") == "0 C4 2, 0 G4 2, 0 E4 4, 2 C5 1"


def test_ties_join_notes_and_keep_the_accidental() -> None:
    assert melody("C-C | ^F-|F F") == "0 C4 2, 2 F#4 2, 4 F4 1"
    assert melody("[C-E] [CE]") == "0 E4 1, 0 C4 2, 1 E4 1"


def test_slur_that_is_written_like_a_tie_joins_nothing() -> None:
    assert melody("C-D") == "0 C4 1, 1 D4 1"


def test_tuplets() -> None:
    assert melody("(3CDE F") == "0 C4 0.667, 0.667 D4 0.667, 1.333 E4 0.667, 2 F4 1"
    assert melody("(3:2:2C2D E") == "0 C4 1.333, 1.333 D4 0.667, 2 E4 1"
    assert melody("(2CD E", fields="M:6/8\nL:1/8\n") == "0 C4 0.75, 0.75 D4 0.75, 1.5 E4 0.5"
    assert melody("(5CDEFG A", fields="M:6/8\nL:1/8\n").endswith("1.5 A4 0.5")


def test_broken_rhythm() -> None:
    assert melody("C>D E<F G>>A") == "0 C4 1.5, 1.5 D4 0.5, 2 E4 0.5, 2.5 F4 1.5, 4 G4 1.75, 5.75 A4 0.25"


def test_grace_notes_come_before_the_beat() -> None:
    assert melody("C {/EF}G") == "0 C4 1, 0.75 E4 0.125, 0.875 F4 0.125, 1 G4 1"


def test_repeats_and_endings() -> None:
    assert names("|: C | D :| E |]") == "C4 D4 C4 D4 E4"
    assert names("C :: D :|") == "C4 C4 D4 D4"
    assert names("|: C |1 D :|2 E || F |]") == "C4 D4 C4 E4 F4"
    assert names("|: C |[1,3 D :|[2 E :| F") == "C4 D4 C4 E4 C4 D4 F4"
    assert names("C :| D :|") == "C4 C4 D4 D4"
    assert names("|:: C ::|") == "C4 C4 C4"


def test_jumps() -> None:
    assert names("C | !segno! D !fine! | E !D.S.! |]") == "C4 D4 E4 D4"
    assert names("C | D !fine! | E !D.C.alfine! |]") == "C4 D4 E4 C4 D4"
    assert names("C | D !dacoda! | E !D.C.! | !coda! F |]") == "C4 D4 E4 C4 D4 F4"


def test_order_of_parts() -> None:
    fields = "P:A(AB)2\nL:1/4\n"
    assert names("P:A\nC | D |\nP:B\nE |", fields=fields) == "C4 D4 C4 D4 E4 C4 D4 E4"


def test_voices_are_tracks() -> None:
    music = hear(tune('V:1 name="Flute"\nc2 | d2\nV:2\nC,2 | D,2\n[V:1] e2 | [V:2] E,2 |'))
    assert [Music.line(track) for track in music.tracks] == [
        "0 C5 2, 2 D5 2, 4 E5 2",
        "0 C3 2, 2 D3 2, 4 E3 2",
    ]
    assert [track.name for track in music.file.tracks[1:]] == ["Flute", "Piano"]


def test_octave_and_transposition_of_a_voice() -> None:
    assert names("C", "C octave=-1") == "C3"
    assert names("C", "C transpose=-2") == "A#3"
    assert names("C", "C clef=treble-8") == "C3"
    assert names("V:1 octave=1\nC") == "C5"


def test_overlay_sounds_at_the_same_time() -> None:
    assert melody("c2 & E F | G2") == "0 E4 1, 0 C5 2, 1 F4 1, 2 G4 2"


def test_ties_go_on_in_the_same_line_of_an_overlay() -> None:
    assert melody("C4- & E2 G2- | C4 & G4 |") == "0 E4 2, 0 C4 8, 2 G4 6"
    assert melody("^C2- & E2- & G2- | C2 & E2 & G2") == "0 C#4 4, 0 E4 4, 0 G4 4"
    assert melody("C2- & z E- | C2 & z E |") == "0 C4 4, 1 E4 1, 3 E4 1"
    assert melody("C2 & ^G2- | C2 | C2 & G2") == "0 C4 2, 0 G#4 2, 2 C4 2, 4 C4 2, 4 G4 2"


@pytest.mark.parametrize("field", ["bass", "clef=bass", "treble", "alto4", "middle=d", "stafflines=1", "style=rhythm"])
def test_clef_in_the_music_keeps_the_key(field: str) -> None:
    for music in (f"F [K:{field}] F | F", f"F\nK:{field}\nF | F"):
        heard = hear(tune(music, "D"))
        assert [note.name for note in heard.tracks[0]] == ["F#4", "F#4", "F#4"]
        assert [message.key for message in heard.file.tracks[0] if message.type == "key_signature"] == ["D"]


def test_octave_and_transposition_in_the_music_keep_the_key() -> None:
    assert names("F [K:octave=-1] F | F [K:transpose=12] F", "D") == "F#4 F#3 F#3 F#5"
    assert names("F [K:treble-8] F", "D") == "F#4 F#3"
    assert names("F [K:C clef=bass] F | [K:none] F", "D") == "F#4 F4 F4"
    assert names("F [K:bass ^c] CF", "D") == "F#4 C#4 F4"


def test_inline_fields_change_key_metre_length_and_tempo() -> None:
    music = hear(tune("F [K:G] F | [L:1/8] F [Q:1/4=60] F", fields="Q:1/4=120\nL:1/4\n"))
    assert music.melody == "0 F4 1, 1 F#4 1, 2 F#4 0.5, 2.5 F#4 0.5"
    assert music.tempos == [(0, 120), (2.5, 60)]


@pytest.mark.parametrize("music", ["[Q:1/4=60] C D", "Q:1/4=60\nC D", "[Q:1/4=90] [Q:1/4=60] C D"])
def test_last_tempo_at_one_place_counts(music: str) -> None:
    facts, heard = listen(tune(music, fields="Q:1/4=120\nL:1/4\n"))
    assert (facts.tempo, facts.duration_ms, heard.tempos) == (60, 2_000, [(0, 60)])


@pytest.mark.parametrize(
    ("tempo", "quarters"),
    [
        ("1/4=90", 90),
        ("3/8=60", 90),
        ("1/8 1/8=60", 60),
        ("120", 120),
        ('"Andante"', 84),
        ('"fast" 1/2=60', 120),
        ("?", 0),
    ],
)
def test_tempo(tempo: str, quarters: float) -> None:
    assert facts_of(tune("C", fields=f"L:1/4\nQ:{tempo}\n")).tempo == quarters


def test_dynamics_accents_and_hairpins() -> None:
    assert velocities("!pp!C !ff!D LE | !p!F !<(!G A !<)!!f!B") == [33, 112, 127, 49, 49, 72, 96]


def test_staccato_is_half_as_long() -> None:
    assert melody(".C D") == "0 C4 0.5, 1 D4 1"


def test_lyrics_comments_and_directives_are_no_music() -> None:
    music = "%%begintext\nno music\n%%endtext\nC D % E\nw: la la\n%%staves 1\nE\\\nF"
    assert names(music) == "C4 D4 E4 F4"


def test_program_is_that_of_the_directive() -> None:
    music = hear("X:1\n%%MIDI program 73\nL:1/4\nK:C\nC\n")
    assert [message.program for message in music.file.tracks[1] if message.type == "program_change"] == [73]


def test_first_tune_of_a_book_is_taken() -> None:
    facts = facts_of("X:1\nT:One\nK:C\nC\n\nX:2\nT:Two\nK:C\nD E\n")
    assert (facts.title, facts.notes, facts.remarks) == ("One", 1, ("tunes after the first one (1)",))


def test_what_does_not_sound_is_counted_in_remarks() -> None:
    assert facts_of(tune('"Am"TC HD "^above"E k F')).remarks == (
        "chord symbols (1)",
        "fermatas last no longer than written (1)",
        "letters that no U: defines (1)",
        "ornaments are played as plain notes (1)",
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (tune("C D\nE , F"), "line 5: unknown character ','"),
        (tune("C D\nE ñ F"), "line 5: unknown character 'ñ'"),
        (tune("C } D"), "line 4: unknown character '}'"),
        (tune("C [Cq9E]"), "line 4: unknown character '9'"),
        (tune("[]"), "line 4: a chord has no notes"),
        (tune("C0"), "line 4: '0' is no length"),
        (tune("C1/0"), "line 4: '1/0' is no length"),
        (tune("> C"), "line 4: '>' is no broken rhythm between two notes"),
        (tune("(0C"), "line 4: '(0' is no tuplet"),
        (tune("C,,,,,,"), "line 4: a note is outside MIDI's 128 keys"),
        (tune("|1234 C"), "line 4: the ending '1234' is not of 1 to 99"),
        (tune("Z999"), "line 4: a rest of 999 bars is not of 1 to 200"),
        (tune("C", "H"), "line 3: 'H' is no key"),
        (tune("C", "Cfoo"), "line 3: 'Cfoo' is no key"),
        (tune("C", fields="M:3/5\n"), "line 2: '3/5' is no metre"),
        (tune("C", fields="L:fast\n"), "line 2: 'fast' is no note length"),
        (tune("C", fields="Q:1/4=9999\n"), "line 2: a tempo of 9999 quarters a minute is not between 4 and 5000"),
        ("X:1\nT:No key\nC D E\n", "line 3: 'C D E' stands before the tune's key (K:)"),
        ("X:1\nT:No key\n", "line 2: the tune has no key (K:), with which its music begins"),
        (tune("z4"), "it has no notes"),
    ],
)
def test_what_is_no_tune_is_refused(text: str, reason: str) -> None:
    assert refusal(text) == reason

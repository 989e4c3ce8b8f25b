"""Virtual Piano sheets: keys, chords, timing, headers and refusals."""

import pytest

from rhythmd.rows import ScoreFacts, SheetCategory
from tests.sheets.formats.reading import facts_of, hear, refusal


def test_first_and_last_key_are_c2_and_c7() -> None:
    assert hear("1 m").melody == "0 C2 0.5, 0.5 C7 0.5"


def test_shifted_symbols_and_capitals_are_black_keys() -> None:
    assert hear("!(TB").melody == "0 C#2 0.25, 0.25 D#3 0.25, 0.5 C#4 0.25, 0.75 A#6 0.5"


def test_keys_without_spaces_run_in_sixteenths() -> None:
    assert hear("tyu i o").melody == "0 C4 0.25, 0.25 D4 0.25, 0.5 E4 0.5, 1 F4 0.5, 1.5 G4 0.5"


def test_keys_in_brackets_sound_together() -> None:
    assert hear("[tuo] p").melody == "0 C4 0.5, 0 E4 0.5, 0 G4 0.5, 0.5 A4 0.5"


def test_spaced_keys_in_brackets_run_in_32nds() -> None:
    assert hear("[t u o]p").melody == "0 C4 0.125, 0.125 E4 0.125, 0.25 G4 0.125, 0.375 A4 0.5"


def test_bar_is_a_rest_and_dash_makes_longer() -> None:
    assert hear("t|u--o").melody == "0 C4 0.25, 0.75 E4 0.75, 1.5 G4 0.5"


def test_space_after_a_rest_makes_no_note_longer() -> None:
    assert hear("t | u").melody == "0 C4 0.5, 1.25 E4 0.5"


def test_line_end_counts_as_a_space() -> None:
    assert hear("t\nu").melody == hear("t u").melody == hear("t \r\n\r\nu").melody


def test_lines_at_the_top_say_title_artist_tempo_and_transposition() -> None:
    text = "Title: Für Elise\nArtist: L. van Beethoven\nTempo: 90\nTranspose: -12\n# a comment\n\nt u\n"
    assert facts_of(text) == ScoreFacts(
        category=SheetCategory.VIRTUAL_PIANO,
        title="Für Elise",
        composer="L. van Beethoven",
        tempo=90.0,
        duration_ms=667,
        notes=2,
        parts=1,
        remarks=("the format has no lengths of notes: they follow from the spaces",),
    )
    assert hear(text).melody == "0 C3 0.5, 0.5 E3 0.5"
    assert hear(text).tempos == [(0, 90)]


def test_sheet_without_tempo_is_played_at_120_and_has_no_tempo() -> None:
    assert hear("t").tempos == [(0, 120)]
    assert facts_of("t").tempo == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("t u\no R", "line 2: 'R' is no key of Virtual Piano"),
        ("t\n\n[tuo", "line 3: the chord '[tuo' has no end"),
        ("t []", "line 1: a chord has no keys"),
        ("Tempo: fast\nt", "line 1: 'fast' is no number"),
        ("Tempo: 9999\nt", "line 1: a tempo of 9999 quarters a minute is not between 4 and 5000"),
        ("Transpose: 32\nt", "line 1: 32 is no transposition of -31 to 31 semitones"),
        ("Title: nothing else", "it has no notes"),
        ("| | |", "it has no notes"),
        ("# only a comment", "it has no notes"),
        ("Artist: me\nDear Sir, I write", "line 2: ',' is no key of Virtual Piano"),
    ],
)
def test_what_is_no_sheet_is_refused(text: str, reason: str) -> None:
    assert refusal(text) == reason

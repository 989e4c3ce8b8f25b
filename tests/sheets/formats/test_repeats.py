"""The order in which bars are played: repeats, endings, jumps, in MusicXML and ABC alike."""

from contextlib import suppress

import pytest

from rhythmd.sheets.formats.bounds import RefusedFile
from rhythmd.sheets.formats.score import Bar
from rhythmd.sheets.formats.unrolling import MAX_BARS, play_order
from tests.sheets.formats.reading import hear, refusal
from tests.sheets.formats.scores import document, measures, note, sound, words

START = '<barline location="left"><repeat direction="forward"/></barline>'
END = '<barline location="right"><repeat direction="backward"/></barline>'


def ending(numbers: str, kind: str, repeats: bool = False) -> str:
    repeat = '<repeat direction="backward"/>' if repeats else ""
    return f'<barline><ending number="{numbers}" type="{kind}"/>{repeat}</barline>'


def played(*contents: str) -> str:
    """The names of the notes of measures that have one each, A to G."""
    bars = [content.replace("{A}", note("A4")).replace("{B}", note("B4")) for content in contents]
    for letter in "CDEFG":
        bars = [bar.replace(f"{{{letter}}}", note(f"{letter}4")) for bar in bars]
    [track] = hear(document(measures(*bars))).tracks
    return "".join(heard.name[0] for heard in track)


@pytest.mark.parametrize(
    ("bars", "order"),
    [
        (["{A}", "{B}", "{C}"], "ABC"),
        (["{A}" + END, "{B}"], "AAB"),
        (["{A}", START + "{B}", "{C}" + END, "{D}"], "ABCBCD"),
        (["{A}" + END, "{B}" + END, "{C}"], "AABBC"),
        (["{A}" + END.replace("/></b", ' times="4"/></b'), "{B}"], "AAAAB"),
        (
            ["{A}", ending("1", "start") + "{B}" + ending("1", "stop", True), ending("2", "start") + "{C}", "{D}"],
            "ABACD",
        ),
        (
            [
                START + "{A}",
                ending("1, 2", "start") + "{B}" + ending("1, 2", "stop", True),
                ending("3", "start") + "{C}" + ending("3", "stop"),
                "{D}",
            ],
            "ABABACD",
        ),
        (["{A}", ending("1", "start") + "{B}" + ending("1", "stop", True), "{C}"], "ABAC"),
        (["{A}", "{B}" + sound('fine="yes"'), "{C}" + sound('dacapo="yes"')], "ABCAB"),
        (["{A}" + END, "{B}" + words("Fine"), "{C}" + words("D.C. al Fine")], "AABCAB"),
        (
            [
                "{A}", "{B}" + sound('segno="s"'), "{C}" + sound('tocoda="c"'), "{D}" + sound('dalsegno="s"'),
                "{E}" + sound('coda="c"'),
            ],
            "ABCDBCE",
        ),
        (["{A}", "{B}" + words("To Coda"), "{C}" + words("D.C. al Coda"), "{E}" + sound('coda="c"')], "ABCABE"),
        ([START + "{A}", "{B}" + sound('dacapo="yes"'), "{C}" + END], "ABCABABC"),
        (
            [
                START + "{A}", ending("1", "start") + "{B}" + ending("1", "stop", True),
                ending("2", "start") + "{C}" + ending("2", "stop"), "{D}" + sound('dacapo="yes"'),
            ],
            "ABACDACD",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_bars_are_played_in_the_written_order(bars: list[str], order: str) -> None:
    assert played(*bars) == order


def test_signs_of_one_part_count_for_all() -> None:
    first = measures(note("C4"), note("D4") + END)
    second = measures(note("C3"), note("D3"))
    assert [[heard.name for heard in track] for track in hear(document(first, second)).tracks] == [
        ["C4", "D4", "C4", "D4"],
        ["C3", "D3", "C3", "D3"],
    ]


def test_tempo_is_that_of_the_bar_when_it_is_repeated() -> None:
    first, second = sound('tempo="60"') + note("C4"), sound('tempo="120"') + note("D4") + END
    assert hear(document(measures(first, second))).tempos == [(0, 60), (1, 120), (2, 60), (3, 120)]


def test_tie_goes_on_into_the_second_ending() -> None:
    tied, back = '<tie type="start"/>', '<tie type="stop"/>'
    bars = [
        note("C4", after=tied),
        ending("1", "start") + note("C4", after=back) + ending("1", "stop", True),
        ending("2", "start") + note("C4", 8, after=back),
    ]
    assert hear(document(measures(*bars))).melody == "0 C4 2, 2 C4 3"


def test_explosion_of_repeats_is_refused() -> None:
    many = END.replace("/></b", ' times="1000"/></b')
    assert refusal(document(measures(*[START + note("C4") + many] * 101))) == "its repeats make more than 100,000 bars"


def test_notes_of_repeats_are_counted_before_they_are_made() -> None:
    many = END.replace("/></b", ' times="1000"/></b')
    assert (
        refusal(document(measures(note("C4", 1) * 2_000 + many))) == "it has more than 500,000 notes, repeats included"
    )


@pytest.mark.parametrize(
    "bar",
    [
        Bar(repeat_start=True, repeat_end=1_000_000),
        Bar(repeat_end=1_000, jump="capo"),
        Bar(segno=True, jump="segno", repeats_after_jump=True, repeat_end=1_000),
        Bar(endings=frozenset(range(1, 100)), repeat_end=1_000, jump="capo", coda=True),
    ],
)
def test_every_order_ends(bar: Bar) -> None:
    for count in (1, 3, 2_000):
        with suppress(RefusedFile):
            assert len(play_order([bar] * count, [])) <= MAX_BARS

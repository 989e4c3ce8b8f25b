"""What is left of a text, character by character, and in which fields of requests and messages."""

from typing import Annotated, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, Struct, UnsetType

from rhythm_protocol.messages import RoomSettings
from rhythmd.errors import Refused
from rhythmd.names.fields import cleaned
from rhythmd.names.texts import clean_line, clean_lines, shows
from rhythmd.sheets.formats.bounds import tidy
from rhythmd.sheets.library import one_line

KEPT: Final = (
    "", "Hello!", " two  spaces ", "👩\u200d👩\u200d👧", "❤\ufe0f", "می\u200cخواهم", "זה\u200f!", "a\u200bb",
    "co\u00adop",
    "\u202bשלום\u202c!", "\u2067שלום\u2069", "\u2068a \u202ab\u202c c\u2069", "ⁱ⟨x⟩", "⠀⠿⠀", "\ue000",
    "กิ้ง", "မျှော်",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "葛\U000e0100", "\U0001faff",
)  # fmt: skip
LEFT_OUT: Final = (
    ("\u202eabc", "abc"), ("a\u202eb\u202dc", "abc"), ("abc\u202c", "abc"), ("\u2066abc", "abc"), ("abc\u2069", "abc"),
    ("\u2067a\u202eb\u2069c", "\u2067ab\u2069c"), ("\u202ea\u2069b\u202c", "ab"),
    ("\u2066a\u202cb\u2069", "\u2066ab\u2069"),
    ("a\x00b\x07c\x1b[31m", "abc[31m"), ("\x7f\x80\x9f", ""), ("a\tb", "a b"), ("a\ud800b", "ab"), ("\ufeffa", "a"),
    ("\ufff9a\ufffab\ufffb", "ab"), ("a\U000e0068\U000e0069", "a"), ("\U0001d173a", "a"), ("\u206aa\u2061", "a"),
    ("\uffffa\ufdd0\U0010ffff", "a"), ("\u3164a\uffa0", "a"), ("\U000e0001a\U000e0fff", "a"),
    ("e" + "\u0301\u0302\u0303" * 9, "e\u0301\u0302"),
    ("ก" + "\u0e34\u0e35\u0e48" * 9, "ก\u0e34\u0e35\u0e48\u0e34\u0e35"),
    ("e\u0301\u200d\u0302\u034f\u0303", "e\u0301\u200d\u0302\u034f"), ("\u0301\u0301\u0301", "\u0301"),
)  # fmt: skip


@pytest.mark.parametrize("text", KEPT, ids=ascii)
def test_text_of_any_script_and_emoji_stays_as_it_is(text: str) -> None:
    assert clean_line(text) == clean_lines(text) == text


@pytest.mark.parametrize(("text", "left"), LEFT_OUT, ids=ascii)
def test_what_hides_or_overflows_is_left_out(text: str, left: str) -> None:
    assert clean_line(text) == clean_lines(text) == left


def test_lines_end_in_one_way_and_formatting_ends_with_them() -> None:
    assert clean_lines("a\r\nb\rc\u2028d\u0085e\x0bf") == "a\nb\nc\nd\ne\nf"
    assert clean_line("a\r\nb\rc\u2029d") == "a b c d"
    assert clean_lines("\u202ea\nb\u202c") == "a\nb"


@pytest.mark.parametrize("text", ["", " \n", "\u200b\u200d", "\u2800\u2800", "\u0301", "\u00ad\ufe0f", "\u202e\u202c"])
def test_nothing_is_seen_of_spaces_marks_and_what_is_invisible(text: str) -> None:
    assert not shows(text)


@given(
    st.text(
        st.characters() | st.sampled_from("\u202a\u202c\u202e\u2066\u2068\u2069\u0301\u0e34\n\r\ud800"), max_size=30
    )
)
def test_cleaned_text_stays_as_it_is_and_leaves_nothing_open(text: str) -> None:
    lines, line = clean_lines(text), clean_line(text)
    assert (clean_lines(lines), clean_line(line)) == (lines, line)
    assert max(len(lines), len(line)) <= len(text)
    for part in (*lines.split("\n"), line):
        assert sum(part.count(opener) for opener in "\u2066\u2067\u2068") == part.count("\u2069")
        assert sum(part.count(opener) for opener in "\u202a\u202b\u202d\u202e") == part.count("\u202c")
        part.encode()


class Described(Struct, frozen=True):
    title: Annotated[str, Meta(min_length=1, extra={"text": "line"})] | UnsetType = UNSET
    text: Annotated[str, Meta(extra={"text": "lines"})] | None = None
    tags: tuple[Annotated[str, Meta(extra={"text": "line"})], ...] = ()
    settings: RoomSettings | None = None
    password: str = ""


def test_fields_that_are_texts_are_cleaned_wherever_they_are() -> None:
    wild, welcome = "a\x07\nb\u202e", RoomSettings(stage="a\nb", welcome_message="a\nb\u202e", max_players=3)
    assert cleaned(Described(wild, wild, (wild, "c"), welcome, wild)) == Described(
        "a b", "a\nb", ("a b", "c"), RoomSettings(stage="a b", welcome_message="a\nb", max_players=3), wild
    )
    nothing = Described()
    assert cleaned(nothing) is nothing
    with pytest.raises(Refused, match="can be seen"):
        cleaned(Described("\u200b"))


def test_titles_of_files_keep_their_emoji_and_lose_what_hides() -> None:
    for title_of in (one_line, tidy):
        assert title_of(" \u202eFür\x00\nElise\t👩\u200d🎤 \udcff") == "Für Elise 👩\u200d🎤"
        assert not {"\u2067", "\u2069"} & set(title_of("\u2067" + "x" * 500 + "\u2069"))

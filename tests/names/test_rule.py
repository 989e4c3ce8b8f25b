"""What a name may be, character by character."""

import unicodedata
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhythm_protocol.errors import ErrorCode
from rhythmd.errors import Refused
from rhythmd.names.rule import fit_line, fit_name, presentable

FIT: Final = (
    "Clara", "O'Brien", "Dr. 3.14", "No. 1", "...", "♪", "Zoë 🎹", "Řehoř", "Tʼáá", "Nguyễn Thị Ánh", "Ὀδυσσεύς",
    "山田 太郎", "ヴィルヘルム", "葛\U000e0100城", "한국어", "สมชาย", "प्रिया", "རྒྱ", "မြွှေ",
    "نَجْوَى", "محمّد", "בְּרֵאשִׁית", "می\u200cخواهم", "خانه\u200cها", "ශ්\u200dරී", "ക്\u200dഷ",
    "രാജന്\u200d", "ಬೆಂಗಳೂರ್\u200c", "ⵜⴰⵎⴰⵣⵉⵖⵜ", "ⵜ\u2d7fⵜ", "ខ្មែរ", "မျှော်", "ပုဂ္ဂိုလ်", "ᠰᠠᠷ\u180eᠠ", "ཧཱུྃ", "אָֽ֑ב",
    "\u0601\u0661\u0664", "𑄌𑄋𑄴𑄟𑄳𑄦",
    "👍🏽", "❤\ufe0f", "1\ufe0f\u20e3", "👩\u200d🎤", "🧑🏽\u200d🎹", "👨\u200d👩\u200d👧\u200d👦", "🏳\ufe0f\u200d🌈",
    "🏳\ufe0f\u200d⚧\ufe0f", "🇩🇪", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "\U0001fae8",
)  # fmt: skip

UNFIT: Final = (
    "Clara\u200b", "\u200b", "Cla\u200dra", "Cla\u200cra", "\u200d", "\u202earalC", "\u2066Clara\u2069", "\u200eClara",
    "Clara\u200f", "\u061cClara", "Cla\u00adra", "\u2060Clara", "\ufeffClara", "\u2061", "\u206a", "\U0001d173",
    "\u3164", "\u115f", "\u1160", "\uffa0", "Cla\u3164ra", "\u2800", "Clara\u2800", "\U0001d159", "\ufffc", "\ufffd",
    "\u034f", "Cla\u034fra", "\u17b4", "\u180e", "\u180b", "Clara\ufe0f", "Clara\U000e0100", "\U000e0041",
    "Clara\U000e0043\U000e007f", "🏴\U000e0067\U000e007f", "👩\u200d", "\u200d👩", "👩\u200d\u200d🎤",
    "\ue000", "\U000f0000", "\U0010fffd", "\ufdd0", "\uffff", "\U0003ffff", "\u0378",
    "Cla\nra", "Cla\u2028ra", "Cla\u0085ra", "Cla\tra\x07", "\x7f", "\ud800",
    "\u0301", "Clara \u0301", "Z\u0335\u0336\u0337", "e\u0323\u0324\u0325\u0326", "x\u0488\u0489\u20dd",
    "कािीुूृे", "ก\u0e34\u0e34", "x\u0903\u0903", "का\u093e\u093e", "\u0e34", "\u0903", "Clara \u0903", "\u0301\u0302",
    "\u2d7f", "Clara\u2d7f", "ⵜ\u2d7f", "ⵜ\u2d7f\u200d", "ⵜ\u2d7fa", "ka\u1039ka", "က\u1039", "ក\u17d2",
    "\u17d2", "\U0001107f", "Clara\u070f", "\u0600", "\u0600Clara", "Clara\u06dd", "\u2ff0", "⿰木木", "\u303e",
    "\u31ef", "\ufff9Clara\ufffa", "\ufffb", "\U0001d17a", "\U0001bca0", "\U00013430", "\u2065", "\ufff0",
    "\U000e0fff", "\U000e0100", "木\ufe0f", "\U00016fe4", "Clara\U00016fe4", "\U0001f02c", "\u0888\u200b",
    "\u180e", "Clara\u180e", "ᠰ\u180e", "\u200bខ្មែរ", "a\u0336b\u0336\u200d", "\u0378", "\U0001fffe",
    "#1", "# 12", "#007", "", " ", "\u3000", "\u00a0\u2003",
)  # fmt: skip

LANGUAGES: Final = Path(__file__).with_name("languages.tsv").read_text(encoding="utf-8").splitlines()[1:]
"""Of each script the name of the script, and names that are written in it."""


@pytest.mark.parametrize("name", FIT, ids=ascii)
def test_name_of_any_script_and_emoji_stays_as_it_is(name: str) -> None:
    assert fit_name(name, "name") == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize("line", LANGUAGES, ids=lambda line: line.partition("\t")[0])
def test_names_of_languages_and_countries_in_their_scripts_stay_as_they_are(line: str) -> None:
    for name in line.split("\t")[1:]:
        assert fit_name(name, "name") == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize("name", UNFIT, ids=ascii)
def test_name_that_hides_something_or_shows_nothing_is_refused(name: str) -> None:
    with pytest.raises(Refused) as caught:
        fit_name(name, "name")
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_FIELD, "name")


def test_refusal_says_which_character_it_is() -> None:
    with pytest.raises(Refused, match=r"U\+200B \(ZERO WIDTH SPACE\)"):
        fit_name("Clara\u200b", "name")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ភាសា\u200bខ្មែរ", "ភាសាខ្មែរ"),
        (" Clara ", "Clara"),
        ("Clara\u3000 Wieck", "Clara Wieck"),
        ("Zoe\u0308", "Zoë"),
        ("\u00a0Clara", "Clara"),
    ],
)
def test_spaces_and_letters_have_one_form(text: str, name: str) -> None:
    assert fit_name(text, "name") == name


def test_line_may_be_empty_and_hides_nothing() -> None:
    assert fit_line("  ", "status_text") == ""
    with pytest.raises(Refused):
        fit_line("away\u202e", "status_text")


@pytest.mark.parametrize("name", UNFIT, ids=ascii)
def test_older_name_is_shown_without_what_may_not_be_in_it(name: str) -> None:
    shown = presentable(name, "Guest")
    assert fit_name(shown, "name") == shown


@given(st.text(max_size=12))
def test_any_text_is_refused_or_becomes_a_name_that_stays(text: str) -> None:
    assert fit_name(presentable(text, "Guest"), "name") == presentable(text, "Guest")
    try:
        name = fit_name(text, "name")
    except Refused:
        return
    assert fit_name(name, "name") == name == presentable(text, "Guest")

"""Which names look alike, and which do not."""

from importlib.resources import files
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhythmd.names.looks import gist, letters, look

ALIKE: Final = (
    ("Clara", "clara"), ("Clara", "Сlаrа"), ("Clara", "CIara"), ("Clara", "C1ara"), ("Clara", "Cla\u200bra"),
    ("Clara", "C\u2060lara\u3164"), ("Clara", "Ｃｌａｒａ"), ("Clara", "𝓒𝓵𝓪𝓻𝓪"), ("lobby", "Iobby"), ("lobby", "L0bby"),
    ("lobby", "lobbу"), ("lobby", "ℓobby"), ("Mira", "rnira"), ("Salon  1", "salon l"), ("カ", "力"),
    ("Zoë", "Zoe\u0308"), ("scope", "ѕсоре"), ("ΑΒΓ", "ABΓ"), ("straße", "STRASSE"), ("می\u200cخواهم", "میخواهم"),
)  # fmt: skip
DIFFERENT: Final = (
    ("Clara", "Ciara"), ("Clara", "Klara"), ("Salon 1", "Salon 2"), ("Zoë", "Zoe"), ("ソナタ", "ソナチネ"),
    ("🎹", "🎸"), ("Clara", "Clara 2"), ("Mail", "Mall"), ("محمد", "محمود"),
)  # fmt: skip


@pytest.mark.parametrize(("one", "other"), ALIKE, ids=ascii)
def test_look_of_names_that_look_alike_is_the_same(one: str, other: str) -> None:
    assert look(one) == look(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT, ids=ascii)
def test_look_of_names_that_can_be_told_apart_differs(one: str, other: str) -> None:
    assert look(one) != look(other)


@pytest.mark.parametrize(
    "name",
    ["Clara.", "C-lara", "Cla. ra", "C l a r a", "(Clara)", "_CIara_", "Clara~", "∙Clara", "Clara´", "🅲🅻🅰🆁🅰", "ᴄʟᴀʀᴀ"],
    ids=ascii,
)
def test_gist_leaves_out_what_is_easily_not_noticed(name: str) -> None:
    assert gist(name) == gist("Clara") != look(name)


@pytest.mark.parametrize(
    ("one", "other"), [("Clara", "Clara 2"), ("Zoë", "Zoe"), ("कि", "का"), ("...", "!"), ("Clara 🎹", "Clara 🎸")]
)
def test_gist_keeps_what_tells_names_apart(one: str, other: str) -> None:
    assert gist(one) != gist(other)


@pytest.mark.parametrize("name", ["Łódź.", "łódź", "Ⓛ ó-d z", "🇱🇴🇩🇿", "ʟᴏᴅᴢ", "ȴodz", "l\u0337o\u0300dz"], ids=ascii)
def test_letters_are_without_what_is_on_or_around_them(name: str) -> None:
    assert letters(name) == "lodz"


@given(st.text(max_size=12))
def test_look_of_a_look_is_itself(text: str) -> None:
    assert look(look(text)) == look(text)


def test_prototypes_are_no_lookalikes_themselves() -> None:
    text = files("rhythmd.names").joinpath("lookalikes.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines() if not line.startswith("# ") and line != "#"]
    lookalikes = "".join(characters for _, characters in rows)
    assert len(set(lookalikes)) == len(lookalikes)
    assert not set(lookalikes) & set("".join(prototype for prototype, _ in rows))


@pytest.mark.parametrize("unit", ["a", "\ufdfa", "\u0315\u0300\u0345"], ids=ascii)
def test_text_that_is_too_long_for_a_name_looks_like_nothing_else(unit: str) -> None:
    text = unit * 3_000
    assert look(text) == gist(text) == text

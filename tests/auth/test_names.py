"""Usertags and e-mail addresses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhythmd.auth.errors import InvalidField
from rhythmd.auth.names import check_email, check_usertag, derive_usertag, with_suffix


@pytest.mark.parametrize("usertag", ["abc", "A.b-c_9", "x" * 24, "..."])
def test_check_usertag_of_allowed_characters_passes(usertag: str) -> None:
    check_usertag(usertag)


@pytest.mark.parametrize(
    "usertag", ["", "ab", "x" * 25, "a b c", "abc\n", "äbc", "ａｂｃ", "a@b", ".*$", "a/b/c", "\ud800\ud800\ud800"]
)
def test_check_usertag_of_other_characters_is_refused(usertag: str) -> None:
    with pytest.raises(InvalidField) as caught:
        check_usertag(usertag)
    assert caught.value.field == "usertag"


@pytest.mark.parametrize("email", ["a@b.example", "first.last+tag@mail.example.org"])
def test_check_email_of_an_address_passes(email: str) -> None:
    check_email(email)


@pytest.mark.parametrize(
    "email", ["", "a", "a@b", "@b.example", "a@", "a@b..c", "a b@c.example", "a@b.example\n", "a@" + "b" * 250 + ".de"]
)
def test_check_email_of_something_else_is_refused(email: str) -> None:
    with pytest.raises(InvalidField):
        check_email(email)


@given(st.text(max_size=80))
def test_derive_usertag_of_any_name_is_allowed_with_and_without_suffix(name: str) -> None:
    check_usertag(derive_usertag(name))
    check_usertag(with_suffix(derive_usertag(name)))


def test_derive_usertag_keeps_what_is_allowed() -> None:
    assert derive_usertag("Élise O'Neil!") == "Elise_O_Neil"

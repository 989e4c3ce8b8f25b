"""The table of error codes: every row is whole, and rows that mean the same agree."""

from http import HTTPStatus

import pytest

from rhythm_protocol.errors import ErrorCode, Side

ROWS = {code.value: code for code in ErrorCode}


@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_has_a_status_a_side_and_a_meaning(code: ErrorCode) -> None:
    assert HTTPStatus(code.status) >= HTTPStatus.BAD_REQUEST
    assert code.side
    assert code.meaning
    assert "|" not in code.meaning  # it stands in a table


@pytest.mark.parametrize("code", [code for code in ErrorCode if code.counterpart])
def test_counterpart_is_a_code_of_the_other_side_with_the_same_status(code: ErrorCode) -> None:
    other = ROWS[code.counterpart]
    assert Side.BOTH & ~code.side in other.side
    assert other.status == code.status


def test_code_is_its_name_on_the_wire() -> None:
    assert [*ROWS] == [f"{code}" for code in ErrorCode] == [*ErrorCode]
    assert [*ROWS] == [name.lower().replace("_", "-") for name in ErrorCode.__members__]

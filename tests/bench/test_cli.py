"""The bench's own help, which a newcomer asks for first."""

import pytest

from bench.cli import main


@pytest.mark.parametrize("words", [["--help"], ["wan", "--help"], ["faults", "--help"]], ids=" ".join)
def test_help_is_printed(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 0
    assert "usage: python -m bench" in capsys.readouterr().out

from pathlib import Path

import pytest

from bench.baseline import checkout

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="these sources are no git repository")


def test_checkout_has_the_commits_files_while_it_lasts() -> None:
    with checkout("HEAD") as folder:
        assert (folder / "rhythmd" / "__main__.py").is_file()
        assert not folder.is_relative_to(ROOT)
    assert not folder.exists()


def test_checkout_of_an_unknown_commit_is_refused() -> None:
    with pytest.raises(ValueError, match="no-such-commit"), checkout("no-such-commit"):
        pass

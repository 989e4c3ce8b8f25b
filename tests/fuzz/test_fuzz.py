"""A short run of the fuzzers; `python -m tests.fuzz all --runs 1000000` is a long one."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
RUNS: Final = 10_000

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris has no wheel for this platform (extra: fuzz)"
)


def test_decoders_raise_only_what_is_documented(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz", "all", "--runs", str(RUNS)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-4_000:]

"""Another commit of rhythmd, to run beside this one."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

__all__ = ["checkout"]

_ROOT: Final = Path(__file__).parents[1]


@contextmanager
def checkout(revision: str) -> Iterator[Path]:
    """The files of `revision` (any name that git knows) in a folder that goes with the block.

    Raises:
        ValueError: git has no such commit; the text has its reason.
    """
    archive = subprocess.run(["git", "archive", revision], cwd=_ROOT, capture_output=True, check=False)
    if archive.returncode:
        raise ValueError(f"no baseline: {archive.stderr.decode(errors='replace').strip()}")
    with tempfile.TemporaryDirectory(prefix="baseline-") as folder:
        subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
        yield Path(folder)

"""All honest loads, by name; each family of them is one module with rows of its own."""

from typing import Final

from bench.honest import library, meeting, playing
from bench.honest.stage import Load

__all__ = ["LOADS"]

LOADS: Final[dict[str, Load]] = {**playing.LOADS, **meeting.LOADS, **library.LOADS}

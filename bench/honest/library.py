"""Loads of the library: a folder that is uploaded, and a search that goes on while somebody types."""

import asyncio
from typing import Final
from urllib.parse import quote

import numpy as np

from bench.abuse.words import API
from bench.honest.browser import Browser
from bench.honest.music import Heard
from bench.honest.stage import Load, Stage
from bench.uploads.contents import FORMATS, make

__all__ = ["LOADS"]

_FILES: Final = 100
_FILE_BYTES: Final = 4_000
_TYPED: Final = "nocturne in c sharp minor"
_KEYS_PER_S: Final = 10.0
_SCHOOL: Final = "203.0.113.80"


async def _type(browser: Browser, seconds: float) -> None:
    """Search at each key, and begin anew."""
    for stroke in range(int(seconds * _KEYS_PER_S)):
        typed = _TYPED[: 1 + stroke % len(_TYPED)]
        await browser.get(f"{API}/sheet_music/search?text={quote(typed)}")
        await asyncio.sleep(1 / _KEYS_PER_S)


async def _folder(stage: Stage) -> None:
    browser = stage.browser(_SCHOOL)
    await browser.register("Librarian")
    for number in range(_FILES):
        kind = [*FORMATS][number % len(FORMATS)]
        content = await asyncio.to_thread(make, kind, _FILE_BYTES, f"honest {number}")
        await browser.send_file("sheet_music/upload", f"{number}.{kind}", content)
    stage.heard.append(Heard(_FILES, browser.accepted_files, np.zeros(0)))


async def _searches(stage: Stage) -> None:
    """A member, and guests who share an address."""
    member = stage.browser("198.51.100.1")
    await member.register("Reader")
    browsers = [member, *(stage.browser(_SCHOOL) for _ in range(5))]
    await asyncio.gather(*(_type(browser, stage.seconds) for browser in browsers))


LOADS: Final = {
    "a folder": Load(f"{_FILES} sheets that one user uploads one after the other", _folder),
    "searching": Load("a member and five guests of one address search at each key that they type", _searches),
}

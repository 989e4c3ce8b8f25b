"""Servers and workers are killed in the middle of uploads: a profile shows a picture that is there, or none."""

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import aiohttp
import pytest

from rhythmd.app import BLOBS_FOLDER
from tests.deadline import until, within
from tests.faults.victims import Victims, running_victims
from tests.pictures import GOOD
from tests.rest.api import UNLIMITED, Answer, Api, User, open_api

ROUNDS: Final = 50
LOAD_S: Final = (0.05, 0.45)
MEMORY_MB: Final = 512 + os.getpid() % 512  # by which the workers of these servers are known, also beside another run
SETTINGS: Final = (*UNLIMITED, "limits.uploads_per_minute=1000000", f"workers.memory_mb={MEMORY_MB}")
KINDS: Final = ("png", "grey jpeg", "one pixel")
KILLED: Final = (aiohttp.ClientError, OSError)


@pytest.fixture
async def victims(tmp_path: Path) -> AsyncIterator[Victims]:
    async with running_victims(tmp_path, SETTINGS) as running:
        yield running


def workers() -> set[int]:
    """The worker processes of these servers."""
    found: set[int] = set()
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, ProcessLookupError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if b"rhythmd.workers.child" in words and str(MEMORY_MB * 1_048_576).encode() in words:
                found.add(int(entry.name))
    return found


def kept(data: Path) -> set[str]:
    folder = data / BLOBS_FOLDER / "avatars"
    return {path.stem for path in folder.iterdir() if not path.name.startswith(".")} if folder.exists() else set()


def avatar_in(answer: Answer) -> str:
    assert answer.status == 200, answer.body
    url: str = answer.body["profile"]["avatar"]
    return url


async def shown(api: Api, user: User) -> str:
    return avatar_in(await api.call("GET", "/users/profile", token=user.access_token))


async def put(api: Api, user: User, picture: bytes) -> Answer:
    headers = {"Content-Type": "image/png"}
    return await api.call("PUT", "/users/avatar", token=user.access_token, data=picture, headers=headers)


class Uploader:
    """Somebody who changes their picture all the time.

    Attributes:
        may_be_shown: what the server has said last, and what it was told then.
        uploads: how many it has said yes to.
    """

    def __init__(self, user: User, dice: random.Random, urls: dict[bytes, str]) -> None:
        self.user = user
        self.may_be_shown = {""}
        self.uploads = 0
        self._dice = dice
        self._urls = urls

    async def work(self, api: Api) -> None:
        """Until the server is gone."""
        with contextlib.suppress(*KILLED):
            while True:
                await self._change(api)

    async def _change(self, api: Api) -> None:
        picture = self._dice.choice([None, *self._urls])
        self.may_be_shown.add("" if picture is None else self._urls[picture])
        if picture is None:
            answer = await api.call("DELETE", "/users/avatar", token=self.user.access_token)
        else:
            answer = await put(api, self.user, picture)
        if answer.status == 422:
            assert answer.code == "file-too-costly", "its worker was killed"
            return
        self.may_be_shown = {avatar_in(answer)}
        self.uploads += picture is not None


def count(uploaders: list[Uploader]) -> int:
    """The uploads that were acknowledged."""
    return sum(uploader.uploads for uploader in uploaders)


def kill_worker() -> None:
    for pid in workers():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return


async def load_and_kill(victims: Victims, api: Api, uploaders: list[Uploader], dice: random.Random) -> None:
    """First a worker is killed, then the server. The moments are what is tried out."""
    jobs = [asyncio.create_task(uploader.work(api)) for uploader in uploaders]
    seen = count(uploaders)
    await asyncio.sleep(dice.uniform(*LOAD_S))
    if dice.random() < 0.5:
        await until(lambda: count(uploaders) > seen, "an upload is acknowledged")
    kill_worker()
    await asyncio.sleep(dice.uniform(*LOAD_S))
    await victims.kill()
    await within(asyncio.gather(*jobs))


async def prepare(victims: Victims, dice: random.Random) -> list[Uploader]:
    """Three people, and where each picture will be."""
    await victims.start()
    async with open_api(victims) as api:
        users = [await api.register(f"user-{number}") for number in range(3)]
        urls = {GOOD[kind]: avatar_in(await put(api, users[0], GOOD[kind])) for kind in KINDS}
        await api.call("DELETE", "/users/avatar", token=users[0].access_token)
    await victims.kill()
    return [Uploader(user, dice, urls) for user in users]


async def assert_shown(api: Api, uploaders: list[Uploader]) -> set[str]:
    """Everybody shows what the server has said, and it is there. The addresses."""
    found: set[str] = set()
    for uploader in uploaders:
        url = await shown(api, uploader.user)
        assert url in uploader.may_be_shown
        uploader.may_be_shown = {url}
        if url:
            assert (await api.download(url)).status == 200
            found.add(url)
    return found


async def test_kill_in_the_middle_of_uploads_leaves_no_picture_missing_and_none_too_many(
    victims: Victims, tmp_path: Path
) -> None:
    dice = random.Random(1)
    uploaders = await prepare(victims, dice)
    for _ in range(ROUNDS):
        await victims.start()
        async with open_api(victims) as api:
            await assert_shown(api, uploaders)
            await load_and_kill(victims, api, uploaders, dice)
        await until(lambda: not workers(), "no worker is left")
    await victims.start()
    async with open_api(victims) as api:
        names = {url.rpartition("/")[2] for url in await assert_shown(api, uploaders)}
        await until(lambda: kept(tmp_path / "data") == names, "what nobody shows is swept")
    await victims.kill()
    assert count(uploaders) > ROUNDS / 5

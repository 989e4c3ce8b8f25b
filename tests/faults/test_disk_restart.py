"""Whose the files on the disk are is known after a `kill -9` as before: of every kind, by account and by network."""

import signal
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Final

from tests.client import Connect, note_on
from tests.hub.recordings import ready
from tests.metrics import metrics
from tests.pictures import GOOD
from tests.rest.api import UNLIMITED, Answer, Api, User, open_api
from tests.rest.sheets import form, midi
from tests.server import ServerProcess, running_process

HOME: Final = {"X-Forwarded-For": "203.0.113.7"}
ELSEWHERE: Final = {"X-Forwarded-For": "198.51.100.1"}
SHARES: Final = ("blobs.total_mb=1", "limits.guest_network_share=3", "limits.account_network_share=3")
SHARE: Final = 31_458  # bytes: 3 % of a MiB, rounded up


async def send(api: Api, user: User, size: int, headers: Mapping[str, str]) -> Answer:
    data = form(midi(title=user.usertag + "x" * size), "air.mid", {})
    return await api.call("POST", "/sheet_music/upload", data=data, token=user.access_token, headers=headers)


async def show(api: Api, user: User, headers: Mapping[str, str]) -> Answer:
    sent = {"Content-Type": "image/png", **headers}
    return await api.call("PUT", "/users/avatar", token=user.access_token, data=BytesIO(GOOD["png"]), headers=sent)


async def kept(server: ServerProcess) -> int:
    return int((await metrics(server))["rhythmd_files_bytes"])


async def test_what_a_network_has_filled_is_known_after_a_kill(tmp_path: Path, connect: Connect) -> None:
    settings = (*UNLIMITED, *SHARES)
    async with running_process(tmp_path, settings) as server, open_api(server) as api:
        people = [await api.register(tag) for tag in ("Clara", "Robert", "Fanny", "Felix")]
        clara, robert, fanny, felix = people
        assert (await show(api, clara, HOME)).status == 200
        picture = await kept(server)
        left = SHARE - picture - 1_000  # of the network, and of no account of it alone
        assert (await send(api, robert, left // 2, HOME)).status == 201
        assert (await send(api, fanny, left // 2, HOME)).status == 201
        guest = await connect(server, headers=HOME)
        await guest.join("Salon")
        await guest.ask("record", {"on": True})
        await guest.play([note_on()])
        await guest.clock()
        await guest.ask("record", {"on": False})
        recorded = await ready(guest)
        before = await kept(server)
        assert before > picture + left + recorded.bytes - 1_000
        server.signal(signal.SIGKILL)
        await server.wait()
    async with running_process(tmp_path, settings) as server, open_api(server) as api:
        refused = await send(api, felix, 1_000, HOME)
        assert (refused.status, refused.code) == (429, "upload-limit")
        assert "network" in refused.body["error"]["message"]
        assert await kept(server) == before
        assert (await send(api, felix, 1_000, ELSEWHERE)).status == 201
        await api.call("DELETE", "/users/avatar", token=clara.access_token)
        assert await kept(server) < before - picture + 1_500
        assert (await send(api, felix, 500, HOME)).status == 201  # what the picture took

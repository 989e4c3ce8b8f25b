"""A socket that asks to be opened while the server goes down."""

import asyncio
import json
from pathlib import Path

from rhythmd.app import SQLITE_FILE, Server
from tests.deadline import within
from tests.hub.people import Register, stalled
from tests.metrics import until_connections
from tests.raw import ConnectRaw, upgrade_request
from tests.server import make_config


async def test_socket_whose_login_is_looked_up_meanwhile_is_not_opened(
    tmp_path: Path, connect_raw: ConnectRaw, register: Register
) -> None:
    server = Server(make_config(tmp_path / "own"))
    await server.start()
    person = await register(server, "Clara")
    client = await connect_raw(server)
    async with stalled(person, tmp_path / "own" / SQLITE_FILE):
        client.write(upgrade_request(changes={"Authorization": f"Bearer {person.token}"}))
        await until_connections(server, 1)
        stop = asyncio.create_task(server.stop())
        await asyncio.sleep(0)
    response = await client.response()
    await within(stop)
    assert (response.status, json.loads(response.body)["error"]["code"]) == (503, "unavailable")
    assert response.headers["retry-after"]

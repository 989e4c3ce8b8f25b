"""A relay as the manual of `websockets` suggests it: one handler, `broadcast()`, on uvloop."""

from asyncio import get_running_loop
from collections import defaultdict
from urllib.parse import parse_qs, urlsplit

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

ROOMS: defaultdict[str, set[ServerConnection]] = defaultdict(set)


async def relay(connection: ServerConnection) -> None:
    assert connection.request is not None
    room = ROOMS[parse_qs(urlsplit(connection.request.path).query)["room"][0]]
    room.add(connection)
    try:
        async for message in connection:
            broadcast(room - {connection}, message)
    finally:
        room.remove(connection)


async def main() -> None:
    async with serve(relay, "127.0.0.1", 0) as server:
        print(f"listening on http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}", flush=True)
        await get_running_loop().create_future()


if __name__ == "__main__":
    uvloop.run(main())

"""A relay with aiohttp as its manual suggests it: one handler that sends to every other socket, on uvloop."""

from asyncio import get_running_loop
from collections import defaultdict

import uvloop
from aiohttp import WSMsgType, web

ROOMS: defaultdict[str, set[web.WebSocketResponse]] = defaultdict(set)


async def relay(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    room = ROOMS[request.query["room"]]
    room.add(socket)
    try:
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                for other in room - {socket}:
                    await other.send_bytes(message.data)
    finally:
        room.remove(socket)
    return socket


async def main() -> None:
    app = web.Application()
    app.router.add_get("/ws", relay)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"listening on http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await get_running_loop().create_future()


if __name__ == "__main__":
    uvloop.run(main())

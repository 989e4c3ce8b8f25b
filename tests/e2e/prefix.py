"""A reverse proxy that serves a server below a path of its own host, and takes the path off again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web

__all__ = ["PREFIX", "below_prefix"]

PREFIX: Final = "/piano"
HOP_BY_HOP: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding"})


@asynccontextmanager
async def below_prefix(port: int) -> AsyncIterator[str]:
    """Serve the server at `port` below a prefix. Gives the URL where it begins; whatever is not below it is 404."""
    async with ClientSession(auto_decompress=True) as upstream:

        async def answer(request: web.Request) -> web.StreamResponse:
            url = f"http://127.0.0.1:{port}/{request.match_info['path']}"
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await _socket(request, upstream, url)
            headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
            asked = upstream.request(
                request.method, url, params=request.query, headers=headers, data=await request.read()
            )
            async with asked as reply:
                kept = {name: value for name, value in reply.headers.items() if name.lower() not in HOP_BY_HOP}
                return web.Response(status=reply.status, headers=kept, body=await reply.read())

        app = web.Application()
        app.router.add_route("*", f"{PREFIX}/{{path:.*}}", answer)
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            host, own_port = runner.addresses[0][:2]
            yield f"http://{host}:{own_port}{PREFIX}"
        finally:
            await runner.cleanup()


async def _socket(request: web.Request, upstream: ClientSession, url: str) -> web.StreamResponse:
    headers = {name: request.headers[name] for name in ("Host", "Origin")}
    protocols = [name.strip() for name in request.headers["Sec-WebSocket-Protocol"].split(",")]
    socket = web.WebSocketResponse(protocols=protocols)
    await socket.prepare(request)
    async with upstream.ws_connect(url, headers=headers, protocols=protocols) as server:
        _, waiting = await asyncio.wait(
            [asyncio.ensure_future(_copy(socket, server)), asyncio.ensure_future(_copy(server, socket))],
            return_when=asyncio.FIRST_COMPLETED,
        )
        for task in waiting:
            task.cancel()
    await socket.close()
    return socket


Socket = web.WebSocketResponse | ClientWebSocketResponse


async def _copy(source: Socket, target: Socket) -> None:
    async for message in source:
        if message.type is WSMsgType.BINARY:
            await target.send_bytes(message.data)

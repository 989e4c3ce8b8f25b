"""A bare aiohttp handler that answers with as many bytes as it is told: what HTTP alone costs."""

import asyncio
import sys

import uvloop
from aiohttp import web


async def main(size: int) -> None:
    body = b"x" * size

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    application = web.Application()
    application.router.add_get("/", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"listening on http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))

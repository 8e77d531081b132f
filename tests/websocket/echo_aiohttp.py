#!/usr/bin/env python3
"""An echo server of python3-aiohttp; prints its port."""

import asyncio
import sys

from aiohttp import WSMsgType, web

LIMIT = int(sys.argv[1]) if len(sys.argv) > 1 else 16 << 20


async def echo(request):
    ws = web.WebSocketResponse(compress=False, max_msg_size=LIMIT + 1,
                               timeout=1)
    await ws.prepare(request)
    async for message in ws:
        if message.type == WSMsgType.TEXT:
            await ws.send_str(message.data)
        elif message.type == WSMsgType.BINARY:
            await ws.send_bytes(message.data)
    return ws


async def main():
    app = web.Application()
    app.add_routes([web.get("/{path:.*}", echo)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Future()


asyncio.run(main())

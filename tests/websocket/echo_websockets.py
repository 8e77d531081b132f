#!/usr/bin/env python3
"""An echo server of python3-websockets; prints its port."""

import asyncio
import sys

import websockets

LIMIT = int(sys.argv[1]) if len(sys.argv) > 1 else 16 << 20


async def echo(ws, *_):
    try:
        async for message in ws:
            await ws.send(message)
    except websockets.ConnectionClosed:
        pass


async def main():
    server = await websockets.serve(
        echo, "127.0.0.1", 0, compression=None, max_size=LIMIT,
        ping_interval=None, close_timeout=1, max_queue=None)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Future()


asyncio.run(main())

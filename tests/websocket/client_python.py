#!/usr/bin/env python3
"""The client of python3-websockets or python3-aiohttp, by the second argument,
against a server that echoes, and closes when it is told "close CODE REASON":
prints what is wrong, or "ok"."""

import asyncio
import sys
import traceback

URL, LIBRARY = sys.argv[1:3]
TEXTS = ["hello", "", "gr\u00fc\u00dfe \U0001f600", "x" * 60000]
DATA = [bytes(range(256)), b"", b"\xfe" * 65536]


def same(got, expected, what):
    if got != expected:
        raise AssertionError("%s: %.200r instead of %.200r" % (what, got,
                                                              expected))


async def with_websockets():
    import websockets
    async with websockets.connect(URL, close_timeout=10) as ws:
        same(ws.extensions, [], "extensions")
        for message in TEXTS + DATA:
            await ws.send(message)
            same(await ws.recv(), message, "echo")
        await asyncio.wait_for(await ws.ping(b"are you there"), 10)
        for i in range(100):
            await ws.send(str(i))
        same([await ws.recv() for _ in range(100)],
             [str(i) for i in range(100)], "a hundred")

        async def pieces():
            for piece in "frag", "men", "ted":
                yield piece
        await ws.send(pieces())
        same(await ws.recv(), "fragmented", "in fragments")
        await ws.close(4002, "enough")
        same(ws.close_code, 4002, "closed here")
    async with websockets.connect(URL) as ws:
        await ws.send("close 4001 bye b\u00fcye")
        try:
            await ws.recv()
        except websockets.ConnectionClosed as e:
            same((e.rcvd.code, e.rcvd.reason), (4001, "bye b\u00fcye"),
                 "closed there")


async def with_aiohttp():
    import aiohttp
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(URL, compress=15) as ws:
            for text in TEXTS:
                await ws.send_str(text)
                same(await ws.receive_str(timeout=10), text, "text")
            for data in DATA:
                await ws.send_bytes(data)
                same(await ws.receive_bytes(timeout=10), data, "binary")
            for i in range(100):
                await ws.send_str(str(i))
            same([await ws.receive_str(timeout=10) for _ in range(100)],
                 [str(i) for i in range(100)], "a hundred")
            await ws.close(code=4002, message=b"enough")
            same(ws.close_code, 4002, "closed here")
        async with session.ws_connect(URL) as ws:
            await ws.ping(b"are you there")
            await ws.send_str("close 4001 bye b\u00fcye")
            got = await ws.receive(timeout=10)
            same((got.type, got.data, got.extra),
                 (aiohttp.WSMsgType.CLOSE, 4001, "bye b\u00fcye"),
                 "closed there")


async def main():
    await asyncio.wait_for(globals()["with_" + LIBRARY](), 20)


try:
    asyncio.run(main())
    print("ok")
except Exception:
    traceback.print_exc(file=sys.stdout)
    sys.exit(1)

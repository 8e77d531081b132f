#!/usr/bin/env python3
"""WebSocket clients of others, and the proxies of others in between: ws and
undici (node), python3-websockets, python3-aiohttp, Chromium; nginx, HAProxy,
Caddy.  WS_SERVER=HOST:PORT in the environment: against another server than
ours."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)),
                os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")]
from ws_daemon import *
from ws_others import *
import browser
import page
import ws_cases

PAGE = """<!doctype html><title>WebSocket</title><p id=is>page</p>"""
# An echo that keeps the opcode, and closes when it is told to.
ECHO = """
return {
    accept = function()
        return { ["Content-Type"] = "text/html" }, [[%s]]
    end,
    websocket = {
        message = function(ws, data, kind)
            local code, reason = data:match("^close (%%d+) ?(.*)$")
            if kind == "text" and code then
                ws:close(math.tointeger(code), reason)
            else
                ws:send(data, kind)
            end
        end,
    },
}
""" % PAGE
OTHER = os.environ.get("WS_SERVER")
# Of others it is not known what they do with them.
MINE = () if OTHER else ("own",)
d = None if OTHER else WsDaemon(app=ECHO, websocket={
    "max_message": "1M", "send_buffer": "4M"})


def server():
    if d and d.process is None:
        d.start()
    return OTHER or d.web


def add(fn, name, doc):
    fn.__name__, fn.__doc__ = name, doc
    test(fn)


for program, library in CLIENTS:
    add(lambda program=program, library=library: client(
        program, "ws://%s/" % server(), library), library,
        library + " as a client")


@test
def as_in_the_readme():
    """its application, with its WebSocket, and the client that it names"""
    app = page.readme("lua").replace("return app\n", page.readme("lua", 1) +
                                     "return app\n")
    with WsDaemon(app=app) as other:
        with other.ws() as ws:
            equal((ws.ask("hello"), ws.ask(b"\xff")), ("hello", b"\xff"))
            equal(ws.finish(), 1000)
        done = subprocess.run(
            ["/usr/bin/python3", "-m", "websockets", "ws://%s/" % other.web],
            input="hello\n", capture_output=True, text=True,
            timeout=PATIENCE)
        if "No module" in done.stderr:
            raise Skip("no websockets")
        assert "Connected to ws://" in done.stdout, done


def through(proxy):
    """Clients, and the cases that a proxy might spoil."""
    if shutil.which(proxy.command[0]) is None:
        raise Skip("no " + proxy.command[0])
    with proxy(server()) as front:
        for program, library in CLIENTS[::2]:
            client(program, "ws://%s/" % front.address, library)
        chosen = [c for c in ws_cases.listed()
                  if c.section in ("1", "2", "3", "4", "5", "7", *MINE)]
        limits = {} if OTHER else {"max_message": 1 << 20,
                                   "max_fragments": 1000}
        wrong = ["%s %s (%s): %s" % (case.id, case.about, way, says)
                 for case, way, says in ws_cases.run_all(
                     lambda **k: WebSocket(front.address, **k), chosen,
                     PATIENCE, False, **limits)
                 if says not in ("strict", "non-strict")]
        assert not wrong, "\n".join(wrong)
        if d:
            outlives(front)


def outlives(front):
    """A socket through a proxy does not notice a reload."""
    with WebSocket(front.address, timeout=PATIENCE) as ws:
        equal(ws.ask("before"), "before")
        d.reload()
        equal(ws.ask("behind"), "behind")


for name, proxy in PROXIES.items():
    add(lambda proxy=proxy: through(proxy), name, "through " + name)

SCRIPT = """
window.result = null;
(async () => {
    const url = arguments[0];
    const open = () => new Promise((good, bad) => {
        const ws = new WebSocket(url);
        ws.binaryType = "arraybuffer";
        ws.onopen = () => good(ws);
        ws.onclose = (e) => bad("refused with " + e.code);
    });
    const next = (ws) => new Promise((good) => {
        ws.onmessage = (e) => good(typeof e.data === "string" ? e.data :
            Array.from(new Uint8Array(e.data)).join(" "));
        ws.onclose = (e) => good([e.code, e.reason, e.wasClean].join(" "));
    });
    const said = [];
    let ws = await open();
    for (const data of ["hello", "", "gr\\u00fc\\u00dfe \\u{1f600}",
            new Uint8Array([0, 255, 128, 10])]) {
        const answer = next(ws);
        ws.send(data);
        said.push(await answer);
    }
    const large = "x".repeat(60000), answer = next(ws);
    ws.send(large);
    said.push(await answer === large);
    let end = next(ws);
    ws.close(4002, "enough");
    said.push((await end).slice(0, 4));
    ws = await open();
    end = next(ws);
    ws.send("close 4001 bye b\\u00fcye");
    said.push(await end);
    ws = await open();
    end = next(ws);
    ws.send("close 1001");
    said.push(await end);
    return said;
})().then((said) => { window.result = said; },
    (e) => { window.result = String(e); });
"""
SAID = ["hello", "", "gr\u00fc\u00dfe \U0001f600", "0 255 128 10", True,
        "4002", "4001 bye b\u00fcye true", "1001  true"]


@test
def chromium():
    """Chromium: text, binary, close codes both ways; another origin is
    refused"""
    if any(shutil.which(p) is None for p in browser.NEEDS):
        raise Skip("no Chromium")
    b = browser.Browser()
    port = server().rpartition(":")[2]
    try:
        b.open("http://127.0.0.1:%s/" % port)

        def says(url):
            b.js(SCRIPT, url)
            return b.until("return window.result", what="its result")
        equal(says("ws://127.0.0.1:%s/" % port), SAID)
        equal(says("ws://localhost:%s/" % port), "refused with 1006")
    finally:
        b.stop()


run(240, over=FCGI)

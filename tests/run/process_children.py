#!/usr/bin/env python3
"""os.execute and io.popen: as Lua's, and what they start can be ended."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

SHOW = ("local function show(...) local t = table.pack(...) "
        "for i = 1, t.n do t[i] = tostring(t[i]) end "
        "return text(table.concat(t, ' ')) end ")


@test
def results():
    """what they return"""
    with Daemon() as d:
        for code, expected in {
            "return show(os.execute())": "true",
            "return show(os.execute('true'))": "true exit 0",
            "return show(os.execute('exit 3'))": "nil exit 3",
            "return show(os.execute('kill -9 $$'))": "nil signal 9",
            "local p = io.popen('echo hello; exit 4') "
            "return show(p:read('a'), p:close())": "hello\n nil exit 4",
            "local p = io.popen('echo one; echo two') local t = {} "
            "for l in p:lines() do t[#t + 1] = l end "
            "return show(io.type(p), p:close(), io.type(p), #t)":
                "file true closed file 2",
            "return show(pcall(io.popen, 'true', 'x'))":
                "false bad argument #2 to 'io.popen' (invalid mode)",
            "local p = io.popen('no-such-program 2>&1') p:read('a') "
            "return show(p:close())": "nil exit 127",
        }.items():
            equal(d.lua(SHOW + code).body.decode(), expected, code)


@test
def written_to():
    """io.popen(..., "w")"""
    with Daemon() as d:
        out = d.dir + "/out"
        write(out, "")
        os.chmod(out, 0o666)
        equal(d.lua(SHOW + "local p = io.popen('cat >%s', 'w') "
                    "p:write('a\\0b') return show(p:close())" % out).body,
              b"true exit 0")
        with open(out, "rb") as f:
            equal(f.read(), b"a\0b")


@test
def signals():
    """TERM, HUP, QUIT, INT and PIPE end a child as they end any program"""
    with Daemon() as d:
        for signo in (15, 1, 3, 2, 13):
            equal(d.lua(SHOW + "return show(os.execute("
                        "'kill -%d $$; echo still here'))" % signo).body,
                  b"nil signal %d" % signo)
            equal(d.lua(SHOW + "return show(io.popen("
                        "'kill -%d $$'):close())" % signo).body,
                  b"nil signal %d" % signo)


@test
def forgotten():
    """a handle that is never closed leaves no zombie once it is collected"""
    with Daemon(workers={"mode": "static", "max": 1}) as d:
        equal(d.lua("for i = 1, 20 do io.popen('true') end collectgarbage() "
                    "collectgarbage() return text('done')").body, b"done")
        equal(zombies(d.workers()[0]), [])


run()

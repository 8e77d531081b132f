#!/usr/bin/env python3
"""Timers while the wall clock jumps: each date has its run once, what the clock
jumps over is made up for by one, and intervals do not notice."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import *
import json

APP = """
return { accept = function() return {}, "hello" end,
	interval = function(name)
		local f = io.open(%r .. "/rw/" .. name, "a")
		f:write("x")
		f:close()
	end }
"""
HOUR, DAY = 3600, 86400


def zone():
    """TZ in which it is 12:30 now, so that no date ends during the test."""
    west = (int(time.time()) - 45000) % DAY
    if west > DAY // 2:
        west -= DAY
    return "<LOC>%s%d:%02d:%02d" % ("-" if west < 0 else "",
                                    abs(west) // HOUR, abs(west) // 60 % 60,
                                    abs(west) % 60)


def timer(d, name):
    out = tool("-s", d.top["control"], "status", "--json",
               program=LUA_FPMCTL)[1]
    return [t for t in json.loads(out)["pools"][0]["timers"]
            if t["name"] == name][0]


@test
def jumps():
    """ahead by hours and by days, back by a day, and back by a month"""
    faults = Faults()
    d = Daemon(workers={"mode": "static", "max": 1}, timers=[
        {"name": "daily", "at": "14:00"}, {"name": "often",
                                           "every": "100ms"}])
    d.write_app(APP % d.dir)
    d.top["control"] = d.dir + "/control"
    d.sockets.add(d.top["control"])

    def jump(seconds, runs, missed):
        """The process for `often` makes the master look, several times."""
        faults.fail("clock", seconds, who=MASTER)
        before = timer(d, "often")["runs"]
        until(lambda: timer(d, "daily")["runs"] >= runs, "its run")
        until(lambda: timer(d, "often")["runs"] > before + 2, "more of these")
        seen = timer(d, "daily")
        equal((seen["runs"], seen["missed"]), (runs, missed))
        assert timer(d, "often")["runs"] < before + 100

    with d.start(env={**faults.env(), "TZ": zone()}):
        jump(HOUR, 0, 0)            # 13:30
        jump(2 * HOUR, 1, 0)        # 14:30
        jump(HOUR, 1, 0)            # 13:30 again
        jump(2 * HOUR, 1, 0)
        jump(3 * DAY + HOUR, 2, 1)  # 13:30: those of two days in one
        jump(2 * DAY, 2, 1)
        jump(3 * DAY + 2 * HOUR, 3, 1)
        jump(-30 * DAY, 3, 1)       # it was wrong before
        jump(-29 * DAY + 2 * HOUR, 4, 2)
        equal(os.path.getsize(d.dir + "/rw/daily"), 4)
        faults.end("clock")
        d.fds_before += 10  # the process for timers


run(120)

#!/usr/bin/env python3
"""What lua-fpm writes is the same whatever locale an application sets."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

NAME = "fi_FI.UTF-8"  # no month has its English name
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
APP = """
local app = {}
assert(os.setlocale("%s"), "no locale")
function app.accept() return {}, os.date("%%b ") .. string.format("%%.1f", 1.5)
end
return app
""" % NAME


@test
def access_log():
    """times in the access log; the application has its own"""
    dir = scratch()
    atexit.register(shutil.rmtree, dir, True)
    if tool("-i", "fi_FI", "-f", "UTF-8", dir + "/" + NAME,
            program="localedef", timeout=100)[0] != 0:
        raise Skip("no sources of locales")
    d = Daemon(app=APP)
    d.set_pool("www", workers={"mode": "static", "max": 1},
               environment={"LOCPATH": dir},
               logs={"access": d.dir + "/access.log",
                     "access_format": "%{%b %h %a}t %{milli}d"})
    with d:
        month, number = d.fetch().body.decode().split()
        assert month not in MONTHS, month
        equal(number, "1,5")
        line = until(lambda: open(d.dir + "/access.log").read(), "a line")
        matches(r"^(%s) (%s) (Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d" % (
            ("|".join(MONTHS),) * 2), line)


run(limit=60, needs=("localedef",))

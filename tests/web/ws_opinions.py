#!/usr/bin/env python3
"""The table of WebSocket cases (ws_cases.py), played against servers that
others wrote: what it says is what they do, but for differences that are listed
here with their reasons.  FULL=yes in the environment: all of its sizes, and
three servers more."""

import fnmatch
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *
import ws_cases
from ws_client import WebSocket
from ws_others import PROGRAMS, echo_server

FULL = os.environ.get("FULL") == "yes"
LATE = "judges UTF-8 at the end of a message"
FRAME = "judges UTF-8 at the end of a frame"
FEWEST = "does not insist on the fewest bytes for a length"

# Server: what it does otherwise, by ids, and why.  Each case is met by one
# server at least as the table says it.
SERVERS = {
    "echo_websockets.py": {
        "6.4.[34]": FRAME, "own.35": FRAME, "own.8": FEWEST, "own.9": FEWEST,
        "own.1[0-4]": FEWEST,
    },
    "echo_ws.js": {
        "6.4.*": LATE, "own.35": LATE, "own.8": FEWEST, "own.9": FEWEST,
        "own.1[0-4]": FEWEST,
    },
    "echo_wsproto.py": {
        "own.1[789]": "has no limit", "own.2[012]": "has no limit",
    },
    "echo_wslay.py": {
        "7.3.2": "lets half a close code pass",
        "own.1[789]": "judges a length with the first byte behind it",
        "own.2[012]": "judges a length with the first byte behind it",
        "own.40": "drops what waits when the close comes",
    },
    "echo_aiohttp.py": {
        "6.4.*": LATE, "own.35": LATE,
        "7.9.5": "takes code 1006 for an end",
        "own.[1-5]": "takes frames without a mask",
        "own.8": FEWEST, "own.9": FEWEST, "own.1[0-4]": FEWEST,
        "own.21": "judges a message when it is whole",
    },
}


def opinion(program, otherwise):
    """It meets the table but for those, and those still."""
    count, wrong, found = {}, [], set()
    with echo_server(program) as address:
        for case in ws_cases.listed(FULL):
            known = [p for p in otherwise if fnmatch.fnmatch(case.id, p)]
            (_, way, says), = ws_cases.run_all(
                lambda **k: WebSocket(address, **k), [case],
                0.3 if known else PATIENCE, all_ways=False)
            right = says in ("strict", "non-strict")
            if right or not known:
                count[says if right else "wrong"] = \
                    count.get(says if right else "wrong", 0) + 1
            if known and not right:
                found.update(known)
                count["otherwise"] = count.get("otherwise", 0) + 1
            elif not right:
                wrong.append("%s %s: %s" % (case.id, case.about, says))
    diag("%s: %s" % (program, count))
    assert not wrong, "\n".join(wrong)
    equal(found, set(otherwise), "what it does otherwise")


def add(program, otherwise):
    def check():
        opinion(program, otherwise)
    check.__doc__ = "the cases against %s, but for what is listed" % program
    check.__name__ = program
    test(check)


@test
def mutated():
    """the codec and wsproto's read the same of mutated cases"""
    done = subprocess.run(
        ["/usr/bin/python3", "-B", os.path.join(PROGRAMS, "differ_wsproto.py"),
         os.path.join(BUILD, "tests", "websocket", "codec"),
         "1000000" if FULL else "20000", "1"], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True)
    if "ModuleNotFoundError" in done.stderr:
        raise Skip("no wsproto")
    diag(done.stdout[-2000:])
    assert done.stdout.startswith("ok "), done.stderr


for program, otherwise in SERVERS.items():
    if FULL or program in ("echo_wsproto.py", "echo_wslay.py"):
        add(program, otherwise)
run(300, over=FCGI)

#!/usr/bin/env python3
"""lua-fpmctl top, and completion, in a real terminal (tmux)."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *
from control_client import *


class Terminal:
    """A tmux server of its own with one window; keys in, its screen out."""

    def __init__(self, command, columns=80, lines=24):
        self.dir = scratch()
        env = {**os.environ, "TMUX_TMPDIR": self.dir, "LC_ALL": "C.UTF-8"}
        env.pop("TMUX", None)
        self.env = env
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns),
                  "-y", str(lines), command)

    def tmux(self, *words):
        done = subprocess.run(["tmux", *words], capture_output=True,
                              text=True, env=self.env, timeout=PATIENCE)
        equal(done.returncode, 0, done.stderr)
        return done.stdout

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def screen(self):
        return self.tmux("capture-pane", "-p")

    def wait(self, regex, what=""):
        """Until the screen matches; returns it."""
        try:
            until(lambda: re.search(regex, self.screen()), what or regex)
        except AssertionError:
            diag(self.screen())
            raise
        return self.screen()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tmux("kill-server")
        shutil.rmtree(self.dir, ignore_errors=True)


def top(f, *words):
    return "'%s' -s '%s' top %s; echo over; cat" % (LUA_FPMCTL, f.path,
                                                    " ".join(words))


def first_pids(screen, n=3):
    lines = screen.splitlines()
    at = next(i for i, line in enumerate(lines) if " PID " in line)
    return [int(line.split()[1]) for line in lines[at + 1:at + 1 + n]]


SOME = [worker(101, "Idle", "/idle", 900, requests=50,
               **{"lua heap": 300000, "resident memory": 9000000}),
        worker(102, "Running", "/long/" + "x" * 200, 65000000, requests=20,
               **{"lua heap": 100000, "resident memory": 8000000}),
        worker(103, "Running", "/short", 1500000, requests=90,
               **{"lua heap": 200000, "resident memory": 7000000})]


@test
def shows_and_sorts():
    """pools with rates, workers by time; the keys sort, help and quit"""
    count = [0]

    def text(line):
        count[0] += 1
        return status(pool_status("www", SOME, requests=count[0] * 1000))
    with Fake(text) as f, Terminal(top(f)) as t:
        screen = t.wait(r"(?m)^www +serving +2 +1 +0 +\d+ +[1-9]\d\d",
                        "a rate of the last second")
        lines = screen.splitlines()
        assert len(lines) <= 24 and max(map(len, lines)) <= 80, screen
        matches(r"^lua-fpm 0\.1\.0  pid 4711  running  up 1m\d\d  1 pools  "
                r"2/3 workers busy", lines[0])
        matches(r"(?m)^www +102 +Running +1m05 +20 .* GET /long/x+$", screen)
        matches(r"sorted by time .*pool: all.*help: h +quit: q$",
                lines[-1])
        equal(first_pids(screen), [102, 103, 101])
        for key, name, pids in (("r", "requests", [103, 101, 102]),
                                ("m", "memory", [101, 103, 102]),
                                ("s", "rss", [101, 102, 103]),
                                ("p", "pid", [101, 102, 103]),
                                ("t", "time", [102, 103, 101])):
            t.keys(key)
            equal(first_pids(t.wait("sorted by " + name)), pids, key)
        for key in ("h", "q", "Space"):
            t.keys("h")
            t.wait(r"(?m)^  q +quit$")
            t.keys(key)
            t.wait(r"(?m)^POOL +PID")
        t.keys("q")
        t.wait(r"(?m)^over$")


@test
def filters_and_moves():
    """f shows one pool after the other; arrows move through the workers"""
    crowd = [worker(200 + i, "Idle", "/%d" % i, 1000 - i) for i in range(40)]
    pools = status(pool_status("www", SOME), pool_status("crowd", crowd))
    with Fake(pools) as f, Terminal(top(f)) as t:
        t.wait("(?m)^crowd +serving")
        t.keys("f")
        screen = t.wait("pool: www")
        assert "crowd" not in screen, screen
        t.keys("f")
        t.wait("pool: crowd")
        t.keys("Down", "Down")
        until(lambda: first_pids(t.screen(), 1) == [202], "two lines on")
        t.keys("NPage")
        until(lambda: first_pids(t.screen(), 1) == [214], "half a page on")
        t.keys("Home")
        until(lambda: first_pids(t.screen(), 1) == [200], "back")
        t.keys("Tab")
        t.wait("pool: all")
        t.keys("q")
        t.wait("over")
    with Fake(pools) as f, Terminal(top(f, "crowd")) as t:
        assert "www" not in t.wait("pool: crowd")


@test
def many_pools():
    """many pools leave room for the workers"""
    with Fake(status(*[pool_status("p%d" % i, SOME if i == 0 else [])
                       for i in range(50)])) as f, Terminal(top(f)) as t:
        screen = t.wait("and 42 more pools")
        equal(first_pids(screen), [102, 103, 101])


@test
def resized():
    """the screen follows the terminal, small and large"""
    with Fake(status(pool_status("www", SOME))) as f, \
            Terminal(top(f), 120, 40) as t:
        t.wait(r"GET /long/x{30}")
        for columns, lines in ((80, 24), (40, 10), (20, 3), (200, 50),
                               (80, 24)):
            t.tmux("resize-window", "-x", str(columns), "-y", str(lines))
            until(lambda: len(t.screen().splitlines()) == lines and
                  "lua-fpm 0.1.0"[:columns] in t.screen().splitlines()[0],
                  "%d x %d" % (columns, lines))
        screen = t.wait(r"(?m)^www +102 +Running")
        assert max(map(len, screen.splitlines())) <= 80


@test
def hostile():
    """bytes of a request do nothing to the terminal"""
    nasty = [worker(1, "Running", "/\x1b[2J\x1b]0;owned\x07\n\r\x9b31m\xe9")]
    with Fake(status(pool_status("www", nasty))) as f, \
            Terminal(top(f)) as t:
        t.wait(r"GET /\?\[2J\?\]0;owned\?{5}31m\?\?")
        assert "owned" not in t.tmux("display-message", "-p",
                                     "#{pane_title}")


@test
def daemon_goes_and_comes():
    """a daemon that is gone is said so, and found again"""
    with Fake(status(pool_status("www", SOME))) as f, \
            Terminal(top(f)) as t:
        t.wait("(?m)^www +serving")
        os.rename(f.path, f.path + ".away")
        t.wait("cannot reach lua-fpm at")
        os.rename(f.path + ".away", f.path)
        t.wait("lua-fpm 0.1.0  pid")
        t.keys("q")
        t.wait("over")


@test
def of_a_daemon():
    """top of a real daemon under load shows what it does"""
    with controlled(workers={"mode": "static", "max": 2}) as d:
        d.path = d.control
        gate = d.gate()
        busy = Background(d.lua, gate.lua + "return text('x')", uri="/held")
        gate.wait()
        load = Load(d.address(), clients=2)
        with Terminal(top(d)) as t:
            t.wait(r"(?m)^www +\d+ +Running +[1-9]\.\ds .* GET /held$")
            t.wait(r"(?m)^www +serving +[12] +[01] +\d+ +\S+ +[1-9]\d*\b")
        gate.open()
        busy.result()
        equal(load.stop()[1], [])


@test
def completion():
    """Tab completes commands and pools in a real shell"""
    with Fake(status(pool_status("www"), pool_status("shop"))) as f, \
            Terminal("exec bash --norc --noprofile") as t:
        t.keys("PS1='> '; PATH='%s':$PATH; source '%s/conf/lua-fpmctl.bash'; "
               "clear" % (BUILD, SRC), "Enter")
        t.keys("lua-fpmctl -s '%s' dra" % f.path, "Tab")
        t.wait(r"control.sock'? drain $|control.sock'? drain\s")
        t.keys("w", "Tab")
        t.wait("drain www")


if __name__ == "__main__":
    run(needs=["tmux", "bash"])

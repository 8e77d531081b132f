#!/usr/bin/env python3
"""What a hostile application with native code gets of others: nothing of
their memory, nothing of the master's, and no word that leads either."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

HOSTILE = os.path.join(BUILD, "tests", "hostile", "hostile.so")
SECRET = "b-database-password-123"
TOKEN = "/secret-page?token=abc123"
ROUNDS = 1000
LOAD = "hostile = hostile or assert(package.loadlib(%r, 'luaopen_hostile'))() "


def need_users():
    if not ROOT:
        raise Skip("not root")


def two(**a):
    """Pool a is hostile, pool b has secrets; each has a user of its own."""
    d = Daemon(pools={
        "a": {"user": "nobody", "workers": {"mode": "static", "max": 2}, **a},
        "b": {"user": "www-data", "workers": {"mode": "static", "max": 2},
              "environment": {"SECRET": SECRET}, "status_path": "/s"}})
    d.top["control"] = d.dir + "/control.sock"
    shutil.copy(HOSTILE, d.dir)
    return d


def load(d):
    return LOAD % (d.dir + "/hostile.so")


def attack(d, what, **q):
    return d.lua(load(d) + "return text(tostring(hostile.%s))" % what, "a",
                 **q).body.decode()


def masked(text):
    return "'%s'" % "".join("\\%d" % (ord(c) ^ 0x55) for c in text)


@test
def nothing_of_others():
    """no byte of another pool's configuration, requests or logs, or of the
    master's memory, is in the memory of a worker"""
    need_users()
    with two() as d:
        for _ in range(5):
            equal(d.fetch("b", uri=TOKEN).body, b"hello")
        d.lua("print('%s-logged') return {}" % SECRET, "b")
        d.wait_log(SECRET + "-logged")
        equal(d.lua("return text(os.getenv('SECRET'))", "b").body.decode(),
              SECRET)
        for text in (SECRET, TOKEN, d.address("b"), d.file):
            equal(attack(d, "find(%s)" % masked(text)), "", text)
        assert attack(d, "find(%s)" % masked(d.address("a"))), \
            "what is there is found"


@test
def nothing_of_others_in_a_trial():
    """nor is it in the process that loads an application for -t"""
    need_users()
    d = two()
    d.write_app(load(d) + "error('found: ' .. hostile.find(%s) .. '.')" %
                masked(SECRET), "evil.lua")
    d.set_pool("a", app=d.dir + "/evil.lua")
    d.write_conf()
    code, out, err = tool("-t", "-c", d.file)
    equal(code, 78)
    matches(r"found: \.", out + err)
    d.destroy()


@test
def own_slot_only():
    """one mapping is writable and shared, and there is no way to more"""
    need_users()
    with two() as d:
        d.wait_ready(2, "a")
        d.wait_ready(2, "b")
        equal(attack(d, "scribble(3)"), "1")
        others = [d.pid, *d.workers("b"), *d.workers("a")]
        equal(attack(d, "reach(%s)" % ",".join(map(str, others))), "")
        inodes = set()
        for pid in d.workers("a") + d.workers("b"):
            with open("/proc/%d/maps" % pid) as f:
                shared = [line.split() for line in f if " rw-s " in line]
            equal(len(shared), 1, shared)
            inodes.add(shared[0][4])
        equal(len(inodes), 4, "each has its own")


class Mayhem:
    """Reloads, upgrades, status queries and kills, one after the other."""

    def __init__(self, d):
        self.d, self.reloads, self.upgrades = d, 0, 0

    def step(self, n):
        d = self.d
        if n % 100 == 50:
            d.set_pool("a", priority=n // 100 % 2)
            d.write_conf()
            d.reload()
        elif n % 200 == 199:
            mark = d.log_mark()
            d.kill(signal.SIGUSR2)
            d.wait_log("upgraded from", mark)
            d.wait_log("ready: 2 of 2", mark)
        elif n % 20 == 10:
            code, out, err = tool("-c", d.file, "status", "--json",
                                  program=LUA_FPMCTL)
            equal(code, 0, out + err)
            self.judge(out)
        elif n % 100 == 77:
            with contextlib.suppress(OSError, IndexError):
                kill(d.workers("a")[0], signal.SIGKILL)

    def judge(self, out):
        """No number that cannot be."""
        a = [p for p in json.loads(out)["pools"] if p["pool"] == "a"][0]
        for name in ("accepted conn", "requests", "slow requests",
                     "bytes in", "bytes out", "lua heap", "memory peak"):
            assert 0 <= a[name] < 1 << 45, (name, a[name])
        assert a["requests"] <= a["accepted conn"] < 10 * ROUNDS, a
        assert a["max active processes"] <= 4, a
        pids = set(self.d.workers())
        for w in a["processes"]:
            assert w["state"] in ("Starting", "Idle", "Running", "Leaving",
                                  "Restarting"), w
            assert 0 <= w["request duration"] < 1e9, w
        assert len(a["processes"]) <= 8 and pids, a


def storm(**a):
    need_users()
    with two(**{"timeouts": {"queue": "100ms"}, **a}) as d:
        d.expect("was killed by signal", "hangs beyond", "exited with code",
                 "while it served this", "does not leave in time",
                 "last message repeated",
                 r"\[pool a\] .* runtime error: ")  # of what it overwrote
        mayhem = Mayhem(d)
        load = Load(d.address("b"), clients=2)
        for n in range(ROUNDS):
            with contextlib.suppress(OSError, AssertionError):
                attack(d, "scribble(%d)" % n, timeout=5)
            mayhem.step(n)
        load.more(100)
        done, failures = load.stop()
        equal(failures, [], "of %d requests to the other pool" % done)
        until(lambda: len(d.workers("a")) >= 1)
        equal(d.fetch("b").body, b"hello")
        until(lambda: json.loads(d.fetch("b", uri="/s?json").body)
              ["killed requests"] == 0)


@test
def thousand_rounds():
    """a worker overwrites all that it shares, whole and in parts, a thousand
    times, while reloads, upgrades, status queries and kills go on: the master
    lives, and no request of the other pool fails"""
    storm()


@test
def thousand_rounds_with_a_log():
    """the same of a worker that writes an access log, whose lines are in what
    it overwrites"""
    logs = scratch()
    os.chmod(logs, 0o755)
    storm(logs={"access": logs + "/access.log"},
          workers={"mode": "dynamic", "max": 4, "start": 2})
    with open(logs + "/access.log", "rb") as f:
        bad = [c for line in f for c in line if c < 32 and c != 10]
    equal(bad[:10], [], "control characters in the log")
    shutil.rmtree(logs)


run(limit=240)

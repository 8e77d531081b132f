#!/usr/bin/env python3
"""Recycling: a worker that has done enough is replaced, and nobody notices."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

ASKS = r"\[pid %s\] asks for a successor: %s"
INFO = {"log_level": "info"}


def workers(n, **keys):
    return {"mode": "static", "max": n, **keys}


def pid(d):
    return int(d.lua("return text(pid())").body)


def asked(d, why, who=r"\d+"):
    return d.wait_log(ASKS % (who, why))


def gone(d, old, n=1):
    """Those workers have left, and others are there."""
    until(lambda: len(d.workers()) == n and
          not set(old) & set(d.workers()), "workers are new")


def children_now(d):
    with open("/proc/%d/task/%d/children" % (d.pid, d.pid)) as f:
        return f.read().split()


def count(d):
    """Children, those about to be reaped included.  A look may miss some
    while others come or go, so two in a row have to say the same."""
    seen = children_now(d)
    while True:
        before, seen = seen, children_now(d)
        if seen == before:
            return len(seen)


@contextlib.contextmanager
def never_below(d, least, most):
    """Watches meanwhile how many workers there are."""
    seen, ending = [], threading.Event()

    def watch():
        while not ending.is_set():
            seen.append(count(d))
            time.sleep(0.002)
    t = threading.Thread(target=watch, daemon=True)
    t.start()
    yield
    ending.set()
    t.join()
    assert least <= min(seen) and max(seen) <= most, \
        "%d to %d workers" % (min(seen), max(seen))


def load(d, n, keep):
    out = subprocess.run(ask_many(d.address(), n, keep), capture_output=True,
                         text=True)
    equal(json.loads(out.stdout)["answered"], n, out.stdout + out.stderr)


def under_load(keep):
    n = 1000
    sent, served = 0, []
    wanted = 10 if SANITIZED else 30 if PROTOCOL == HTTP else 100
    with Daemon(app=ANSWERS, top=INFO,
                workers=workers(4, max_requests=50)) as d:
        with never_below(d, 4, 8):
            while len(served) < wanted:
                load(d, n, keep)
                sent += n
                served = re.findall(ASKS % (r"(\d+)",
                                            r"after (\d+) requests"),
                                    d.read_log())
        diag("%d requests, %d workers replaced" % (sent, len(served)))
        equal(len({who for who, _ in served}), len(served), "asked once each")
        numbers = [int(n) for _, n in served]
        assert 45 <= min(numbers) and max(numbers) <= 55, numbers
        d.wait_workers(4)
        equal(re.findall(r".* (?:warning|error) (?!.*pool www: full:).*",
                         d.read_log()), [])


@test
def max_requests_fresh():
    """max_requests under load on fresh connections: no request fails, over
    100 workers are replaced, never fewer than there should be"""
    under_load(False)


@test
def max_requests_kept():
    """the same on connections that are kept alive"""
    under_load(True)


@test
def max_requests_jitter():
    """each worker draws its own max_requests within a tenth"""
    with Daemon(top=INFO, workers=workers(1, max_requests=100)) as d:
        numbers = set()
        for _ in range(6):
            old, mark = d.wait_workers(1), d.log_mark()
            for _ in range(110):
                d.fetch()
            numbers.add(int(d.wait_log(ASKS % (old[0], r"after (\d+) "),
                                       mark)[1]))
            gone(d, old)
        assert all(90 <= n <= 110 for n in numbers), numbers
        assert len(numbers) > 1, numbers


@test
def serves_until_replaced():
    """until its successor is ready a worker goes on serving"""
    app = app_source("eval.lua").replace(
        "starts = starts + 1",
        'local f = io.open("FIFO") if f then f:read("a") end')
    d = Daemon(top=INFO, workers=workers(1, max_requests=3))
    fifo = d.dir + "/rw/start"
    d.write_app(app.replace("FIFO", fifo))
    with d:
        os.mkfifo(fifo)
        os.chmod(fifo, 0o666)
        old = d.wait_workers(1)
        for _ in range(20):
            equal(pid(d), old[0])
        equal(len(d.wait_workers(2)), 2, "the successor is on its way")

        def opened():
            with contextlib.suppress(OSError):
                os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
                return True
        until(opened, "the successor starts")
        os.unlink(fifo)
        gone(d, old)
        equal(d.fetch().status, 200)


@test
def no_successor():
    """a successor that does not come up: the worker stays, asks again ever
    more seldom; once the fault is mended it is replaced"""
    with Daemon(top={"log_level": "debug"}, workers=workers(1, max_requests=2)) as d:
        d.expect(r"no good", r"has no successor and stays",
                 r"exited with code 70")
        source = app_source("eval.lua")
        d.write_app("error('no good')")
        old = d.wait_workers(1)
        for _ in range(5):
            equal(pid(d), old[0])
        d.wait_log(r"has no successor and stays")
        began = time.monotonic()
        for _ in range(200):
            equal(pid(d), old[0])
        d.wait_log(r"\[pid %d\] still waits for a successor: after" % old[0])
        tries = len(re.findall(r"no good", d.read_log()))
        assert tries <= 3 + (time.monotonic() - began) / 0.5, tries
        d.write_app(source)
        gone(d, old)
        equal(d.fetch().status, 200)


@test
def max_age():
    """a worker of max_age is replaced even though nobody calls it"""
    with Daemon(top=INFO, workers=workers(2, max_age="1s")) as d:
        old = d.wait_workers(2)
        began = time.monotonic()
        with never_below(d, 2, 4):
            asked(d, r"at the age of \ds")
            until(lambda: not set(old) & set(d.workers()), "new workers")
        assert time.monotonic() - began < 15
        assert d.fetch().status == 200


@test
def max_age_of_a_connection():
    """a kept-alive connection survives the worker that it was idle at"""
    with Daemon(top=INFO, workers=workers(1, max_age="1s")) as d:
        old = d.wait_workers(1)
        with d.connect() as c:
            for _ in range(3):
                c.send(request(lua="return text(pid())", keep=True))
                equal(c.response().status, 200)
            until(lambda: not set(old) & set(d.workers()), "a new worker")
            c.send(request(lua="return text(pid())", keep=True))
            assert int(c.response().body) != old[0]


@test
def rss():
    """limits.rss: a worker that has grown too large is replaced"""
    with Daemon(top=INFO, workers=workers(1),
                limits={"rss": "64M"}) as d:
        old = pid(d)
        for _ in range(50):
            equal(pid(d), old)
        equal(d.lua("hold = ('x'):rep(100000000) return text('big')").body,
              b"big")
        gone(d, [old])
        asked(d, r"resident memory of \d+[KM] is above limits.rss, 64M", old)
        new = pid(d)
        for _ in range(50):
            equal(pid(d), new)


@test
def rss_too_low():
    """limits.rss below what a fresh worker takes is ignored, with a
    warning"""
    app = "local hold = ('x'):rep(30000000)\n" + app_source("eval.lua")
    with Daemon(app=app, top=INFO, workers=workers(1),
                limits={"rss": "8M"}) as d:
        d.wait_log(r"warning .* limits.rss, 8M, is ignored: a fresh worker "
                   r"has \d+[KM]")
        old = pid(d)
        for _ in range(50):
            equal(pid(d), old)


EAT = "local t = {} for i = 1, math.huge do t[i] = ('x'):rep(100) .. i end"


@test
def memory():
    """limits.memory: the request that exceeds it gets a 500, the log says
    why, the worker is replaced after it, others go on"""
    with Daemon(top=INFO, workers=workers(1),
                limits={"memory": "16M"}) as d:
        d.expect(r"memory limit 16M exceeded")
        for text in (EAT, "coroutine.wrap(function() %s end)()" % EAT,
                     "return text(('x'):rep(20000000))"):
            old, mark = pid(d), d.log_mark()
            response = d.lua(text, uri="/greedy")
            equal(response.status, 500)
            assert b"memory" not in response.out, response.out
            d.wait_log(r"error .*\[pid %d\] \[request \S+\] GET /greedy: memory "
                       r"limit 16M exceeded: (request:1: )?not enough "
                       r"memory" % old, mark)
            d.wait_log(ASKS % (old, "its Lua heap has reached "
                               "limits.memory"), mark)
            gone(d, [old])
        assert d.fetch().status == 200


@test
def memory_caught():
    """limits.memory: caught by the application it is the application's, and
    the worker is replaced all the same"""
    with Daemon(top=INFO, workers=workers(1),
                limits={"memory": "16M"}) as d:
        old = pid(d)
        body = d.lua("local ok, why = pcall(function() %s end) "
                     "return text(tostring(ok), why)" % EAT).body
        equal(body, b"false")
        d.wait_log(r"warning .*memory limit 16M exceeded: caught")
        gone(d, [old])
        assert d.fetch().status == 200


@test
def memory_under_load():
    """limits.memory: greedy requests harm no other, however many"""
    n = 20 if SANITIZED else 40
    with Daemon(top=INFO, workers=workers(4),
                limits={"memory": "8M"}) as d:
        d.expect(r"memory limit 8M exceeded")
        ending, statuses = threading.Event(), []

        def others():
            while not ending.is_set():
                statuses.append(d.fetch().status)
        threads = [threading.Thread(target=others) for _ in range(3)]
        for t in threads:
            t.start()
        greedy = [d.lua(EAT).status for _ in range(n)]
        ending.set()
        for t in threads:
            t.join()
        equal(set(greedy), {500})
        equal(set(statuses), {200})
        d.wait_workers(4)


@test
def retire():
    """an application that asks for its worker to be replaced: the response is
    whole, the status has the cause, and a request after it finds a worker"""
    with Daemon(top=INFO, workers=workers(1), status_path="/status") as d:
        old = pid(d)
        d.expect("fpm.worker.retire cannot be set")
        for code in ("worker.retire() return text('done')",
                     "env:after(worker.retire) return text('done')"):
            mark = d.log_mark()
            r = d.lua("local worker = require('fpm').worker " + code)
            equal((r.status, r.body), (200, b"done"))
            d.wait_log(ASKS % (old, "the application wants it$"), mark)
            gone(d, [old])
            old = pid(d)
        got = json.loads(d.fetch(uri="/status?json").body)
        equal({k for k, v in got["recycled"].items() if v}, {"retire"})
        equal(d.lua("require('fpm').worker.retire = 1").status, 500)


@test
def checked():
    """-t: an application that needs more than limits.memory is a fault; so
    are limits that make no sense"""
    d = Daemon(app="local t = {} for i = 1, 1e6 do t[i] = {} end "
               "return { accept = print }", limits={"memory": "1M"})
    d.write_conf()
    out = subprocess.run([LUA_FPM, "-t", "-c", d.file], capture_output=True,
                         text=True)
    equal(out.returncode, 78)
    matches(r"not enough memory \(memory limit 1M\)", out.stdout + out.stderr)
    d.set_pool("www", workers=workers(1, max_age="500ms"),
               limits={"memory": 1000, "rss": "1M"})
    d.write_conf()
    out = subprocess.run([LUA_FPM, "-t", "-c", d.file], capture_output=True,
                         text=True)
    equal(out.returncode, 78)
    for fault in (r"workers\.max_age is neither 0 nor at least 1s",
                  r"limits\.memory is neither 0 nor at least 256K",
                  r"limits\.rss is neither 0 nor at least 8M"):
        matches(r"lua-fpm\.conf:\d+: .*" + fault, out.stdout + out.stderr)
    d.destroy()


run(limit=180)

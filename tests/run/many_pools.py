#!/usr/bin/env python3
"""Many pools of two workers: start, reload, change one, stop; and what
the master costs while nothing happens."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

POOLS = 60 if SANITIZED else 200
# No third: one would be forked while a slow machine's two restart.
TWO = {"mode": "dynamic", "max": 2, "start": 2, "min_spare": 2,
       "max_spare": 2}
NAMES = ["pool%03d" % i for i in range(POOLS)]
d = Daemon(pools={name: {"workers": TWO} for name in NAMES})
LONG = 180 if SANITIZED else 60


def by_pool():
    """Pids of the workers by pool, in one look at /proc."""
    found = {name: [] for name in NAMES}
    for pid in children(d.pid):
        with contextlib.suppress(KeyError, TypeError):
            found[re.search(r"pool (\w+)", command_line(pid))[1]].append(pid)
    return found


def complete():
    """by_pool() if each has its two, looked at ten times a second: on a
    machine of two processors looking costs more than what is looked at."""
    time.sleep(0.1)
    found = by_pool()
    return found if all(len(p) == 2 for p in found.values()) else None


def took(began, what):
    diag("%s: %.2f s" % (what, time.monotonic() - began))


@test
def start():
    """all of them start, and each serves at its own address"""
    began = time.monotonic()
    d.write_conf()
    # perturbed memory is touched memory, which every fork has to copy
    d.spawn(env={"MALLOC_PERTURB_": "0"})
    d.wait_note("READY=1", LONG)
    matches("ready: %d of %d" % (POOLS, POOLS), d.read_log())
    took(began, "start")
    until(complete, "two workers in each", LONG)
    d.fds_before = d.count_fds()
    for name in NAMES[::23]:
        equal(d.fetch(name).body, b"hello", name)


def idle_cost(pid):
    """(voluntary context switches, CPU ticks) so far."""
    with open("/proc/%d/status" % pid) as f:
        switches = int(re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)",
                                 f.read())[1])
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rpartition(")")[2].split()
    return switches, int(fields[11]) + int(fields[12])


def over(seconds, pids):
    """What each of these cost in that time."""
    before = [idle_cost(pid) for pid in pids]
    time.sleep(seconds)
    return [(s1 - s0, t1 - t0) for (s0, t0), (s1, t1) in
            zip(before, [idle_cost(pid) for pid in pids])]


@test
def idle():
    """while nothing happens the master sleeps: over five seconds it is hardly
    woken and uses no time of the processor, nor do its workers"""
    pids = [d.pid, until(complete)[NAMES[7]][0]]
    until(lambda: over(1, pids)[0][0] == 0, "quiet after the start")
    for who, (wakes, ticks) in zip(("master", "worker"), over(5, pids)):
        diag("%s: %d wake-ups, %d ticks in 5 s" % (who, wakes, ticks))
        assert wakes <= 2 and ticks <= 1, who


@test
def hangup():
    """a HUP reaches every worker of every pool, none is replaced"""
    before = complete()
    mark = d.log_mark()
    began = time.monotonic()
    d.reload(LONG)
    until(lambda: d.read_log(mark).count("restart called") == 2 * POOLS,
          "restart called in each", LONG)
    took(began, "HUP")
    equal(by_pool(), before)


@test
def one_changes():
    """a change of one pool replaces its workers and nobody else's"""
    before = complete()
    d.set_pool(NAMES[POOLS // 2], workers=TWO, environment={"V": "new"})
    d.write_conf()
    began = time.monotonic()
    d.reload(LONG)

    def renewed():
        now = complete()
        return now if now and not (set(now[NAMES[POOLS // 2]]) &
                                   set(before[NAMES[POOLS // 2]])) else None
    after = until(renewed, "new workers in one pool", LONG)
    took(began, "a change in one of them")
    equal({n: p for n, p in after.items() if n != NAMES[POOLS // 2]},
          {n: p for n, p in before.items() if n != NAMES[POOLS // 2]})
    equal(d.lua("return text(os.getenv('V'))", NAMES[POOLS // 2]).body, b"new")


@test
def all_change():
    """a change of all replaces every worker; one pool that is asked all the
    while fails no request"""
    before = set(children(d.pid))
    load = Load(d.address(NAMES[50]), clients=1)
    for name in NAMES:
        d.set_pool(name, workers=TWO, environment={"V": "all"})
    d.write_conf()
    began = time.monotonic()
    d.reload(LONG)
    until(lambda: complete() and not before & set(children(d.pid)),
          "new workers in all", LONG)
    took(began, "a change in all")
    load.more(10)
    equal(load.stop()[1], [])


@test
def stop():
    """all of them stop, and nothing is left"""
    began = time.monotonic()
    d.stop(timeout=LONG)
    took(began, "stop")


run(200)

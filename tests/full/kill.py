#!/usr/bin/env python3
"""1,000 times kill -9 of a worker at a random moment under load: only what is
in its hands fails, and no count drifts."""

from full import *

if not FULL:
    Daemon.program = QUICK  # which forks again sooner
KILLS = 1000 if FULL else 60
MAX = 6


def connections(pid):
    """Sockets that a worker holds."""
    return sum(link.startswith("socket:") for _, link in fds(pid))


def in_hands(pid, idle):
    """Kill a worker, wherever it is, and return how many connections it
    held.  Stopped first, it takes no more while they are counted."""
    kill(pid, signal.SIGSTOP)
    until(lambda: (process_stat(pid) or "Z")[0] in "TZ",
          "it is stopped")
    held = max(0, connections(pid) - idle)  # it may be starting
    kill(pid, signal.SIGKILL)
    return held


def status(d):
    return json.loads(d.fetch(uri="/status?json").body)


def kills(mode, keep):
    with Daemon(app=ANSWERS, status_path="/status", workers=mode) as d:
        d.expect("killed by signal 9", "while it served")
        idle = connections(d.wait_ready(mode.get("start", MAX))[0])
        held = 0
        s = Storm(ask_many(d.address(), RUN, keep, CLIENTS))
        for i in range(KILLS):
            victim = random.choice(until(lambda: d.workers(), "a worker", 60))
            with contextlib.suppress(OSError):
                held += in_hands(victim, idle)
            s.reach(s.done + random.choice((0, 0, 1)))
        done, failed = s.stop()
        diag("%d requests, %d kills, %d connections in their hands, %d "
             "requests failed" % (done, KILLS, held, failed))
        assert failed <= held, s.failures[:3]
        until(lambda: len(d.workers()) >= mode.get("min_spare", MAX),
              "as many workers as there should be", 60)
        until(lambda: all(connections(w) == idle for w in d.workers()),
              "all connections are gone")

        asked = []

        def settled():
            asked.append(1)
            seen = status(d)
            return seen["active processes"] == 1 and \
                seen["idle processes"] == seen["total processes"] - 1 and \
                seen["total processes"] == len(d.workers()) and \
                seen["starting processes"] == seen["leaving processes"] == 0 \
                and seen

        # A count that has drifted stays so.
        seen = until(settled, "each worker is idle but the one that answers",
                     60)
        # Every request but the one that asks is over, or was killed.
        diag("begun %d, done %d, killed %d" % (
            seen["accepted conn"], seen["requests"],
            seen["killed requests"]))
        equal(seen["accepted conn"],
              seen["requests"] + seen["killed requests"] + 1)
        assert seen["killed requests"] <= KILLS
        # Nothing that was answered is missing (a kill may come between a
        # response and its count), nothing is counted twice.
        counted = seen["accepted conn"] - len(asked)
        assert counted >= done - failed, (counted, done, failed)
        assert keep or counted <= done, (counted, done)
        assert len(d.workers()) <= MAX


@test
def static():
    """static, fresh connections"""
    kills({"mode": "static", "max": MAX}, False)


@test
def static_kept():
    """static, kept connections"""
    kills({"mode": "static", "max": MAX}, True)


@test
def dynamic():
    """dynamic, fresh connections"""
    kills({"mode": "dynamic", "max": MAX, "start": 3, "min_spare": 2,
           "max_spare": 4}, False)


run(3600 if FULL else 180, needs=(LUA_FCGI,))

#!/usr/bin/env python3
"""Connections cannot be taken: a worker waits, says so once, sends others to
the clients, and goes on; requests being served are not harmed."""

from faults import *

ONE = {"mode": "static", "max": 1}
TWO = {"mode": "static", "max": 2}
AGAIN = "takes connections again"


def clients_wait(error, workers=ONE):
    """Every worker fails to accept: clients wait, then are served."""
    faults = Faults()
    with preloaded(faults, app=app_source("eval.lua"), workers=workers) as d:
        n, gate = workers["max"], d.gate()
        d.wait_ready(n)
        busy = Background(d.lua, gate.lua + "return text('whole')")
        gate.wait()
        mark = d.log_mark()
        faults.fail("accept4", error, WORKERS)
        clients = [Background(d.lua, "return text('hello')")
                   for _ in range(5)]
        gate.open()
        equal(busy.result().body, b"whole", "the request in hand")
        with Quiet(d):
            faults.wait("accept4", 5)
            lasts(0.5)
        assert all(c.is_alive() for c in clients), "they wait"
        # each tries ten times a second, and says so once
        said = count(d, "cannot take connections for now: " +
                     os.strerror(error), mark)
        assert 1 <= said <= n, said
        faults.end("accept4")
        for c in clients:
            equal(c.result(10).body, b"hello")
        d.wait_log(AGAIN, mark)
        assert count(d, "cannot take connections", mark) <= n
        equal(d.lua("return text('hello')").body, b"hello")


@test
def process_limit():
    """accept4: EMFILE"""
    clients_wait(errno.EMFILE)


@test
def system_limit():
    """accept4: ENFILE, in both of two workers"""
    clients_wait(errno.ENFILE, TWO)


@test
def memory():
    """accept4: ENOMEM"""
    clients_wait(errno.ENOMEM)


@test
def buffers():
    """accept4: ENOBUFS"""
    clients_wait(errno.ENOBUFS)


@test
def aborted():
    """accept4: a client that has gone before it was taken is no reason to
    wait, nor to say anything"""
    faults = Faults()
    with preloaded(faults, workers=ONE) as d:
        mark = d.log_mark()
        faults.fail("accept4", errno.ECONNABORTED, WORKERS, times=3)
        serves(d)
        equal(faults.get("accept4", "failed"), 3)
        equal(d.read_log(mark), "")


@test
def others_are_sent():
    """a client whom one worker cannot take is served by another, though only
    the first was woken"""
    faults = Faults()
    with preloaded(faults, app=app_source("eval.lua"), workers=TWO) as d:
        d.wait_ready(2)
        for victim in d.workers():
            faults.fail("accept4", errno.EMFILE, victim)
            for _ in range(20):
                equal(d.lua("return text('hello')").status, 200)
            faults.end("accept4")


@test
def no_room_in_the_wait_set():
    """epoll_ctl: a worker that cannot wait for listeners tries again"""
    faults = Faults()
    d = Daemon(app=HELLO, workers=ONE)
    # its signals and its channel, then the listener
    faults.fail("epoll_ctl", errno.ENOSPC, WORKERS, skip=2, times=1)
    with d.start(env=faults.env()):
        equal(faults.get("epoll_ctl", "failed"), 1)
        serves(d)


@test
def descriptors():
    """a real limit of descriptors, all held by the application: idle
    connections make room, everybody is served"""
    app = """
    local held = {}
    return { accept = function(env)
        if env.REQUEST_URI == "/hold" then
            repeat
                local f = io.open("/dev/null")
                held[#held + 1] = f
            until not f
        elseif env.REQUEST_URI == "/release" then
            for _, f in ipairs(held) do f:close() end
            held = {}
        end
        return {}, "hello"
    end }"""
    with Daemon(app=app, workers=ONE, limits={"files": 200}) as d:
        kept, spare = d.connect(), d.connect()
        for c in (kept, spare):
            equal(c.ask(keep=True).body, b"hello")
        equal(kept.ask(keep=True, uri="/hold").body, b"hello")
        equal(d.fetch().body, b"hello", "spare made room")
        assert spare.eof()
        # One descriptor is left for all who come.
        clients = [Background(serves, d, 20) for _ in range(4)]
        for c in clients:
            c.result()
        equal(d.fetch(uri="/release").body, b"hello")
        serves(d)


@test
def master_descriptors():
    """a real limit of descriptors in the master: workers are replaced once
    it is gone"""
    with Daemon(app=HELLO, workers=TWO).start(env=NO_LEAK_SEARCH) as d:
        d.expect("cannot fork a worker", "killed by signal 9",
                 # one that is forked all the same has no more than that
                 "Too many open files", "exited with code 7[01]")
        d.wait_ready(2)
        used = max(fd for fd, _ in fds(d.pid)) + 1
        until(lambda: tool("--pid", str(d.pid), "--nofile=%d:" % used,
                           program="prlimit")[0] == 0)
        kill(d.workers()[0], signal.SIGKILL)
        d.wait_log("was killed")
        kill(d.workers()[0], signal.SIGKILL)
        d.wait_log("cannot fork a worker: Too many open files", timeout=10)
        client = Background(d.fetch)
        with Quiet(d):
            lasts(0.5)
        equal(count(d, "cannot fork a worker"), 1)
        tool("--pid", str(d.pid), "--nofile=1000:", program="prlimit")
        equal(client.result(10).body, b"hello")
        d.wait_workers(2)


run(150)

#!/usr/bin/env python3
"""Other calls that the machine refuses for a while."""

from faults import *

TWO = {"mode": "static", "max": 2}


def reload_fails(call, error, reason, skip=0):
    """A reload that needs the call is refused, and the old workers stay."""
    faults = Faults()
    with preloaded(faults, workers=TWO) as d:
        d.expect("reload", "pool more", "www")
        old = d.wait_ready(2)
        mark = d.log_mark()
        d.set_pool("more", workers=TWO)
        d.write_conf()
        faults.fail(call, error, MASTER, skip=skip)
        d.kill(signal.SIGHUP)
        d.wait_log(" error .*" + reason, mark)
        serves(d)
        equal(d.workers(), old)
        faults.end(call)
        d.reload()
        d.wait_workers(2, "more")
        serves(d, pool="more")
        d.drop_pool("more")
        d.write_conf()
        d.reload()
        d.wait_workers(2)


@test
def memfd():
    """memfd_create: EMFILE at a reload"""
    reload_fails("memfd_create", errno.EMFILE, "Too many open files")


@test
def mmap_():
    """mmap: ENOMEM at a reload"""
    reload_fails("mmap", errno.ENOMEM, "Cannot allocate memory")


@test
def sockets():
    """socketpair: ENFILE at a reload"""
    reload_fails("socketpair", errno.ENFILE, "Too many open files in system")


@test
def threads():
    """pthread_create: EAGAIN: workers do not come up, ever more slowly, and
    do once it is over"""
    faults = Faults()
    with preloaded(faults, workers=TWO) as d:
        d.expect("cannot start a second thread .*: Resource temporarily",
                 "exited with code 71", "killed by signal 9", "come up")
        d.wait_ready(2)
        faults.fail("pthread_create", errno.EAGAIN, WORKERS)
        kill(d.workers()[0], signal.SIGKILL)
        with Quiet(d):
            faults.wait("pthread_create", 3)
            serves(d)
        faults.end("pthread_create")
        until(lambda: len(d.workers()) == 2 and serves(d, 1) is None)
        d.reload()


@test
def poll():
    """ppoll: the master has no memory to wait with: it goes on, slowly"""
    faults = Faults()
    with preloaded(faults, workers=TWO) as d:
        d.expect("killed by signal 9")
        old = d.wait_ready(2)
        faults.fail("ppoll", errno.ENOMEM, MASTER)
        with Quiet(d):
            kill(old[0], signal.SIGKILL)
            faults.wait("ppoll", 6)
            d.wait_workers(2)
            serves(d)
        faults.end("ppoll")
        d.reload()
        serves(d)


@test
def log():
    """write: EIO from the disk below the log: nothing else suffers, the log
    says how many lines it lost"""
    faults = Faults()
    d = Daemon(app=HELLO, workers=TWO)
    path = d.top["error_log"] = d.dir + "/error.log"
    with d.start(env=faults.env()):
        fd = next(n for n, link in fds(d.pid) if link == path)
        faults.fail("write", errno.EIO, MASTER, fd=fd)
        for _ in range(3):
            d.reload()
        serves(d)
        faults.end("write")
        d.reload()
        with open(path) as f:
            matches(r"\d+ from this process are lost: Input/output error",
                    f.read())


@test
def responses():
    """send: EPIPE in the middle of a response: the worker lives"""
    faults = Faults()
    with preloaded(faults, workers={"mode": "static", "max": 1}) as d:
        worker = d.wait_workers(1)[0]
        before = {fd for fd, _ in fds(worker)}
        kept = d.connect()
        equal(kept.ask(keep=True).body, b"hello")
        fd, = {fd for fd, _ in fds(worker)} - before
        faults.fail("send", errno.EPIPE, WORKERS, fd=fd)
        kept.send(request(keep=True))
        assert kept.eof()
        equal(faults.get("send", "failed"), 1)
        faults.end("send")
        serves(d)
        equal(d.workers(), [worker])


def turned_away(faults, begin, ends=False):
    """A client that waits too long while the exchange takes nothing: it is
    accepted, and answered once there is room, after begin(daemon)."""
    d = preloaded(faults, app=app_source("eval.lua"),
                  workers={"mode": "static", "max": 1},
                  timeouts={"queue": "100ms", "stop": "10s"})
    gate = d.gate()
    held = Background(d.lua, gate.lua + "return text('held')")
    gate.wait()
    faults.fail("sendmsg", errno.ETOOMANYREFS, MASTER)
    late = Background(d.fetch)
    faults.wait("sendmsg")
    begin(d)
    faults.end("sendmsg")
    gate.open()
    equal(held.result().body, b"held")
    equal(late.result().status, 503)
    if ends:
        d.ended(0)
        d.destroy()
    else:
        serves(d)
        d.stop()


@test
def exchange():
    """sendmsg of descriptors: ETOOMANYREFS while the master hands on who waited
    too long: the client is answered once a worker is idle"""
    turned_away(Faults(), lambda d: None)


@test
def exchange_stop():
    """the same if the daemon stops meanwhile"""
    def stop(d):
        d.kill(signal.SIGTERM)
        d.wait_log("stopping")
    turned_away(Faults(), stop, ends=True)


@test
def exchange_upgrade():
    """the same if the daemon is upgraded meanwhile"""
    def upgrade(d):
        d.kill(signal.SIGUSR2)
        d.wait_log(" upgraded from ")
    turned_away(Faults(), upgrade)


run(120)

#!/usr/bin/env python3
"""Workers cannot be forked: the pool waits, says so once, and goes on."""

from faults import *

Daemon.program = QUICK  # which forks again sooner

WORKERS = {"mode": "static", "max": 3}


def workers_fail(call, error, times=4):
    """A worker dies while `call` fails in the master."""
    faults = Faults()
    with preloaded(faults, workers=WORKERS) as d:
        d.expect("cannot fork a worker", "killed by signal 9")
        d.wait_ready(3)
        mark = d.log_mark()
        faults.fail(call, error, MASTER)
        kill(d.workers()[0], signal.SIGKILL)
        faults.wait(call, 1)
        load = Load(d.address(), clients=2)
        load.more(20)
        equal(load.stop()[1], [])
        with Quiet(d):
            faults.wait(call, times)
        serves(d)
        equal(count(d, "cannot fork a worker: " + os.strerror(error), mark),
              1, "lines that say so")
        equal(len(d.workers()), 2)
        faults.end(call)
        d.wait_log("workers can be forked again", mark, 10)
        d.wait_workers(3)
        serves(d)
        equal(zombies(d.pid), [])


@test
def fork_again():
    """fork: EAGAIN"""
    workers_fail("fork", errno.EAGAIN)


@test
def fork_memory():
    """fork: ENOMEM"""
    workers_fail("fork", errno.ENOMEM)


@test
def channel():
    """no descriptors for a worker's channel"""
    workers_fail("socketpair", errno.EMFILE)


@test
def output():
    """no descriptors for a worker's output"""
    workers_fail("pipe2", errno.ENFILE)


def replaced(d):
    """One worker is killed, and another is there in its place."""
    pid = d.wait_ready(3)[0]
    kill(pid, signal.SIGKILL)
    until(lambda: pid not in d.workers() and len(d.workers()) == 3)
    d.wait_ready(3)


@test
def not_watched():
    """no memory to watch a worker with: it is killed, later ones live"""
    faults = Faults()
    with preloaded(faults, workers=WORKERS) as d:
        d.expect("cannot be watched", "killed by signal 9",
                 "cannot fork a worker")
        # How often the master allocates for a worker, of which the watch is
        # among the last.
        faults.fail("alloc", errno.ENOMEM, MASTER, skip=1 << 40)
        replaced(d)
        for skip in range(faults.get("alloc", "seen"), 0, -1):
            faults.fail("alloc", errno.ENOMEM, MASTER, times=1, skip=skip)
            replaced(d)
            if "cannot be watched: Cannot allocate memory: killed" in \
                    d.read_log():
                break
        else:
            raise AssertionError("it never happened")
        faults.end("alloc")
        d.wait_ready(3)
        serves(d)


@test
def ondemand():
    """a client of a pool without workers waits until there can be one"""
    faults = Faults()
    with preloaded(faults, workers={"mode": "ondemand", "max": 2,
                                    "idle_timeout": "100ms"}) as d:
        d.expect("cannot fork a worker")
        d.wait_workers(0)
        faults.fail("fork", errno.EAGAIN, MASTER)
        client = Background(d.fetch)
        with Quiet(d):
            faults.wait("fork", 4)
        assert client.is_alive(), "it waits"
        faults.end("fork")
        equal(client.result(10).body, b"hello")
        equal(count(d, "cannot fork a worker"), 1)


@test
def reload():
    """a reload without forks changes nothing and says so; a later one works"""
    faults = Faults()
    with preloaded(faults, workers=WORKERS) as d:
        d.expect("cannot fork a worker", "new workers do not come up",
                 "reload")
        old = d.wait_ready(3)
        faults.fail("fork", errno.EAGAIN, MASTER)
        d.set_pool("www", workers={"mode": "static", "max": 2})
        d.write_conf()
        d.kill(signal.SIGHUP)
        d.wait_log("new workers do not come up, the old ones stay")
        serves(d)
        equal(d.workers(), old)
        faults.end("fork")
        d.reload()
        d.wait_workers(2)
        assert not set(old) & set(d.workers())
        serves(d)


@test
def at_start():
    """workers that cannot be forked at the start come later"""
    faults = Faults()
    d = Daemon(app=HELLO, workers=WORKERS)
    d.expect("cannot fork a worker")
    faults.fail("fork", errno.EAGAIN, MASTER, skip=1)
    d.start(env=faults.env())
    d.wait_workers(1)
    serves(d)
    faults.end("fork")
    d.wait_workers(3)
    d.fds_before = d.count_fds()
    d.stop()


@test
def none_at_start():
    """none at all at the start: a clear error, and the exit code says so"""
    faults = Faults()
    d = Daemon(app=HELLO, workers=WORKERS)
    d.write_conf()
    faults.fail("fork", errno.EAGAIN, MASTER)
    d.spawn(env=faults.env())
    d.ended(70)
    matches("cannot fork a worker: Resource temporarily unavailable",
            d.read_log())
    matches("no pool came up", d.read_log())
    d.destroy()


@test
def processes():
    """a real limit of processes (RLIMIT_NPROC), which root does not have"""
    if not ROOT:
        raise Skip("needs root")
    uid = 60000 + os.getpid() % 5000
    d = Daemon(app=HELLO, user=None, workers=WORKERS)
    d.expect("cannot fork a worker", "killed by signal 9")
    d.top["pid_file"] = d.dir + "/rw/pid"
    d.set_pool("www", user=None, workers=WORKERS,
               listen=d.dir + "/rw/www.sock")
    d.write_conf()
    become = ("--reuid", str(uid), "--regid", str(uid), "--clear-groups")

    def limit(n):
        equal(tool(*become, "prlimit", "--pid", str(d.pid), "--nproc=" + n,
                   program="setpriv")[0], 0)

    d.spawn(program="setpriv", args=(*become, LUA_FPM, "-c", d.file))
    d.wait_log("ready: 1 of 1")
    d.wait_ready(3)
    limit("3:1000")
    kill(d.workers()[0], signal.SIGKILL)
    with Quiet(d):
        d.wait_log("cannot fork a worker: Resource temporarily unavailable")
        serves(d)
    limit("1000:1000")
    d.wait_log("workers can be forked again")
    d.wait_workers(3)
    equal(count(d, "cannot fork a worker"), 1)
    d.stop()


run(150)

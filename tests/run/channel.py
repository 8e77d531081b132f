#!/usr/bin/env python3
"""What a hostile worker does on the sockets that it shares with the master:
the master says so once where it matters, and neither it nor another pool is
held up."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

HOSTILE = os.path.join(BUILD, "tests", "hostile", "hostile.so")
LOAD = "hostile = hostile or assert(package.loadlib(%r, 'luaopen_hostile'))() "
ONE = {"mode": "static", "max": 1}


def two(**a):
    """Pool a is hostile, pool b is not."""
    if not ROOT:
        raise Skip("not root")
    d = Daemon(pools={"a": {"user": "nobody", "workers": ONE, **a},
                      "b": {"user": "www-data", "workers": ONE,
                            "status_path": "/s"}})
    d.top["control"] = d.dir + "/control.sock"
    shutil.copy(HOSTILE, d.dir)
    return d


def attack(d, what):
    return d.lua(LOAD % (d.dir + "/hostile.so") +
                 "return text(tostring(hostile.%s))" % what,
                 "a").body.decode()


def channel_of_a(d):
    return channel(d, d.wait_ready(1, "a")[0])


def status(d, pool):
    code, out, err = tool("-c", d.file, "status", "--json",
                          program=LUA_FPMCTL)
    equal(code, 0, out + err)
    return [p for p in json.loads(out)["pools"] if p["pool"] == pool][0]


@test
def no_words():
    """messages that are no word, or too long: ignored, and said once"""
    with two() as d:
        fd, pids = channel_of_a(d), d.workers()
        for text in ("Z", "R ", "\\0", "x" * 5000, "\\255"):
            assert attack(d, "say(%d, '%s', 0)" % (fd, text)) == "1"
        d.wait_log(r"warning \[pool a\] \[pid %d\] says what is no word" %
                   d.workers("a")[0])
        equal(status(d, "a")["total processes"], 1)
        equal(d.workers(), pids)
        equal(len(re.findall("is no word", d.read_log())), 1)


@test
def flood():
    """words without end, and none of what the master answers is read: others
    do not wait, the master takes a small part of a processor and no memory,
    and says so once"""
    with two() as d:
        d.wait_ready(1, "b")
        size = rss(d.pid)
        for word in "QCZHlw":
            fd = channel_of_a(d)
            before, begun = cpu(d.pid), time.monotonic()
            flood = Background(attack, d, "say(%d, '%s', 1500)" % (fd, word))

            def times():
                found = []
                for uri in ("/", "/s") * 50:
                    start = time.monotonic()
                    equal(d.fetch("b", uri=uri).status, 200)
                    found.append(time.monotonic() - start)
                return found
            in_time(times, 0.1)
            said = int(flood.result())
            took = (cpu(d.pid) - before) / (time.monotonic() - begun)
            diag("%s: %d words, %.0f %% of a processor" % (word, said,
                                                           took * 100))
            assert said > 100, "is it a flood?"
            assert took < 0.4 * (3 if SANITIZED else 1), took
        d.wait_log("does not take what the master sends it")
        d.wait_log(r"pool a\] .*says more than a worker has to say")
        equal(len(re.findall(r"pool a\] .*says more than", d.read_log())), 1)
        if not SANITIZED:  # which keeps what is freed for a while
            assert rss(d.pid) - size < 8 << 20, (size, rss(d.pid))


@test
def asks_for_successors():
    """a worker that asks to be succeeded without end is, no more often than
    any other"""
    with two() as d:
        fd = channel_of_a(d)
        before = status(d, "a")["forks"]
        attack(d, "say(%d, 'X', 1000)" % fd)
        d.wait_ready(1, "a")
        assert status(d, "a")["forks"] - before <= 3
        equal(d.fetch("b").body, b"hello")


@test
def descriptors():
    """words with descriptors, one and as many as there can be: the master
    keeps none of them"""
    with two() as d:
        fd, before = channel_of_a(d), len(fds(d.pid))
        for n in (1, 2, 253):
            for word in ("C", "Z", "much"):
                equal(attack(d, "pass(%d, '%s', %d)" % (fd, word, n)), "true")
        status(d, "a")
        until(lambda: len(fds(d.pid)) == before, "no descriptor is left")


@contextlib.contextmanager
def slow_peer():
    """A port at which nobody reads."""
    with socket.create_server(("127.0.0.1", 0)) as s:
        yield s.getsockname()[1]


@test
def slow_descriptor():
    """a descriptor that lets who closes it wait for ever, itself or what lies
    in it: not the master"""
    for depth in 0, 1, 3:
        with two() as d, slow_peer() as port:
            fd = channel_of_a(d)
            d.kill(signal.SIGSTOP)  # or the worker might be the last to close
            equal(attack(d, "pass_slow(%d, 'C', %d, %d)" % (fd, port, depth)),
                  "true")
            d.kill(signal.SIGCONT)
            for _ in range(3):
                equal(status(d, "b")["total processes"], 1)


@test
def slow_exchange():
    """the same, handed on where nobody takes it, when the pool goes: in the
    exchange, and at the door of a hub"""
    for depth in 0, 1:
        with two(timeouts={"stop": "500ms"}) as d, slow_peer() as port:
            d.expect("does not leave in time")
            gate, old = d.gate(), d.wait_ready(1, "a")[0]
            _, (_, *gives) = seqpackets(d, old)
            equal(len(gives), 2, "ends to give to")
            held = Background(d.lua, LOAD % (d.dir + "/hostile.so") + "".join(
                "hostile.pass_slow(%d, 'x', %d, %d) " % (fd, port, depth)
                for fd in gives) + gate.lua, "a")
            gate.wait()
            d.drop_pool("a")
            d.write_conf()
            d.reload()
            until(lambda: not alive(old), "the worker is gone")
            until(lambda: not os.path.exists(d.dir + "/a.sock"),
                  "and the pool")
            equal(status(d, "b")["total processes"], 1)
            held.join(PATIENCE)
            d.fds_before = d.count_fds()


@test
def closed():
    """a worker that closes its channel and goes on is killed, which is said,
    and another serves"""
    for how in ("let_go(%d)", "say(%d, '', 0)", "shut(%d)"):
        with two() as d:
            d.expect("closed its channel", "has lost its")
            old = d.wait_ready(1, "a")[0]
            gate = d.gate()
            held = Background(d.lua, LOAD % (d.dir + "/hostile.so") +
                              "hostile." + how % channel_of_a(d) + " " +
                              gate.lua + "return {}, 'held'", "a")
            gate.wait()
            d.wait_log(r"\[pool a\] \[pid %d\] has closed its channel to the "
                       "master and goes on: killed" % old)
            until(lambda: not alive(old), "it is gone")
            held.join(PATIENCE)
            equal(d.lua("return {}, 'next'", "a").body, b"next")
            equal(d.fetch("b").body, b"hello")


@test
def exchange():
    """the exchange of a pool, shut down: it is said once, no worker is forked
    for what seems to come over it, and the next generation has another"""
    with two(workers={"mode": "ondemand", "max": 4,
                      "idle_timeout": "500ms"}) as d:
        d.fetch("a")
        _, (out, _, _) = seqpackets(d, d.wait_ready(1, "a")[0])
        before = status(d, "a")["forks"]
        equal(attack(d, "shut(%d)" % out), "true")
        until(lambda: not d.workers("a"), "nobody is idle")
        d.wait_log("warning .*a worker of the pool at .*a.sock has shut down "
                   "the exchange")
        used = cpu(d.pid)
        for _ in range(3):
            equal(d.fetch("a").body, b"hello")
            until(lambda: not d.workers("a"), "nobody is idle again")
        assert cpu(d.pid) - used < 0.3, cpu(d.pid) - used
        assert status(d, "a")["forks"] - before <= 4
        equal(len(re.findall("has shut down the exchange", d.read_log())), 1)
        mark = d.log_mark()
        d.set_pool("a", **{**d.pools["a"], "umask": "0027"})
        d.write_conf()
        d.reload()
        d.fetch("a")
        equal(len(seqpackets(d, d.wait_ready(1, "a")[0])[1]), 3)
        until(lambda: not d.workers("a"), "nobody is idle")
        assert "exchange" not in d.read_log(mark)


def listener_of(pid, path):
    with open("/proc/net/unix") as f:
        links = {"socket:[%s]" % line.split()[6] for line in f
                 if line.split()[-1] == path and line.split()[5] == "01"}
    return next(fd for fd, link in fds(pid) if link in links)


@test
def listener():
    """a pool's listening socket, shut down: that is said, the address listens
    again, the worker makes room for one that hears there; nobody spins, and a
    pool without a worker, whose socket the master watches, serves as well"""
    for workers in (ONE, {"mode": "ondemand", "max": 2,
                          "idle_timeout": "500ms"}):
        with two(workers=workers) as d:
            before, old = os.stat(d.dir + "/a.sock"), []

            def shut():
                """An idle worker may leave meanwhile."""
                d.fetch("a")
                with contextlib.suppress(IndexError, StopIteration):
                    old[:] = d.workers("a")
                    return attack(d, "shut(%d)" % listener_of(
                        old[0], d.dir + "/a.sock"))
            equal(until(shut, "a worker is there"), "true")
            d.wait_log("pool a: a worker has shut down the socket at .*a.sock: "
                       "it listens again")
            if workers != ONE:
                until(lambda: not d.workers("a"), "nobody is idle")
            used = cpu(d.pid)
            lasts(0.5)
            assert cpu(d.pid) - used < 0.2, cpu(d.pid) - used
            for _ in range(3):
                equal(d.fetch("a").body, b"hello")
            assert not set(old) & set(d.workers("a")), old
            after = os.stat(d.dir + "/a.sock")
            equal((after.st_mode, after.st_uid), (before.st_mode, before.st_uid))
            equal(len(re.findall("it listens again", d.read_log())), 1)
            equal(d.fetch("b").body, b"hello")


@test
def log_that_blocks():
    """a worker has whoever writes to its pool's log, a pipe, wait for a reader
    who does not read, and dies: its last line is lost, the master does not
    wait"""
    d = two()
    d.expect("killed by signal 9", "lost")
    pipe = d.dir + "/pipe"
    os.mkfifo(pipe)
    os.chmod(pipe, 0o666)
    reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    d.pools["a"]["logs"] = {"access": pipe}
    with d:
        fd = next(fd for fd, what in fds(d.wait_ready(1, "a")[0])
                  if what == pipe)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(reader, b"x" * 4096)
        with contextlib.suppress(AssertionError, OSError, IndexError):
            attack(d, "block(%d)), os.execute('kill -9 $PPID'" % fd)
        d.wait_log("killed by signal 9")
        equal(status(d, "b")["total processes"], 1)
        equal(d.fetch("b").body, b"hello")
    os.close(reader)


@test
def listener_that_blocks():
    """a worker has whoever accepts at its pool's socket wait for a client: the
    master does not when the pool is taken out of service, nor at a stop"""
    for drained in True, False:
        with two(timeouts={"stop": "1s"}) as d:
            d.expect("does not leave in time")
            fd = listener_of(d.wait_ready(1, "a")[0], d.dir + "/a.sock")
            equal(attack(d, "block(%d)" % fd), "true")
            if not drained:
                continue  # it stops as any other
            equal(tool("-c", d.file, "drain", "a", program=LUA_FPMCTL),
                  (0, "pool a: out of service\n", ""))
            equal(d.fetch("b").body, b"hello")


@test
def inherited_listener():
    """one that was passed at the start, and that nobody here can make anew: it
    is said, and nobody spins or is replaced again and again for it"""
    for workers in (ONE, {"mode": "ondemand", "max": 2,
                          "idle_timeout": "500ms"}):
        with socket.socket(socket.AF_UNIX) as s:
            place = scratch()
            os.chmod(place, 0o755)
            s.bind(place + "/s")
            os.chmod(place + "/s", 0o666)
            s.listen()
            d = two(workers=workers,
                    listen=["fd:%d" % s.fileno(), "http:" + place + "/own"])
            os.chmod(place, 0o777)
            d.sockets.add(place + "/own")
            d.expect("it cannot listen again")
            d.start(pass_fds=[s.fileno()])
            equal(fetch(place + "/s", lua=LOAD % (d.dir + "/hostile.so") +
                        "return text(tostring(hostile.shut(%d)))" %
                        s.fileno()).body, b"true")
            d.wait_log("error .*a worker has shut down the socket at fd:.* "
                       "cannot listen again: only who has made it")
            equal(fetch("http:" + place + "/own").body, b"hello")
            before, used = status(d, "a")["forks"], cpu(d.pid)
            lasts(0.5)
            assert cpu(d.pid) - used < 0.2, cpu(d.pid) - used
            assert status(d, "a")["forks"] - before <= 1
            equal(fetch("http:" + place + "/own").body, b"hello")
            equal(d.fetch("b").body, b"hello")
            d.stop()
            shutil.rmtree(place)


run(240)

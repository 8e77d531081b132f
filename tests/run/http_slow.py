#!/usr/bin/env python3
"""HTTP over a socket: slow senders and slow readers never hold the only
worker, and what waits for them is bounded."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from http_raw import *
from control_client import ask as control

BODY = 65536  # http.request_buffer
with open("/proc/sys/net/ipv4/tcp_wmem") as f:
    KERNEL = int(f.read().split()[2])  # bytes that it keeps for a TCP peer
LARGE = KERNEL // 10000 * 10000 + 500000  # more than that; and more than for a unix peer:
SOME = 700000
ROOM = str(LARGE)  # http.response_buffer for either
READ = "return text(env.input:read('a'))"
NARROW = ((socket.SOL_SOCKET, socket.SO_RCVBUF, 4096),)


def daemon(write="20s", min_rate=256, **http):
    """A daemon with one worker, in which a rate is looked at each second."""
    d = HttpDaemon(timeouts={"write": write, "stop": "5s"},
                   limits={"min_rate": min_rate},
                   http={"read": "20s", **http})
    d.program = QUICK
    d.control = d.top["control"] = d.dir + "/control.sock"
    d.sockets.add(d.control)
    return d


def facts(d):
    """(workers that are busy, requests that are done), as the daemon says."""
    ok, text = control(d, "status")
    assert ok, text
    pool, = json.loads(text)["pools"]
    return pool["active processes"], pool["requests"]


def free(d, what):
    """The worker comes to rest, and answers others: ten requests in a row,
    and nothing else is served meanwhile."""
    worker, = d.workers()
    with d.talk() as c:
        def only_these():
            done = facts(d)[1]
            for n in range(10):
                equal(c.fetch("return text('%d')" % n).text, str(n), what)
            return facts(d) == (0, done + 10)

        until(only_these, "no worker is busy: " + what)
    equal(d.workers(), [worker], "the same worker")


@test
def heads():
    """heads that come byte by byte, and connections that say nothing"""
    with daemon() as d:
        conns = [d.talk() for _ in range(50)]
        whole = get("return text('slow')", head="X: y\r\n" * 9)
        for at in range(0, len(whole) - 1, 20):
            for c in conns[:40]:
                c.send(whole[at:at + 20][:len(whole) - 1 - at])
            if at % 80 == 0:
                free(d, "heads have come to byte %d" % at)
        for c in conns[:40]:
            assert not c.has()
            c.send(whole[-1:])
            equal(c.whole().body, b"slow")
        for c in conns:
            equal(c.fetch().body, b"hello")
            c.close()


@test
def bodies():
    """bodies up to http.request_buffer, with a length and in chunks, that
    come slowly"""
    with daemon() as d:
        data = random.Random(5).randbytes(BODY)
        conns = [d.talk() for _ in range(20)]
        for n, c in enumerate(conns):
            c.data = data if n < 10 else data[:n * 1000]
            if n % 3:
                c.bytes = get(READ, method="POST", body=c.data)
            else:  # the sizes of chunks count, too
                c.data = c.data[:65000]
                c.bytes = get(READ, method="POST", chunked=[
                    c.data[i:i + 5000] for i in range(0, 65000, 5000)
                    if c.data[i:]])
        for step in range(8):
            for c in conns:
                n = len(c.bytes) - 1
                c.send(c.bytes[n * step // 8:n * (step + 1) // 8])
            free(d, "bodies have come to part %d" % step)
        for c in conns:
            assert not c.has()
            c.send(c.bytes[-1:])
            r = c.whole()
            assert r.body == c.data, (len(r.body), len(c.data))
            c.close()


def text(size, pieces=False):
    """Lua that answers so much, and the answer."""
    assert size % 10000 == 0, size
    return ("return text(coroutine.wrap(function() for i = 1, %d do "
            "coroutine.yield(('0123456789'):rep(1000)) end end))" %
            (size // 10000) if pieces else
            "return text(('0123456789'):rep(%d))" % (size // 10),
            b"0123456789" * (size // 10))


@test
def answers():
    """50 clients that do not read, and then slowly do: each gets all of its
    answer"""
    with daemon(response_buffer=ROOM) as d:
        conns = []
        for n in range(50):
            tcp = n == 0
            conns.append(d.talk(None if tcp else d.unix, options=NARROW))
            lua, conns[-1].want = text(LARGE if tcp else SOME, n % 2)
            conns[-1].ask(lua)
        until(lambda: facts(d) == (0, 50), "all are served")
        free(d, "nobody reads")
        for c in conns[:10]:  # a little at a time
            while len(c.reader.buffer) < len(c.want) // 2:
                c.some(30000)
        free(d, "ten have read half")
        for c in conns:
            c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            r = c.whole()
            assert r.body == c.want, len(r.body)
            equal(c.fetch().body, b"hello", "the next on its connection")
            c.close()
        free(d, "all have read")


@test
def pipelined_behind_an_answer():
    """requests behind an answer that is not read wait for it, and follow"""
    with daemon(response_buffer=ROOM) as d, d.talk(d.unix) as c:
        lua, want = text(SOME)
        c.send(get(lua) * 4 + get("return text('last')"))
        until(lambda: facts(d) == (0, 1), "the first is served")
        free(d, "it is not read")
        for _ in range(4):
            assert c.whole().body == want
        equal(c.whole().body, b"last")


@test
def flood():
    """a client that sends requests without end and reads no answer: it is
    served as far as its answers go, and then not heard"""
    with daemon() as d, d.talk(d.unix) as c:
        worker, = d.workers()
        free(d, "at first")
        before, data = rss(worker), get(text(10000)[0]) * 100
        c.sock.setblocking(False)
        sent = 0
        with contextlib.suppress(BlockingIOError):
            while sent < 100 << 20:
                sent += c.sock.send(data)
        assert sent < 10 << 20, sent
        free(d, "it is not read")
        assert SANITIZED or rss(worker) - before < 8 << 20
        c.sock.settimeout(PATIENCE)
        for _ in range(50):
            assert c.whole().body == text(10000)[1]


@test
def leaving():
    """readers that leave instead: nothing is left of them"""
    with daemon(response_buffer=ROOM) as d:
        worker, = d.workers()
        free(d, "at first")
        before = len(fds(worker))
        for n in range(20):
            c = d.talk(d.unix if n % 4 else None, options=NARROW)
            c.ask(text(SOME)[0])
            until(lambda: facts(d)[1] >= n + 11)
            c.reset() if n % 2 else c.close()
        until(lambda: len(fds(worker)) <= before, "their descriptors are closed")
        free(d, "they have left")


@test
def cut():
    """answers that wait for their readers are cut at timeouts.write, never so
    that they look whole, and the worker was free all the time"""
    with daemon(write="500ms", response_buffer=ROOM) as d:
        conns = []
        for lua, version in ((text(LARGE, True), "1.1"), (text(LARGE), "1.1"),
                             (text(LARGE, True), "1.0")):
            conns.append(d.talk(options=NARROW))
            conns[-1].ask(lua[0], version=version)
        until(lambda: facts(d) == (0, 3))
        before = len(fds(d.workers()[0]))
        free(d, "they are not read")
        d.wait_log("not taken in time .timeouts.write.")
        until(lambda: len(fds(d.workers()[0])) <= before - 3,
              "all are closed")
        for c in conns:
            with c, contextlib.suppress(ConnectionResetError):
                equal(c.reply().whole, False)


@test
def cut_for_its_rate():
    """so is one that is taken slower than limits.min_rate"""
    with daemon(min_rate=1000000, response_buffer=ROOM) as d, \
            d.talk(d.unix) as c:
        c.ask(text(SOME)[0])
        until(lambda: facts(d) == (0, 1))
        lasts(1.2)
        while len(c.reader.buffer) < 220000:  # all that was on its way
            c.some(220000)
        d.wait_log("response taken slower than limits.min_rate")
        equal(c.reply().whole, False)
        free(d, "it was cut")


@test
def too_large():
    """an answer over http.response_buffer holds its handler until
    timeouts.write, then it is cut and the worker serves the next"""
    with daemon(write="700ms") as d, d.talk(options=NARROW) as c:
        d.expect("timeouts.write")
        c.ask("return text(('x'):rep(%d))" % (64 << 20))
        began = time.monotonic()
        equal(d.ask().body, b"hello")
        took = time.monotonic() - began
        assert 0.3 < took < 10, took
        with contextlib.suppress(ConnectionResetError):
            equal(c.reply().whole, False)


@test
def large_and_read():
    """one that is read all the time is whole, however slowly"""
    with daemon(write="1s") as d, d.talk(options=NARROW) as c:
        c.ask("return text(('0123456789'):rep(150000))")
        for _ in range(20):
            threading.Event().wait(0.08)
            c.some(40000)
        r = c.whole()
        assert r.body == b"0123456789" * 150000, len(r.body)


@test
def late_bodies():
    """a body over http.request_buffer that stops coming, or comes slower than
    limits.min_rate: 408"""
    head = "Content-Length: %d\r\n" % (BODY + 1)
    with daemon(read="500ms") as d:
        d.expect("did not send it in time")
        with d.talk() as c:
            c.ask(READ, method="POST", head=head)
            c.send(b"x" * 1000)
            refused(c, 408)
        free(d, "it was late")
    with daemon() as d:
        d.expect("slower than limits.min_rate")
        with d.talk() as c:
            c.ask(READ, method="POST", head=head)
            until(lambda: c.has(0.05) or c.send(b"x"), "an answer")
            refused(c, 408)
        d.wait_log("slower than limits.min_rate")
        free(d, "it was slow")


@test
def slow_but_waiting():
    """a body that waits for its end outside of the worker has a least rate
    too"""
    with daemon() as d, d.talk() as c:
        c.ask(READ, method="POST", head="Content-Length: %d\r\n" % BODY)
        began = time.monotonic()
        while not c.has(0.05):
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                c.send(b"x")
        refused(c, 408)
        took = time.monotonic() - began
        assert 0.5 < took < 15, took
        equal(d.requests(), 0)


def swollen(d, fill, done=0, n=350):
    """What a worker has grown by, with n connections that fill() has left;
    done: how many of them are requests that are done."""
    worker, = d.workers()
    free(d, "at first")
    before, (_, served) = rss(worker), facts(d)
    conns = []
    for _ in range(n):
        conns.append(d.talk(d.unix))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            fill(conns[-1])
    until(lambda: facts(d) == (0, served + done), "all are done")
    free(d, "all of them wait")
    grown = rss(worker) - before
    diag("%.1f MB" % (grown / (1 << 20)))
    assert SANITIZED or grown < 110 << 20, grown
    return conns


@test
def memory_of_bodies():
    """350 clients that keep back the last byte of 256 KB: the memory of the
    worker is bounded, others are served, and new ones get their answers"""
    size = 4 * BODY
    with daemon(request_buffer="%d" % size) as d:
        whole = get("return text(#env.input:read('a') .. '')", method="POST",
                    body=b"x" * size)
        conns = swollen(d, lambda c: c.send(whole[:-1]))
        new = [d.talk(d.unix) for _ in range(30)]
        for c in new:
            c.send(whole[:-1])
        equal(d.ask().body, b"hello")
        for c in new:
            c.send(whole[-1:])
            equal(c.whole().text, str(size))
        for c in conns + new:
            c.close()


@test
def memory_of_answers():
    """350 clients that do not read 700 KB: likewise"""
    with daemon(response_buffer=ROOM) as d:
        lua, want = text(SOME)
        conns = swollen(d, lambda c: c.ask(lua), done=350)
        assert conns[-1].whole().body == want
        for c in conns:
            c.close()


run(150, over=FCGI)  # once

#!/usr/bin/env python3
"""Connections: silent, slow, idle, greedy peers cost a descriptor and never a
worker."""

import os
import re
import resource
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

ONE = {"mode": "static", "max": 1}
TWO = {"mode": "static", "max": 2}
WHO = "return text(pid())"


@test
def a_crowd_that_says_nothing():
    """1 worker, 50 idle kept connections, 50 half heads, 50 silent ones: the
    next client is served at once"""
    with Daemon(workers=ONE) as d:
        worker = d.wait_workers(1)
        idle = [d.connect() for _ in range(50)]
        for c in idle:
            equal(c.ask(keep=True).status, 200)
        whole = request()
        half = [d.connect() for _ in range(50)]
        for n, c in enumerate(half):
            c.send(whole[:1 + n * (len(whole) - 20) // 50])
        silent = [d.connect() for _ in range(50)]
        began = time.monotonic()
        for _ in range(10):
            equal(d.fetch().status, 200)
        took = time.monotonic() - began
        assert took < 5, "10 requests: %.2f s" % took
        for n, c in enumerate(half):
            c.send(whole[1 + n * (len(whole) - 20) // 50:])
            equal(c.response().body, b"hello", "a half head completed")
        for c in idle + silent:
            equal(c.ask(keep=True).body, b"hello", "an idle or silent one")
        equal(d.workers(), worker, "the same worker")
        before = len(fds(worker[0]))
        for c in idle + half + silent:
            c.close()
        until(lambda: len(fds(worker[0])) <= before - 100, "they are closed")


@test
def same_over_tcp():
    """the same over TCP, in small"""
    with Daemon(workers=ONE, listen="127.0.0.1:%d" % free_port()) as d:
        idle = [d.connect() for _ in range(10)]
        for c in idle:
            equal(c.ask(keep=True).status, 200)
        half = [d.connect() for _ in range(10)]
        for c in half:
            c.send(request()[:50])
        silent = [d.connect() for _ in range(10)]
        equal(d.fetch().status, 200)
        for c in idle + silent:
            equal(c.ask(keep=True).body, b"hello")
        for c in idle + half + silent:
            c.reset()
        equal(d.fetch().status, 200)


@test
def kept_alive():
    """a hundred requests over one connection, FCGI_KEEP_CONN honoured; the
    last without it closes"""
    with Daemon(workers=ONE) as d:
        with d.connect() as c:
            for n in range(100):
                equal(c.ask(keep=True, lua="return text('%d')" % n,
                            id=n % 7 + 1).body, b"%d" % n)
            equal(c.ask(keep=False).body, b"hello")
            assert c.eof(), "closed"


@test
def end_of_file_follows():
    """without FCGI_KEEP_CONN end of file follows the response at once"""
    with Daemon(workers=ONE, timeouts={"keepalive": "60s", "read": "60s",
                                       "stop": "5s"}) as d:
        began = time.monotonic()
        for body in (None, b"x" * 10, b"x" * 1000000):
            with d.connect() as c:
                sender = Background(c.send, request(body=body))
                equal(c.response().body, b"hello")
                assert c.eof(), "closed"
        assert time.monotonic() - began < 5


@test
def keepalive_limit():
    """an idle kept connection is closed at timeouts.keepalive"""
    with Daemon(workers=ONE, timeouts={"keepalive": "400ms", "stop": "5s"}) \
            as d:
        with d.connect() as c:
            equal(c.ask(keep=True).status, 200)
            began = time.monotonic()
            assert c.eof(), "closed"
            took = time.monotonic() - began
            assert 0.3 < took < 10, "after %.2f s" % took
        equal(d.fetch().status, 200)


@test
def read_limit():
    """a half head and a silent connection are closed at timeouts.read, with
    the reason in the log; dribbling does not prolong it"""
    with Daemon(workers=ONE, timeouts={"read": "600ms", "stop": "5s"}) as d:
        whole = request()
        with d.connect() as silent, d.connect() as half, \
                d.connect() as slow:
            began = time.monotonic()
            half.send(whole[:40])

            def dribble():
                with contextlib.suppress(OSError):
                    for byte in whole[:-1]:
                        slow.send(bytes([byte]))
                        if select_readable(slow.sock, 0.05):
                            return
            t = Background(dribble)
            if PROTOCOL == HTTP:  # who has begun is told
                equal([c.response().status for c in (half, slow)], [408, 408])
            for c in (half, silent, slow):
                assert c.eof(), "closed without an answer"
            t.result()
            took = time.monotonic() - began
            assert 0.5 < took < 10, "after %.2f s" % took
        d.wait_log(r"notice .*(time|late)")
        equal(d.fetch().status, 200)


def select_readable(sock, timeout):
    import select
    return bool(select.select([sock], [], [], timeout)[0])


@test
def body_limit():
    """a body that stops coming ends at timeouts.read: 408, and the worker
    serves the next"""
    with Daemon(workers=ONE, timeouts={"read": "500ms", "stop": "5s"}) as d:
        worker = d.workers()
        with d.connect() as c:
            c.send(head("POST", body=b"12345", lua="return text("
                        "env.input:read('a'))"))
            c.send(part(b"123"))
            began = time.monotonic()
            r = c.response()
            took = time.monotonic() - began
            assert 0.4 < took < 10, "after %.2f s" % took
            equal(r.status, 408)
        equal((d.fetch().status, d.workers()), (200, worker))


@test
def slow_body():
    """a slow body that keeps coming is read to its end"""
    with Daemon(workers=ONE, timeouts={"read": "2s", "stop": "5s"}) as d:
        with d.connect() as c:
            c.send(head("POST", body=b"x" * 50, lua="return text("
                        "env.input:read('a'))"))
            for n in range(49):
                c.send(part(b"%d" % (n % 10)))
                assert not select_readable(c.sock, 0.05)
            c.send(part(b"9", end=True))
            equal(c.response().body, b"0123456789" * 5)


def trickle(d, n):
    """The response to a body of single bytes, 20 in a second until there is
    one or n have come."""
    with d.connect() as c:
        c.send(head("POST", body=b"x" * n, lua="return text("
                    "env.input:read('a'))"))
        for _ in range(n):
            c.send(part(b"x"))
            if select_readable(c.sock, 0.05):
                break
        else:
            c.send(part(b"", end=True))
        return c.response()


def rates(**limits):
    """A daemon in which a rate is looked at each second, and whose log says
    what was too slow."""
    d = Daemon(workers=ONE, timeouts={"read": "20s", "stop": "5s"},
               limits=limits, **STREAMED)
    d.program = QUICK
    d.expect("slower than limits.min_rate", "did not send it in time")
    return d


@test
def least_rate():
    """a body that comes slower than limits.min_rate is answered 408, though
    each byte is in time, and the worker serves the next; one that is as fast
    is read to its end, and so is any without a limit"""
    with rates() as d:
        worker = d.workers()
        began = time.monotonic()
        equal(trickle(d, 400).status, 408)
        took = time.monotonic() - began
        assert 0.9 < took < 10, "after %.2f s" % took
        d.wait_log("request body slower than limits.min_rate")
        equal((d.fetch().status, d.workers()), (200, worker))
    for least in (4, 0):
        with rates(min_rate=least) as d:
            equal(trickle(d, 50).body, b"x" * 50)
            assert "min_rate" not in d.read_log()


@test
def rate_of_waiting_only():
    """what the application takes before it reads a body does not count"""
    with rates() as d, d.connect() as c:
        gate = d.gate()
        c.send(head("POST", body=b"x" * 3, lua=gate.lua + "return text("
                    "env.input:read('a'))"))
        gate.wait()
        assert not select_readable(c.sock, 1.5)
        gate.open()
        c.send(part(b"xxx", end=True))
        equal(c.response().body, b"xxx")


@test
def write_limit():
    """a client that never reads is ended by timeouts.write, and the worker
    serves the next"""
    for listen in (None, "127.0.0.1:%d" % free_port()):
        how = {"listen": listen} if listen else {}
        with Daemon(workers=ONE, timeouts={"write": "500ms", "stop": "5s"},
                    **how) as d:
            worker = d.workers()
            for body in ("('x'):rep(64 * 1024 * 1024)",
                         "function() return ('x'):rep(100000) end"):
                with d.connect() as c:
                    began = time.monotonic()
                    c.send(request(lua="return {}, " + body))
                    equal(d.fetch().status, 200)
                    took = time.monotonic() - began
                    assert took < 8, "%.2f s" % took
            equal(d.workers(), worker)


@test
def slow_reader():
    """a slow reader that goes on reading gets everything"""
    with Daemon(workers=ONE, timeouts={"write": "1s", "stop": "5s"}) as d:
        with d.connect() as c:
            c.send(request(lua="return {}, ('x'):rep(3000000)"))
            got, waits = b"", 0
            while len(got) < 3000000:
                if waits < 20 and len(got) > waits * 100000:
                    waits += 1
                    threading.Event().wait(0.1)
                piece = c.piece()
                if not got:
                    piece = piece.partition(b"\r\n\r\n")[2]
                got += piece
            equal(c.response().app_status, 0)


@test
def client_leaves_during_the_request():
    """a client that closes in mid-request: env.aborted tells, the worker
    serves the next"""
    for listen in (None, "127.0.0.1:%d" % free_port()):
        how = {"listen": listen} if listen else {}
        with Daemon(workers=ONE, **how) as d:
            worker, gate = d.workers(), d.gate()
            c = d.connect()
            c.send(request(lua=gate.lua + "print('aborted', env.aborted) "
                           "return {}, ('x'):rep(1000000)"))
            gate.wait()
            c.close()
            gate.open()
            d.wait_log(r"aborted(\\t|\t)true")
            equal((d.fetch().status, d.workers()), (200, worker))


@test
def client_leaves_during_the_response():
    """a streamed response ends soon after its client left"""
    for listen in (None, "127.0.0.1:%d" % free_port()):
        how = {"listen": listen} if listen else {}
        with Daemon(workers=ONE, **how) as d:
            worker = d.workers()
            c = d.connect()
            c.send(request(lua="pieces = 0 return {}, function() "
                           "pieces = pieces + 1 return ('x'):rep(1000) end"))
            c.piece()
            c.close()
            int(d.lua("return text(tostring(pieces))").body)
            equal(d.workers(), worker)


@test
def client_leaves_during_the_body():
    """a client that closes in the middle of its body: the application gets an
    error, not a short body; the worker serves the next"""
    with Daemon(workers=ONE, **STREAMED) as d:
        worker = d.workers()
        c = d.connect()
        c.send(head("POST", body=b"x" * 100, lua="local ok, got = pcall("
                    "function() return env.input:read('a') end) "
                    "print('read', ok, got) return {}"))
        c.send(part(b"abc"))
        c.close()
        d.wait_log(r"read(\\t|\t)false")
        equal((d.fetch().status, d.workers()), (200, worker))


@test
def busy_worker_idle_connection():
    """a request on an idle kept connection does not wait for its busy worker
    while another is idle"""
    with Daemon(workers={"mode": "static", "max": 2}) as d:
        d.wait_workers(2)
        conns = [d.connect() for _ in range(8)]
        for c in conns:
            equal(c.ask(keep=True).status, 200)
        gate = d.gate()
        busy = Background(d.lua, gate.lua + "return text('done')")
        gate.wait()
        began = time.monotonic()
        for c in conns:
            c.send(request(keep=True))
        answered = 0
        for c in conns:
            if select_readable(c.sock, 1.0 if answered < 8 else 0):
                equal(c.response().body, b"hello")
                answered += 1
        took = time.monotonic() - began
        gate.open()
        busy.result()
        equal(answered, 8, "of 8 answered while one worker was busy")
        for c in conns:
            c.close()


def room(n):
    """Let this process, and what it starts, have n descriptors.  Returns how
    many they may have at most."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < n:
        raise Skip("RLIMIT_NOFILE is %d" % hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (n, hard))
    return hard


@test
def more_connections_than_descriptors():
    """as many connections as you like: the oldest idle ones give way, a new
    client is served"""
    hard = room(3000)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        d = Daemon(workers=ONE).start()
    finally:
        room(3000)
    with d:
        conns = []
        for _ in range(600):
            c = d.connect()
            equal(c.ask(keep=True).status, 200)
            conns.append(c)
        equal(d.fetch().status, 200)
        for c in conns:
            c.close()
        equal(d.fetch().status, 200)


def memory(pid):
    """Bytes of its own, counted page by page: what rss() reads lags behind."""
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return sum(1024 * int(n) for n in re.findall(
            r"(?m)^Private_\w+: +(\d+) kB", f.read()))


@test
def idle_connections():
    """thousands of connections between requests, and as many that have sent
    nothing, cost a worker at most 1 KB each and are served when they ask"""
    n = 5000 if "FULL" in os.environ else 1000
    room(2 * n + 500)
    with Daemon(workers=TWO) as d:
        workers = d.wait_ready(2)
        for _ in range(500):
            equal(d.fetch().status, 200)
        before = sum(map(memory, workers))
        conns = [d.connect() for _ in range(2 * n)]
        for c in conns[::2]:
            equal(c.ask(keep=True).status, 200)
        for _ in range(10):
            equal(d.fetch().status, 200)
        each = (sum(map(memory, workers)) - before) / len(conns)
        diag("%d bytes each" % each)
        if not SANITIZED:
            assert each <= 1024, "%d bytes each" % each
        for c in conns[::29] + conns[:1:-1000]:
            equal(c.ask(keep=True).status, 200)
        for c in conns:
            c.close()


@test
def heads_that_stay_incomplete():
    """1,400 peers that let the last bytes of 60 KB of parameters wait: the
    worker's memory stays bounded, the oldest are closed, and the newest are
    answered when the rest comes"""
    with Daemon(workers=ONE) as d:
        worker = d.wait_ready(1)[0]
        equal(d.fetch().status, 200)
        whole, before = request(params={"HTTP_LONG": "x" * 60000}), rss(worker)
        conns = []
        for _ in range(1400):
            conns.append(d.connect())
            conns[-1].send(whole[:-30])
        equal(d.fetch().status, 200)
        if not SANITIZED:
            grown = rss(worker) - before
            assert grown < 80 << 20, "grew by %d" % grown
        for c in conns[-100:]:
            c.send(whole[-30:])
            equal(c.response().body, b"hello")
        assert conns[0].eof()
        for c in conns:
            c.close()


def of_length(total, **q):
    """A request with a body, of so many bytes in all."""
    n = total
    while len(request(body="x" * n, **q)) > total:
        n -= 1
    return request(body="x" * n, **q)


@contextlib.contextmanager
def stopped(pid):
    """What is sent meanwhile comes all at once to a process."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@test
def requests_behind_a_receive():
    """a request that ends where a receive is full, or next to it, and others
    that have come with it: all are answered"""
    with Daemon(workers=ONE) as d:
        worker, = d.wait_ready(1)
        with d.connect() as c:
            equal(c.ask(keep=True).body, b"hello")
            for total in range(16 * 1024 - 9, 16 * 1024 + 10):
                with stopped(worker):
                    c.send(of_length(total, keep=True) +
                           2 * request(keep=True))
                for _ in range(3):
                    equal(c.response().body, b"hello", "of %d" % total)


@test
def request_behind_a_long_response():
    """a request that comes while the response before it is being taken"""
    with Daemon(workers=ONE) as d:
        worker, = d.wait_ready(1)
        with d.connect() as c:
            equal(c.ask(keep=True).body, b"hello")
            for n in (100, 400000):
                text = "return text(('x'):rep(%d))" % n
                with stopped(worker):
                    c.send(request(keep=True, lua=text))
                if PROTOCOL == HTTP:  # it waits outside of the worker
                    equal(d.fetch().body, b"hello")
                c.send(request(keep=True))
                equal(len(c.response().body), n)
                equal(c.response().body, b"hello")


@test
def end_behind_a_request():
    """a peer that ends the connection together with a request that keeps it:
    it is closed when the answer is sent, and not first at
    timeouts.keepalive"""
    with Daemon(workers=ONE, timeouts={"keepalive": "60s", "read": "60s",
                                       "stop": "5s"}) as d:
        worker, = d.wait_ready(1)
        before = len(fds(worker))
        for body in (None, "x" * 100, "x" * 100000):
            with d.connect() as c:
                equal(c.ask(keep=True).body, b"hello")
                with stopped(worker):
                    c.send(request(body=body, keep=True))
                    c.sock.shutdown(socket.SHUT_WR)
                equal(c.response().body, b"hello")
                assert c.eof(), "closed"
        until(lambda: len(fds(worker)) == before, "nothing is left open")


@test
def urgent_bytes():
    """TCP's urgent bytes between requests, at which a receive stops: they are
    left out, and the requests are answered"""
    with Daemon(workers=ONE, listen="127.0.0.1:%d" % free_port()) as d:
        worker, = d.wait_ready(1)
        with d.connect() as c:
            equal(c.ask(keep=True).body, b"hello")
            for _ in range(3):
                with stopped(worker):
                    c.send(request(keep=True))
                    c.sock.send(b"!", socket.MSG_OOB)
                    c.send(request(keep=True))
                for _ in range(2):
                    equal(c.response().body, b"hello")


@test
def nothing_leaks():
    """5000 requests of every sort leave no descriptor and no memory behind"""
    with Daemon(workers=ONE) as d:
        worker = d.workers()[0]
        whole = request(keep=True)

        def round(n):
            for i in range(n):
                with d.connect() as c:
                    if i % 4 == 0:
                        c.send(whole[:i % len(whole)])
                    elif i % 4 == 1:
                        equal(c.ask(keep=True).status, 200)
                    elif i % 4 == 2:
                        c.send(b"\1\2\3\4\5\6\7\10" * 9)
                    else:
                        equal(c.ask(body="abc").status, 200)
            equal(d.fetch().status, 200)
        round(1000)
        before, memory = len(fds(worker)), rss(worker)
        round(4000)
        until(lambda: len(fds(worker)) <= before, "descriptors: %d, now %s" %
              (before, fds(worker)))
        if not SANITIZED:
            assert rss(worker) - memory < 2 << 20, "grew by %d" % (
                rss(worker) - memory)


run(150, over=BOTH)

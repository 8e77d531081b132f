#!/usr/bin/env python3
"""Bad input: each ends within its limit, costs bounded memory, harms no other
request, and the worker, the same process, serves the next one."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

LIMIT = 2 if SANITIZED else 0.8  # seconds; timeouts.read and timeouts.write
TIME = "%dms" % (LIMIT * 1000)
d = Daemon(workers={"mode": "static", "max": 1},
           timeouts={"read": TIME, "write": TIME, "keepalive": TIME,
                     "stop": "5s"})
MEMORY = 24 << 20


@contextlib.contextmanager
def harmless(listener=None):
    """What happens within costs little and the worker serves the next."""
    worker = d.workers()
    equal(len(worker), 1)
    before = rss(worker[0])
    most = [before]
    ending = threading.Event()

    def watch():
        while not ending.wait(0.005):
            with contextlib.suppress(OSError):
                most[0] = max(most[0], rss(worker[0]))
    t = threading.Thread(target=watch, daemon=True)
    t.start()
    try:
        yield
        equal(d.fetch().body, b"hello", "the next request")
        equal(d.workers(), worker, "the same worker")
    finally:
        ending.set()
        t.join()
    if not SANITIZED:
        assert most[0] - before < MEMORY, "grew by %d" % (most[0] - before)


def closes(data, within=LIMIT, answer=b"", reset=True):
    """Sent to it, the connection is closed, with no answer but this."""
    with d.connect() as c:
        began = time.monotonic()
        got = b""
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            sender = Background(c.send, data)
            while True:
                more = c.sock.recv(65536)
                if not more:
                    break
                got += more
        took = time.monotonic() - began
        assert took < within + (20 if SANITIZED else 4), "%.2f s" % took
        equal(got, answer, "answer to %r" % data[:60])
    with contextlib.suppress(OSError):
        sender.result()


@test
def silent():
    """a silent client"""
    d.start()
    equal(d.fetch().status, 200)
    with harmless():
        closes(b"")


@test
def one_byte():
    """a client that sends one byte and stops"""
    with harmless():
        closes(b"\1")
    with harmless():
        closes(request()[:-1].replace(record(STDIN), b"")[:9])


@test
def never_reads():
    """a client that never reads"""
    with harmless():
        with d.connect() as c:
            c.send(request(lua="return {}, function() "
                           "return ('x'):rep(65536) end"))
            equal(d.fetch().body, b"hello")


@test
def never_reads_one_string():
    """the same with one long string"""
    with d.connect() as c:
        worker = d.workers()
        c.send(request(lua="return {}, ('x'):rep(50000000)"))
        equal(d.fetch().body, b"hello")
        equal(d.workers(), worker)
        d.lua("collectgarbage() collectgarbage() return {}")


@test
def closes_everywhere():
    """clients that close at every point of a request"""
    with harmless():
        whole = request(body="x" * 100, lua="return text(env.input:read('a'))")
        for n in range(0, len(whole) + 1, 3):
            with d.connect() as c:
                c.send(whole[:n])
        with d.connect() as c:
            c.send(whole)


@test
def garbage():
    """garbage instead of FastCGI: HTTP, TLS, zeroes, noise"""
    noise = random.Random(4711)
    with harmless():
        closes(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        closes(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + b"\xaa" * 500)
        closes(b"\0" * 4096)
        closes(b"\xff" * 4096)
        for _ in range(100):
            with d.connect() as c, contextlib.suppress(OSError):
                c.send(noise.randbytes(noise.randrange(1, 3000)))
    d.wait_log(r"notice .*(FastCGI|record|malformed)")


@test
def garbage_is_logged_once_a_second():
    """a peer that talks nonsense does not fill the log"""
    mark = d.log_mark()
    began = time.monotonic()
    for _ in range(300):
        with d.connect() as c, contextlib.suppress(OSError):
            c.send(b"GET / HTTP/1.1\r\n\r\n")
            c.eof()
    took = time.monotonic() - began
    lines = len(re.findall(r"^.* notice .*$", d.read_log(mark), re.M))
    assert lines <= took + 2, "%d lines in %.1f s" % (lines, took)


@test
def damaged_requests():
    """1000 requests with a byte changed anywhere"""
    noise = random.Random(815)
    whole = request(keep=True, body="abc" * 10)
    with harmless():
        for _ in range(1000):
            bad = bytearray(whole)
            bad[noise.randrange(len(bad))] = noise.randrange(256)
            with d.connect() as c, contextlib.suppress(OSError):
                c.send(bytes(bad))
                c.sock.shutdown(socket.SHUT_WR)
                c.sock.recv(1)
    d.expect("GET |POST ")


@test
def lengths_of_2_gib():
    """a parameter whose length is 2 GiB and more, or beyond its record"""
    with harmless():
        for lengths in (b"\xff\xff\xff\xff\xff\xff\xff\xff",
                        b"\xff\xff\xff\xff\x01", b"\x01\xff\xff\xff\xff",
                        b"\xc0\0\0\0\xc0\0\0\0", b"\x80\0\0\x05\x80\0\0\x05",
                        b"\x05", b"\x80", b"\x80\0\0", b"\x7f\x7f"):
            closes(begin() + stream(PARAMS, pairs(default_params()) +
                                    lengths + b"ab") + stream(STDIN, b""))


@test
def body_longer_than_content_length():
    """a body longer and shorter than CONTENT_LENGTH"""
    with harmless():
        for length in ("3", "1000000", "99999999999999999999", "-5", "x"):
            r = d.lua("return text(env.input:read('a'))", body="abcdef",
                      params=[("CONTENT_LENGTH", length)])
            equal((r.status, r.body), (200, b"abcdef"), length)
            r = d.lua("return text(env.input:read(3))", body="abcdef" * 20000,
                      params=[("CONTENT_LENGTH", length)])
            equal((r.status, r.body), (200, b"abc"), length)


@test
def ten_thousand_parameters():
    """10,000 parameters: within limits.head they are served, above it the
    connection is closed"""
    with harmless():
        few = [("P%d" % n, "") for n in range(8000)]
        r = d.lua("local n = 0 for k in pairs(env) do n = n + 1 end "
                  "return text(tostring(n))", params=few)
        # with LUA, and without the empty CONTENT_LENGTH
        equal(r.body, b"%d" % (8000 + len(default_params())))
        many = [("P%d" % n, "x" * 20) for n in range(10000)]
        data = begin() + stream(PARAMS, pairs(default_params() + many))
        mark = d.log_mark()

        def said():  # one complaint a second: an earlier one may hide it
            closes(data + stream(STDIN, b""))
            return re.search(r" notice .*limits\.head", d.read_log(mark))
        until(said, "the log says why")


@test
def ten_thousand_with_room():
    """with a larger limits.head all 10,000 arrive"""
    with Daemon(limits={"head": "1M"}) as roomy:
        many = [("P%d" % n, "x" * 20) for n in range(10000)]
        r = roomy.lua("local n = 0 for k in pairs(env) do n = n + 1 end "
                      "return text(tostring(n))", params=many)
        equal(r.body, b"%d" % (10000 + len(default_params())))


@test
def same_parameter_ten_thousand_times():
    """one parameter 8000 times"""
    with harmless():
        r = d.lua("return text(tostring(#env.P))",
                  params=[("P", "x")] * 8000)
        equal(r.body, b"%d" % (8000 + 2 * 7999))


@test
def endless_head():
    """a head that never ends, in records large and small"""
    with harmless():
        for chunk in (65535, 1):
            with d.connect() as c, contextlib.suppress(OSError):
                c.send(begin())
                began = time.monotonic()
                data = record(PARAMS, b"x" * chunk) * (1 if chunk > 1 else
                                                       4000)
                while time.monotonic() - began < 10:
                    c.send(data)
                raise AssertionError("it takes everything")


@test
def endless_strays():
    """records of no request, for ever, and empty ones"""
    with harmless():
        for data in (record(STDIN, b"x" * 1000, id=9),
                     record(PARAMS, b"", id=9, padding=255),
                     record(STDOUT, b"", id=9)):
            with d.connect() as c, contextlib.suppress(OSError):
                c.send(begin())
                began = time.monotonic()
                while time.monotonic() - began < LIMIT + 5:
                    c.send(data * 50)
                    equal(d.fetch().body, b"hello", "meanwhile")
                raise AssertionError("it takes everything")


@test
def wrong_records():
    """records in a wrong order, of a wrong length, version or id"""
    with harmless():
        p = stream(PARAMS, pairs(default_params()))
        for data in (p, stream(STDIN, b"x"), begin() + stream(STDIN, b"x"),
                     begin() + begin(), begin() + p + begin(),
                     begin() + p + p, record(BEGIN, b"\0\1\0"),
                     record(BEGIN, b"\0\1" + b"\0" * 60),
                     record(BEGIN, b"\0\1\0\0\0\0\0\0", id=0),
                     record(BEGIN, b"\0\1\0\0\0\0\0\0", version=2),
                     begin() + record(ABORT), begin() + p + record(ABORT),
                     begin() + record(PARAMS, pairs(default_params()), id=2),
                     begin() + p + record(STDIN, b"abc", id=2),
                     begin() + p + record(77, b"abc"),
                     begin() + record(END, b"\0" * 8)):
            with d.connect() as c, contextlib.suppress(OSError):
                c.send(data)
                c.sock.shutdown(socket.SHUT_WR)
                while c.sock.recv(65536):
                    pass


@test
def management_flood():
    """management records by the thousand, from a peer that reads no answer"""
    with harmless():
        for data in (record(GET_VALUES, pair("FCGI_MAX_CONNS", ""), id=0),
                     record(99, b"", id=0), record(99, b"x" * 60000, id=0),
                     record(GET_VALUES, pairs([("N%d" % n, "") for n in
                                               range(5000)]), id=0)):
            with d.connect() as c:
                c.sock.settimeout(LIMIT + 3)
                began = time.monotonic()
                with contextlib.suppress(OSError):
                    while time.monotonic() - began < LIMIT + 2:
                        c.send(data * 20)
                        equal(d.fetch().body, b"hello", "meanwhile")


@test
def many_at_once():
    """all of that at once from 8 clients, while an honest one is served"""
    noise = [random.Random(n) for n in range(8)]
    ending = threading.Event()
    whole = request(keep=True, body="abc" * 1000)

    def nuisance(noise):
        while not ending.is_set():
            bad = bytearray(whole)
            for _ in range(noise.randrange(5)):
                bad[noise.randrange(len(bad))] = noise.randrange(256)
            with contextlib.suppress(OSError), d.connect() as c:
                c.send(bytes(bad[:noise.randrange(len(bad))]))
    threads = [Background(nuisance, n) for n in noise]
    with harmless():
        for n in range(300):
            equal(d.lua("return text('%d')" % n).body, b"%d" % n)
    ending.set()
    for t in threads:
        t.result()


run(150, over=FCGI)

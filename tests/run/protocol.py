#!/usr/bin/env python3
"""FastCGI: roles, management records, ids, aborts, pieces, pipelines."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

d = Daemon(workers={"mode": "static", "max": 1})


def end_record(id, app, protocol):
    return (END, id, struct.pack(">IB3x", app, protocol))


@test
def starts():
    """the daemon starts"""
    d.start()
    equal(d.fetch().body, b"hello")


@test
def unknown_role():
    """an unknown role: END_REQUEST with UNKNOWN_ROLE"""
    for role in (AUTHORIZER, FILTER, 0, 4, 65535):
        for keep in (False, True):
            with d.connect() as c:
                c.send(begin(role, keep, id=3) +
                       stream(PARAMS, pairs(default_params()), id=3) +
                       stream(STDIN, b"", id=3))
                equal(c.record(), end_record(3, 0, UNKNOWN_ROLE), role)


@test
def unknown_management_record():
    """an unknown management record: UNKNOWN_TYPE with that type"""
    with d.connect() as c:
        for kind in (12, 77, 255):
            c.send(record(kind, b"what is this", id=0))
            equal(c.record(), (UNKNOWN_TYPE, 0, bytes([kind]) + b"\0" * 7))
        equal(c.ask(keep=True).body, b"hello", "the connection lives")


@test
def get_values():
    """GET_VALUES: every name asked for, no other, unknown ones left out"""
    with Daemon(workers={"mode": "static", "max": 7}) as other, \
            other.connect() as c:
        asked = pairs([("FCGI_MAX_CONNS", ""), ("FCGI_NONSENSE", ""),
                       ("FCGI_MAX_REQS", ""), ("FCGI_MPXS_CONNS", "")])
        c.send(record(GET_VALUES, asked, id=0))
        kind, id, data = c.record()
        equal((kind, id), (GET_VALUES_RESULT, 0))
        got = dict(unpair(data))
        equal(set(got), {"FCGI_MAX_CONNS", "FCGI_MAX_REQS",
                         "FCGI_MPXS_CONNS"})
        equal(got["FCGI_MPXS_CONNS"], "0")
        assert int(got["FCGI_MAX_CONNS"]) >= 1 and \
            int(got["FCGI_MAX_REQS"]) >= 1, got
        c.send(record(GET_VALUES, pair("FCGI_MPXS_CONNS", ""), id=0))
        equal(unpair(c.record()[2]), [("FCGI_MPXS_CONNS", "0")])
        c.send(record(GET_VALUES, b"", id=0))
        equal(c.record(), (GET_VALUES_RESULT, 0, b""))
        equal(c.ask().body, b"hello")


@test
def management_in_a_request():
    """management records between the records of a request"""
    ask = record(GET_VALUES, pair("FCGI_MPXS_CONNS", ""), id=0)
    with d.connect() as c:
        whole = head("POST", keep=True, body=b"abcdef",
                     lua="return text(env.input:read('a'))")
        c.send(whole[:16] + ask + whole[16:])
        equal(c.record()[0], GET_VALUES_RESULT)
        c.send(record(STDIN, b"abc") + ask + record(STDIN, b"def"))
        equal(c.record()[0], GET_VALUES_RESULT)
        c.send(record(STDIN))
        equal(c.response().body, b"abcdef")


@test
def second_request_on_a_busy_connection():
    """a second request id on a busy connection: CANT_MPX_CONN, the first is
    served"""
    with d.connect() as c:
        first = head("POST", body=b"abc", keep=True, id=1,
                     lua="return text(env.input:read('a'))")
        c.send(first + request(keep=True, id=2))
        equal(c.record(), end_record(2, 0, CANT_MPX))
        c.send(stream(STDIN, b"abc"))
        equal(c.response().body, b"abc")
    with d.connect() as c:
        c.send(begin(keep=True, id=5) + begin(keep=True, id=6))
        equal(c.record(), end_record(6, 0, CANT_MPX))
        c.send(stream(PARAMS, pairs(default_params()), id=5) +
               stream(STDIN, b"", id=5))
        equal(c.response(5).body, b"hello")


@test
def request_ids():
    """the request's id is echoed, whatever it is"""
    with d.connect() as c:
        for id in (1, 2, 255, 256, 4711, 65535):
            equal(c.ask(keep=True, id=id).body, b"hello", id)


@test
def abort_before_the_body_ends():
    """ABORT_REQUEST: the next read of the body raises, and the request
    ends"""
    with d.connect() as c:
        c.send(head("POST", keep=True, body=b"abc", lua="local ok, got = "
                    "pcall(function() return env.input:read('a') end) "
                    "print('read', ok, 'aborted', env.aborted) return {}"))
        c.send(stream(STDIN, b"ab", end=False))
        c.send(record(ABORT))
        d.wait_log(r"read\W+tfalse\W+taborted\W+ttrue|"
                   r"read\tfalse\taborted\ttrue")
        r = c.response()
        equal(r.status in (None, 200), True, repr(r))
    equal(d.fetch().body, b"hello")


@test
def abort_after_the_body():
    """ABORT_REQUEST while the application works: env.aborted tells"""
    gate = d.gate()
    mark = d.log_mark()
    with d.connect() as c:
        c.send(request(keep=True, lua="local before = env.aborted " + gate.lua
                       + "print(before, env.aborted) return {}"))
        gate.wait()
        c.send(record(ABORT))
        gate.open()
        d.wait_log(r"false\W+t?true", mark)
    equal(d.fetch().body, b"hello")


@test
def abort_of_a_stream():
    """ABORT_REQUEST ends a streamed response at its next piece"""
    with d.connect() as c:
        c.send(request(keep=True, lua="return {}, function() "
                       "return ('x'):rep(100) end"))
        c.piece()
        c.send(record(ABORT))
        c.response()
    equal(d.fetch().body, b"hello")


@test
def abort_of_nothing():
    """ABORT_REQUEST for an id that is not active is ignored"""
    with d.connect() as c:
        c.send(record(ABORT, id=9))
        equal(c.ask(keep=True).body, b"hello")
        c.send(record(ABORT, id=1))
        equal(c.ask(keep=True, id=2).body, b"hello")


def dribbled(address, data):
    with Conn(address) as c:
        for byte in data:
            c.send(bytes([byte]))
        return c.response()


@test
def byte_by_byte():
    """a request dribbled byte by byte is served, over unix socket and TCP"""
    data = request(body="abc" * 20, params=[("X", "y" * 300)],
                   lua="return text(env.input:read('a') .. #env.X)")
    assert len(data) > 500
    equal(dribbled(d.address(), data).body, b"abc" * 20 + b"300")
    with Daemon(listen="127.0.0.1:%d" % free_port()) as tcp:
        equal(dribbled(tcp.address(), data).body, b"abc" * 20 + b"300")


@test
def every_split():
    """a request sent in two parts, split at every byte"""
    data = request(keep=True, body="abc",
                   lua="return text(env.input:read('a'))")
    with d.connect() as c:
        for n in range(1, len(data)):
            c.send(data[:n])
            c.send(data[n:])
            equal(c.response().body, b"abc", n)


@test
def small_records():
    """parameters and body in records of one byte, with padding"""
    for padding in (0, 1, 255):
        with d.connect() as c:
            c.send(begin(keep=True))
            c.send(stream(PARAMS, pairs(default_params("POST") + [
                ("LUA", "return text(env.input:read('a'))")]), chunk=1,
                padding=padding))
            c.send(stream(STDIN, b"abcdef" * 100, chunk=1, padding=padding))
            equal(c.response().body, b"abcdef" * 100)
            equal(c.ask(keep=True).body, b"hello")


@test
def pipelined():
    """requests sent ahead on one connection are answered in turn, never mixed
    up"""
    for n, size in ((200, 10), (20, 100000)):
        with d.connect() as c:
            data = b"".join(request(
                keep=True, id=i % 9 + 1, body=b"%d|" % i * (size // 3),
                lua="return text(env.input:read('a') .. env.MARK)",
                params=[("MARK", "mark %d" % i)]) for i in range(n))
            sender = Background(c.send, data)
            for i in range(n):
                equal(c.response(i % 9 + 1).body,
                      b"%d|" % i * (size // 3) + b"mark %d" % i)
            sender.result()


@test
def half_closed():
    """a client that shuts down its half after the request gets its answer"""
    for listen in (None, "127.0.0.1:%d" % free_port()):
        with Daemon(**({"listen": listen} if listen else {})) as other, \
                other.connect() as c:
            c.send(request(body="abc",
                           lua="return text(env.input:read('a'))"))
            c.sock.shutdown(socket.SHUT_WR)
            equal(c.response().body, b"abc")


@test
def response_is_well_formed():
    """STDOUT and STDERR streams end, END_REQUEST is last, padding is right"""
    with d.connect() as c:
        c.send(request(lua="return {}, ('x'):rep(200001)"))
        kinds = []
        while True:
            got = c.record()
            if got is None:
                break
            kinds.append((got[0], len(got[2])))
        equal(kinds[-1], (END, 8))
        equal(sum(n for k, n in kinds if k == STDOUT and n) > 200001, True)
        equal([k for k, n in kinds[:-1] if k not in (STDOUT, STDERR)], [])


@test
def one_worker_did_it_all():
    """one worker served all of this"""
    equal(len(d.workers()), 1)
    assert "replac" not in d.read_log()


run(90, over=FCGI)

#!/usr/bin/env python3
"""The id of a request: made by the worker or taken from the web server, in
env.id and in every line of the error log about it."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

ID = {"request_id": "HTTP_X_REQUEST_ID",
      "workers": {"mode": "static", "max": 1}}
SAY = "return text(env.id)"


def id_of(d, sent=None, **how):
    params = {} if sent is None else {"HTTP_X_REQUEST_ID": sent}
    return d.lua(SAY, params=params, **how).body


@test
def made():
    """without request_id every request gets an id that no other has, whatever
    the client sends"""
    with Daemon() as d:
        ids = [id_of(d, "theirs") for _ in range(50)]
        equal(len(set(ids)), 50, "ids: %s" % ids)
        for i in ids:
            matches(r"^[!-~]{1,40}$", i.decode())
            assert i != b"theirs"


@test
def taken():
    """one that the web server sends is taken as it is, on fresh and on kept
    connections"""
    with Daemon(**ID) as d:
        longest = "x" * 63
        equal(id_of(d, "2f6c-A/b=="), b"2f6c-A/b==")
        equal(id_of(d, longest), longest.encode())
        with d.connect() as c:
            for sent in ("one", "two"):
                c.send(request(lua=SAY, keep=True, params={
                    "HTTP_X_REQUEST_ID": sent}))
                equal(c.response().body, sent.encode())
            c.send(request(lua=SAY, keep=True))
            assert c.response().body not in (b"one", b"two", b"")


@test
def refused():
    """what could forge a log line, or is too long, is replaced by an id of
    our own"""
    with Daemon(**ID) as d:
        for sent in ("", "a b", 'a"', "a\\b", "'", b"\xff", "x" * 64,
                     "x" * 30000) + (() if PROTOCOL == HTTP else
                                     ("a\nb", "\x1b[0m", b"a\0b")):
            got = id_of(d, sent)
            matches(r"^[0-9a-f-]{1,40}$", got.decode(), "%.20r" % sent)


@test
def logged():
    """every line about a request carries it: errors, env.errors, a request
    body that ends; a line about none does not"""
    with Daemon(**ID, **STREAMED) as d:
        gate = d.gate()
        d.expect("boom", "said", "POST /")
        d.lua("env.errors:write('said\\n') error('boom')", uri="/x",
              params={"HTTP_X_REQUEST_ID": "the-id"})
        d.wait_log(r"error \[pool www\] \[pid \d+\] \[request the-id\] "
                   r"GET /x: said$")
        d.wait_log(r"\[request the-id\] GET /x: request:1: boom")
        with d.connect() as c:
            c.send(head("POST", chunked=True,
                        lua=gate.lua + "return text(env.input:read('a'))",
                        params={"HTTP_X_REQUEST_ID": "half"}))
            gate.wait()
            c.send(record(77, b"?") if PROTOCOL == FCGI else b"?\r\n")
            gate.open()
            d.wait_log(r"\[request half\] connection \d+: ")
        with d.connect() as c:
            c.send(b"\x07" * 8)
            equal(c.response().status, None if PROTOCOL == FCGI else 400)
        mark = d.log_mark()
        d.kill(signal.SIGHUP)
        line = d.wait_log(r".*restart called", mark)[0]
        assert "[request" not in line, line


run(over=BOTH)

#!/usr/bin/env python3
"""A request inside a request's body never runs."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

d = Daemon(workers={"mode": "static", "max": 1})



def forge(pad=0):
    """What an attacker would love to have run, as FastCGI records."""
    return request(keep=True, uri="/forged",
                   params=[("REMOTE_USER", "admin"), ("PAD", "x" * pad)],
                   lua="print('SMUGGLED') return text('forged')")


FORGED = forge()

# The same after a slide of records that mean nothing, both of whole lengths
# of 8 bytes: who begins to read records at such a place comes to it.
ALIGNED = record(STDIN, b"", id=9) * 32 + forge(-len(FORGED) % 8)

READS = {"nothing": "", "one byte": "env.input:read(1) ",
         "a line": "env.input:read('l') ", "half": "env.input:read(%d) ",
         "all": "env.input:read('a') "}


@test
def starts():
    """the daemon starts, and the forged request would run if it were sent
    properly"""
    d.start()
    with d.connect() as c:
        c.send(FORGED)
        equal(c.response().body, b"forged")
    d.wait_log("SMUGGLED")
    d.mark = d.log_mark()


def attempt(lua, body, chunk=65535, padding=0):
    """A request with that body on a kept connection, then an honest one:
    whatever comes back is theirs."""
    with d.connect() as c:
        data = head("POST", body=body, keep=True, lua=lua)
        data += stream(STDIN, body, chunk=chunk, padding=padding)
        sender = Background(lambda: (c.send(data), c.send(
            request(keep=True, lua="return text('honest')"))))
        equal(c.response().body, b"victim")
        r = c.response()
        assert r.body in (b"honest", b""), r
        with contextlib.suppress(OSError):
            sender.result()
        return r.complete


@test
def every_way_to_leave_a_body_unread():
    """forged records in a body that is not read, or only in part, of every
    size"""
    kept = 0
    for copies in (1, 10, 200, 3000):
        for fill in (b"", b"x" * 3, b"\n"):
            body = (fill + FORGED) * copies
            for name, read in READS.items():
                read = read % (len(body) // 2) if "%" in read else read
                kept += attempt(read + "return text('victim')", body)
    assert kept > 0, "some connections were kept, so the test means something"


@test
def every_alignment():
    """wherever in the body reading stops, no forged request begins there"""
    equal(len(ALIGNED) % 8, 0, "length")
    for shift in range(8):
        body = b"x" * shift + ALIGNED * 400
        for read in (1, 8 + shift, 5000, 40000, len(body) - 8):
            for chunk in (65535, 65528, 4096):
                attempt("env.input:read(%d) return text('victim')" % read,
                        body, chunk)


@test
def aligned_records():
    """the body's records end where the forged ones begin"""
    for chunk in (8, len(FORGED), len(FORGED) - 8, len(FORGED) + 8, 4096):
        for padding in (0, 7, 255):
            attempt("return text('victim')", FORGED * 20, chunk, padding)


@test
def body_arrives_late():
    """the rest of the body arrives after the response"""
    for part in (0, 1, 8, 100):
        with d.connect() as c:
            c.send(head("POST", body=FORGED, keep=True,
                        lua="return text('victim')"))
            c.send(record(STDIN, FORGED)[:8 + part])
            equal(c.response().body, b"victim")
            with contextlib.suppress(OSError):
                c.send(record(STDIN, FORGED)[8 + part:])
                c.send(record(STDIN))
                c.send(FORGED.replace(b"/forged", b"/honest")
                       .replace(b"SMUGGLED", b"honestly"))
            r = c.response()
            assert r.body in (b"", b"forged"), r
            if r.body:
                until(lambda: "honestly" in d.read_log(d.mark), "the honest")


@test
def after_the_body():
    """only what follows the end of the body is a request"""
    with d.connect() as c:
        c.send(request(keep=True, body=FORGED, lua="return text('victim')"))
        c.send(request(keep=True, lua="return text('next')"))
        equal(c.response().body, b"victim")
        equal(c.response().body, b"next")


@test
def other_streams():
    """forged records inside PARAMS values, DATA and unknown records"""
    with d.connect() as c:
        c.send(request(keep=True, params=[("X", FORGED)],
                       lua="return text('victim')"))
        equal(c.response().body, b"victim")
        r = c.ask(keep=True, lua="return text('next')")
        equal(r.body, b"next")
    for kind in (DATA, STDOUT, STDERR, END, 99):
        with d.connect() as c:
            c.send(head("POST", keep=True, lua="return text('victim')") +
                   record(kind, FORGED) + stream(STDIN, b""))
            r = c.response()
            assert r.body in (b"victim", b""), r


@test
def nothing_was_smuggled():
    """not one of them ran, and one worker served all"""
    assert "SMUGGLED" not in d.read_log(d.mark)
    assert b"forged" not in d.fetch().body
    equal(len(d.workers()), 1)


run(90, over=FCGI)

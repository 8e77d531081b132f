#!/usr/bin/env python3
"""An application for Moonbridge behind nginx: what its users rely on, in a
process that answers also where Moonbridge's only dies."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

APP = app_source("moonbridge.lua")
GIB = 1 << 30
ONE = {"mode": "static", "max": 1}


def pool(**keys):
    return Daemon(APP, **{"interface": "moonbridge", "workers": ONE,
                          "timeouts": {"request": "30s", "stop": "10s"},
                          **keys})


d = pool(limits={"memory": "16M"}, status_path="/status")
n = None


def ask(path, method="GET", body=None, **headers):
    return http(n.port, method, path, body,
                {k.replace("_", "-"): v for k, v in headers.items()})


def text(path, *args, **headers):
    status, _, body = ask(path, *args, **headers)
    equal(status, 200)
    return body.decode()


def recycled(cause):
    r = json.loads(d.fetch(uri="/status?json").body)
    return r["recycled"][cause]


def part(name, content, filename=None, kind=None):
    head = 'Content-Disposition: form-data; name="%s"' % name
    if filename is not None:
        head += '; filename="%s"\r\nContent-Type: %s' % (filename, kind)
    return b"--xx\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n"


def upload(path, *parts):
    return text(path, "POST", b"".join(parts) + b"--xx--\r\n",
                Content_Type="multipart/form-data; boundary=xx")


@test
def starts():
    """it loads, and serves nginx"""
    global n
    d.start()
    n = Nginx(d.address())


@test
def answers():
    """303 to the page, 200, HEAD, 404, 405 (M1 to M3, M5)"""
    status, headers, _ = ask("/", Host="example.org")
    equal((status, headers["Location"], headers["X-Server"]),
          (303, "http://example.org/page.html", "example"))
    status, headers, body = ask("/page.html")
    equal((status, headers["Content-Type"], body),
          (200, "text/html; charset=UTF-8", b"<h1>A page</h1>\n"))
    status, headers, body = ask("/page.html", "HEAD")
    equal((status, headers["Content-Type"], body),
          (200, "text/html; charset=UTF-8", b""))
    equal(ask("/none")[0], 404)
    equal(ask("/page.html", "PUT")[0], 405)
    equal(text("/stream"), "1\n2\n3\n")


@test
def uploads():
    """several files are streamed, of any size, and a field beside them; an
    empty one is two calls (M4, M11)"""
    big = os.urandom(1 << 20) * 20  # more than the heap may have
    equal(upload("/upload", part("files", big, "big.bin", "application/x"),
                 part("comment", b"<hi>"),
                 part("files", b"some\r\n--xy", "b.txt", "text/plain"),
                 part("files", b"", "empty", "text/x")),
          "big.bin application/x %d \nb.txt text/plain 10 \n"
          "empty text/x 0 2\ncomment: &lt;hi&gt;\n" % len(big))


@test
def limits_of_sizes():
    """16 GiB may be announced, and answered without them; more is refused, and
    so are long headers (M6)"""
    for length, status in ((16 * GIB, 200), (16 * GIB + 1, 413)):
        with d.connect() as c:
            c.send(head("POST", "/early",
                        params={"CONTENT_LENGTH": str(length)}))
            equal(c.response().status, status)
    equal(ask("/page.html", X_Long="x" * 5000)[0], 431)
    equal(d.fetch(uri="/page.html?" + "x" * 5000).status, 414)


@test
def bodies_and_cookies():
    """JSON is a body like any other, and a cookie is all that is behind its
    first \"=\""""
    equal(text("/json", "POST", '{"a":1}', Content_Type="application/json"),
          'application/json {"a":1}')
    equal(text("/cookies", Cookie="whole=a=b==; other=1"), "a=b==")
    status, _, body = ask("/upload", "POST", b"--xx\r\nbroken",
                          Content_Type="multipart/form-data; boundary=xx")
    equal(status, 400)


@test
def errors():
    """an error is an answer, and the log has it with its place"""
    d.expect("it failed")
    equal(ask("/fail")[0], 500)
    d.wait_log(r"GET /fail: .*app\.lua:\d+: it failed.*traceback.*app\.lua")
    equal(ask("/page.html")[0], 200)


@test
def declines():
    """a handler that returns false: its worker is replaced, and no request
    notices (M8); prepare and finish are called once for each (M7)"""
    mark, old = d.log_mark(), int(text("/pid"))
    before = recycled("retire")
    equal(text("/decline"), str(old))
    until(lambda: int(text("/pid")) != old, "a fresh worker")
    d.wait_log(r"\[pid %d\] finish is called" % old, mark)
    new = int(text("/pid"))
    equal(recycled("retire"), before + 1)
    log = d.read_log(mark)
    equal(len(re.findall("prepare is called", log)), 1)
    matches(r"\[pid %d\] prepare is called" % new, log)
    equal(len(re.findall("finish is called", log)), 1)


@test
def timeouts():
    """timeout(): query, set, disable; with a function the shorter one wins;
    beyond it the request is answered, and the worker lives (M9)"""
    def left(path, *limits):
        got = text(path).split()
        for limit, seconds in zip(limits, got):
            assert limit - 5 < float(seconds) <= limit, (path, got)
        return got[len(limits):]

    left("/query", 30, 15, 30)
    equal(left("/nested", 10, 20, 20), ["x"])
    old = text("/pid")
    d.expect("the request exceeds what fpm.timeout allows it")
    for path in ("/late", "/sublate", "/limited"):
        equal(ask(path)[0], 408)
        d.wait_log(r"GET %s: .*app\.lua:\d+: the request exceeds" % path)
    equal(text("/pid"), old)
    left("/query", 30, 15, 30)


@test
def memory():
    """beyond limits.memory the request is answered, the worker replaced
    (M10)"""
    old = text("/pid")
    d.expect("memory limit 16M exceeded")
    equal(ask("/memory")[0], 500)
    until(lambda: text("/pid") != old, "a fresh worker")
    assert recycled("memory") == 1


KEYS = r'which would be: (workers: .*)$'
SAYS = r'the pool\'s own keys hold, not those of listen{}, ' + KEYS


@test
def bounds():
    """what listen{} says of processes is told once as the keys that mean the
    same; a pool that has them is told nothing, and keeps to them (M13)"""
    with pool(workers={"mode": "static", "max": 3}) as own:
        own.wait_workers(3)
        told = own.wait_log(SAYS)[1]
        equal(len(re.findall("which would be", own.read_log())), 1)
    assert 'limits: { memory = "16M"; };' in told, told
    with Daemon(APP, interface="moonbridge", workers={
            "mode": "dynamic", "max": 4, "start": 2, "min_spare": 1,
            "max_spare": 3}) as own:
        assert told.startswith('workers: { mode = "dynamic"; max = 4; '
                               'start = 2; min_spare = 1; max_spare = 3; };')
        own.wait_workers(2)
        told = own.wait_log("which would be: (.*)$")[1]
        assert "workers" not in told, told
        own.expect("pool www: full")
        # Each is kept busy by a client that is slow to send its form.
        busy = [own.connect() for _ in range(6)]
        for c in busy:
            c.send(head("POST", "/upload", params={
                "CONTENT_LENGTH": "6", "CONTENT_TYPE":
                "application/x-www-form-urlencoded"}))
        own.wait_workers(4)
        for c in busy:
            c.send(stream(STDIN, b"a=1234"))
        for c in busy:
            equal(c.response().status, 200)
            c.close()
        equal(len(own.workers()) <= 4, True)


@test
def intervals():
    """an interval is a timer of the pool, in a process of its own (M12)"""
    with pool(timers=({"name": "tick", "every": "200ms"},)) as own:
        told = own.wait_log(SAYS)[1]
        assert "timers" not in told, told
        own.wait_log(r"interval tick 3$")
        run_by = set(re.findall(r"\[pid (\d+)\] interval tick",
                                own.read_log()))
        equal(len(run_by), 1)
        equal(own.fetch(uri="/intervals").body, b"0")
        equal(len(re.findall("which would be", own.read_log())), 1)


@test
def refused():
    """a file that is none is refused with what is missing; so is one of
    another interface"""
    for code, why in (("", "has not called listen{...}"),
                      ("return { accept = print }",
                       'which interface = "native" takes'),
                      ("listen{ {}, connect = print }",
                       "the proto of listener 1 is nil")):
        own = Daemon(code, interface="moonbridge")
        own.write_conf()
        status, out, err = tool("-t", "-c", own.file)
        assert status == 78 and why in out + err, out + err
        own.destroy()
    own = Daemon('local http = require "moonbridge_http"')
    own.write_conf()
    status, out, err = tool("-t", "-c", own.file)
    assert 'interface = "moonbridge"' in out + err, out + err
    own.destroy()


run(60, needs=("/usr/sbin/nginx",))

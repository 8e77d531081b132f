#!/usr/bin/env python3
"""The same requests over HTTP and through nginx over FastCGI: the application
sees the same, but for what lua-fpm-http(7) says."""

import os
import sys
from http.client import HTTPResponse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

# What may be otherwise; each is looked at by itself below.
OTHERWISE = {"HTTP_HOST", "SERVER_NAME", "SERVER_PORT", "SERVER_SOFTWARE",
             "REMOTE_PORT", "REMOTE_USER", "DOCUMENT_ROOT"}

DIR, port = scratch(), free_port()
d = Daemon(app=app_source("env.lua"), dir=DIR,
           workers={"mode": "static", "max": 1},
           listen=[DIR + "/www.sock", "http:127.0.0.1:%d" % port])
n = None


def exchange(port, data):
    """(status, parameters, body that the application has read)"""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as s:
        s.sendall(data)
        r = HTTPResponse(s)
        r.begin()
        answer = r.read()
        r.close()
    if r.status != 200:
        return r.status, {}, b""
    lines, _, body = answer.partition(b"\n\n")
    return 200, dict(line.split("=", 1) for line in
                     lines.decode("latin-1").split("\n")), body


def request_of(target, *lines, method="GET", host="www.example.org:81",
               version="1.1", body=b""):
    head = ["%s %s HTTP/%s" % (method, target, version), *lines]
    if host is not None:
        head.insert(1, "Host: " + host)
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


def both(*given, **how):
    """What nginx and what our own listener make of a request."""
    data = request_of(*given, **how)
    return exchange(n.port, data), exchange(port, data)


def same(*given, **how):
    theirs, ours = both(*given, **how)
    equal(theirs[0], 200, given)
    equal(ours[0], 200, given)
    alike = [{k: v for k, v in env.items() if k not in OTHERWISE}
             for _, env, _ in (theirs, ours)]
    equal(alike[1], alike[0], given)
    equal(ours[2], theirs[2], given)
    return theirs[1], ours[1]


@test
def starts():
    """nginx and the daemon start"""
    global n
    d.start()
    n = Nginx(DIR + "/www.sock")


@test
def headers():
    """each header, repeated ones, names that are left out"""
    theirs, ours = same(
        "/a%20b//c/../d?x=%zz&y", "Accept-Language: de", "Cookie: a=1",
        "X_Y: 1", "Cookie: b=2", "Proxy: http://evil.example/",
        "TE: trailers", "Keep-Alive: 3", "Upgrade: foo", "X.Dot: 1",
        "Authorization: Basic YTpi", "X-Rep: 1", "x-rep:2", "X-Empty:",
        "X-Tab: a\tb ", "X-High: \xe4\xff", "Content-Type: a/b", "-: x",
        "X-9: 1", "Connection: close")
    equal(ours["HTTP_X_REP"], "1, 2")
    equal(ours["HTTP_COOKIE"], "a=1; b=2")
    equal([k for k in ours if k in ("HTTP_X_Y", "HTTP_PROXY", "HTTP_X_DOT")],
          [])
    equal(ours["REQUEST_URI"], "/a%20b//c/../d?x=%zz&y")
    equal(ours["SCRIPT_NAME"], "/a b/d")


@test
def otherwise():
    """what is otherwise, and how"""
    theirs, ours = same("/", "Authorization: Basic YTpi")
    equal(theirs["HTTP_HOST"] in ("www.example.org", "www.example.org:81"),
          True)
    equal(ours["HTTP_HOST"], "www.example.org:81")
    equal(ours["SERVER_NAME"], "www.example.org")
    equal(ours["SERVER_PORT"], str(port))
    equal((theirs["REMOTE_USER"], ours["REMOTE_USER"]), ("a", ""))
    matches(r"^lua-fpm/\S+$", ours["SERVER_SOFTWARE"])
    equal("DOCUMENT_ROOT" in ours, False)
    equal(set(theirs) - set(ours), {"DOCUMENT_ROOT"})
    equal(set(ours) - set(theirs), set())
    equal(same("/", version="1.0", host="A.example")[1]["SERVER_NAME"],
          "A.example")
    equal(both("/", version="1.0", host=None)[1][1]["SERVER_NAME"],
          "127.0.0.1")


@test
def methods_and_versions():
    """methods, HTTP/1.0, and hosts"""
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH",
                   "PROPFIND"):
        same("/a", method=method)
    for host in ("a.example", "a.example:8080", "[::1]:80", "127.0.0.1"):
        same("/", host=host)
    same("/", version="1.0")
    same("/", "Connection: keep-alive", version="1.0")


@test
def bodies():
    """with a length, chunked, and none"""
    for length in (0, 1, 70000):
        body = random.Random(length).randbytes(length)
        _, ours = same("/", "Content-Type: text/plain",
                       "Content-Length: %d" % length, method="POST",
                       body=body)
        equal(ours["CONTENT_LENGTH"], str(length))
    _, ours = same("/", "Transfer-Encoding: chunked", method="POST",
                   body=b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n")
    equal(ours["CONTENT_LENGTH"], "5")
    same("/", "Content-Type:")


# What nginx 1.22 makes of these paths is in tests/unit/test_http_target.c too.
PATHS = ("/", "//", "/a//b", "/a%2fb", "/a%2f%2fb", "/.", "/a/.", "/a/..",
         "/a/./b", "/a/../", "/a/b/../../c", "/a/%2e%2e/b", "/a/..%2fb",
         "/a/b//..//c", "/a/.?q", "/a/..?q", "/...", "/a/..b", "/a/b../c",
         "/%23%3f", "/%25zz", "/%252e%252e/", "/%c3%a4", "/a;b=c", "/a+b",
         "/?", "/a?b?c", "/a?%", "/a?/../b//c", "/%7f%01", "/a%5cb")


@test
def paths():
    """a path means the same"""
    for path in PATHS:
        same(path)
    for target in ("http://b.example:82/c%20d/../e?f", "HTTP://b.example/",
                   "https://b.example/", "http://[::1]:80//x",
                   "http://b.example"):
        _, ours = same(target, host="a.example")
        equal(ours["HTTP_HOST"], target.split("/")[2])
        equal((ours["REQUEST_SCHEME"], "HTTPS" in ours), ("http", False))


@test
def random_paths():
    """and so do paths of nothing but what is resolved"""
    rng = random.Random(12)
    pieces = "/ / / . .. %2e %2f %2F a b %61 ? %25 %3f ; ...".split()
    for _ in range(1000 if "FULL" in os.environ else 60):
        path = "/" + "".join(rng.choices(pieces, k=rng.randrange(1, 9)))
        theirs, ours = both(path)
        equal((ours[0], ours[1].get("SCRIPT_NAME"),
               ours[1].get("QUERY_STRING"), ours[1].get("REQUEST_URI")),
              (theirs[0], theirs[1].get("SCRIPT_NAME"),
               theirs[1].get("QUERY_STRING"), theirs[1].get("REQUEST_URI")),
              path)


@test
def refused():
    """what both refuse, and what nginx does not, or not in every version"""
    d.expect("client 127.0.0.1", "malformed", "target")
    for target in ("/%00", "/%zz", "/%2", "/a%", "/..", "/../a", "/%2e%2e/a",
                   "/a/../../b", "a", "*", "?a", "http:///a",
                   "http://u@b.example/", "/\x7f", "/a b"):
        equal([r[0] for r in both(target)], [400, 400], target)
    for host in ("", "a b", "a/b", ":80"):
        equal([r[0] for r in both("/", host=host)], [400, 400], host)
    for target in ("/a#b", "/a?b#c", "ftp://b.example/", "/\xe4"):
        equal(both(target)[1][0], 400, target)
    for host in ("u@b.example", "[::1", "b.example:x", "b.example:80:80"):
        equal(both("/", host=host)[1][0], 400, host)
    equal(both("*", method="OPTIONS")[1][0], 200)


run(60, needs=("/usr/sbin/nginx",))

#!/usr/bin/env python3
"""Behind a real nginx, a new connection for each request."""

import hashlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

KEEP = globals().get("KEEP", False)  # nginx_keep.py sets it
d = Daemon(workers={"mode": "static", "max": 2}, status_path="/fpm-status",
           ping_path="/fpm-ping")
n = None


def get(lua=None, **how):
    return http(n.port, lua=lua, **how)


@test
def starts():
    """nginx and the daemon start"""
    global n
    d.start()
    n = Nginx(d.address(), keep=KEEP, location="fastcgi_buffering off;"
              if KEEP else "")
    equal(get()[2], b"hello")


@test
def get_and_post():
    """GET, POST and other methods, query and headers"""
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        equal(get("return text(env.REQUEST_METHOD .. env.REQUEST_URI .. "
                  "env.QUERY_STRING .. env.HTTP_X_A)", method=method,
                  path="/a%20b?c=d", headers={"X-A": "y"})[2],
              method.encode() + b"/a%20b?c=dc=dy")
    equal(get("return text(env.CONTENT_TYPE .. ' ' .. env.CONTENT_LENGTH .. "
              "' ' .. env.input:read('a'))", method="POST", body="a=1&b=2",
              headers={"Content-Type": "application/x-www-form-urlencoded"})
          [2], b"application/x-www-form-urlencoded 7 a=1&b=2")


@test
def pool_status():
    """the pool's status and its ping are answered, to HEAD as well"""
    equal(get(path="/fpm-ping")[::2], (200, b"pong"))
    equal(get(path="/fpm-ping", method="HEAD")[::2], (200, b""))
    got = get(path="/fpm-status?json&full")
    equal((got[0], got[1]["Content-Type"]), (200, "application/json"))
    assert b'"request uri":"/fpm-status?json&full"' in got[2], got
    equal(get(path="/fpm-status?bogus")[0], 400)


@test
def statuses():
    """status and headers arrive as the application gave them"""
    for status in (200, 201, 301, 404, 418, 500, 503):
        got = get("return { Status = %d, ['X-Y'] = 'z', ['Set-Cookie'] = "
                  "{'a=1', 'b=2'} }, 'body'" % status)
        equal((got[0], got[1]["X-Y"], got[1].get_all("Set-Cookie"), got[2]),
              (status, "z", ["a=1", "b=2"], b"body"))
    got = get("return { Status = 302, Location = 'http://example.org/' }")
    equal((got[0], got[1]["Location"]), (302, "http://example.org/"))
    got = get("return { Location = 'http://example.org/' }")
    equal((got[0], got[1]["Location"]), (302, "http://example.org/"))


@test
def bodiless():
    """HEAD, 204, 304; an empty response is a 200"""
    status, headers, body = get("return {}, 'abc'", method="HEAD")
    equal((status, headers["Content-Length"], body), (200, "3", b""))
    for code in (204, 304):
        status, headers, body = get("return { Status = %d }, 'abc'" % code)
        equal((status, headers["Content-Type"], body), (code, None, b""))
    equal(get("return {}")[::2], (200, b""))


@test
def malformed():
    """what is malformed is a 500, not a 502"""
    d.expect("GET /")
    for lua in ("return 7", "error('x')", "return { ['X'] = {{}} }",
                "return {}, {true}"):
        equal(get(lua)[0], 500, lua)


@test
def repeated_headers():
    """a header sent twice is joined; Proxy is not handed on"""
    with socket.create_connection(("127.0.0.1", n.port)) as s:
        s.sendall(b"GET / HTTP/1.0\r\nHost: x\r\nX-A: 1\r\nX-A: 2\r\n"
                  b"Proxy: evil\r\nCookie: a=1\r\nCookie: b=2\r\n"
                  b"X-Lua: return text(env.HTTP_X_A .. '|' .. "
                  b"env.HTTP_COOKIE .. '|' .. tostring(env.HTTP_PROXY))\r\n"
                  b"\r\n")
        s.settimeout(PATIENCE)
        got = b""
        while True:
            more = s.recv(65536)
            if not more:
                break
            got += more
    assert got.endswith((b"1, 2|a=1; b=2|nil", b"1, 2|a=1|nil")), got


@test
def streaming():
    """a streamed response arrives piece by piece"""
    if not KEEP:
        streaming_nginx = Nginx(d.address(),
                                location="fastcgi_buffering off;")
    else:
        streaming_nginx = n
    import http.client
    gates = [d.gate() for _ in range(3)]
    c = http.client.HTTPConnection("127.0.0.1", streaming_nginx.port,
                                   timeout=PATIENCE)
    c.request("GET", "/", headers={"X-Lua": "local n = 0 return {}, "
              "function() n = n + 1 if n > 1 and n < 5 then "
              "gate(({%s})[n - 1]) end if n < 5 then return 'piece' .. n end "
              "end" % ", ".join('"%s"' % g.path for g in gates)})
    r = c.getresponse()
    for i, gate in enumerate(gates, 1):
        equal(r.read(6), b"piece%d" % i)
        gate.wait()
        gate.open()
    equal(r.read(), b"piece4")
    c.close()
    if streaming_nginx is not n:
        streaming_nginx.stop()


@test
def upload_and_download():
    """10 MB up and 10 MB down, checked by hash"""
    data = random.Random(1).randbytes(10 << 20)
    status, headers, body = get("return text(env.input:read('a'))",
                                method="POST", body=data)
    equal(status, 200)
    equal(hashlib.sha256(body).digest(), hashlib.sha256(data).digest())
    status, headers, body = get(
        # nginx sends no more of the body once a response has begun
        "local t = {} repeat t[#t + 1] = env.input:read(10007) "
        "until #t[#t] < 10007 return text(t)", method="PUT", body=data)
    equal(hashlib.sha256(body).digest(), hashlib.sha256(data).digest())


@test
def upload_unbuffered():
    """a chunked upload that nginx does not buffer: length unknown"""
    with Nginx(d.address(), keep=KEEP,
               location="fastcgi_request_buffering off;") as m:
        def chunks():
            for i in range(50):
                yield b"%05d" % i * 1000
        status, _, body = http(m.port, "POST", body=chunks(), headers={
            "Transfer-Encoding": "chunked"},
            lua="return text(env.input:read('a'))")
        equal(status, 200)
        equal(body, b"".join(b"%05d" % i * 1000 for i in range(50)))


@test
def client_abort():
    """a client that goes away: nginx closes, the worker serves the next"""
    workers = d.workers()
    for _ in range(5):
        s = socket.create_connection(("127.0.0.1", n.port))
        mark = d.log_mark()
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Lua: print('begun') "
                  b"return {}, function() return ('x'):rep(10000) end\r\n"
                  b"\r\n")
        d.wait_log("begun", mark)
        s.close()
    for _ in range(10):
        equal(get()[2], b"hello")
    equal(d.workers(), workers)


@test
def unread_uploads():
    """uploads of every size that the application does not read"""
    for size in (1, 1000, 100000, 3000000):
        for _ in range(4):
            status, _, body = get("return text('unread')", method="POST",
                                  body=b"x" * size)
            equal((status, body), (200, b"unread"), size)
            equal(get("return text('next')")[2], b"next")


@test
def no_smuggling():
    """forged requests in a body that is not read never run"""
    forged = request(keep=True, uri="/forged",
                     params=[("REMOTE_USER", "admin")],
                     lua="print('SMUGGLED') return text('forged')")
    for copies in (1, 20, 500, 5000):
        for lua in ("return text('victim')",
                    "env.input:read(1) return text('victim')",
                    "env.input:read('l') return text('victim')",
                    "env.input:read(%d) return text('victim')" %
                    len(forged)):
            for _ in range(3):
                equal(get(lua, method="POST", body=forged * copies)[2],
                      b"victim")
                equal(get("return text(env.REQUEST_URI)", path="/own")[2],
                      b"/own")
    assert "SMUGGLED" not in d.read_log()


@test
def many():
    """8 clients at once, each gets its own answer"""
    def client(k):
        for i in range(100):
            mark = b"%d-%d" % (k, i)
            status, _, body = get("return text(env.input:read('a'))",
                                  method="POST", body=mark * 100)
            equal((status, body), (200, mark * 100))
    for t in [Background(client, k) for k in range(8)]:
        t.result(60)


@test
def reloads_under_load():
    """20 HUPs with deployments under load through nginx: no request fails"""
    ending, done, bad = threading.Event(), [0], []

    def client(k):
        while not ending.is_set():
            method, body = ("POST", b"x" * 5000) if k % 2 else ("GET", None)
            try:
                status, _, got = get("return text(env.input:read('a'))",
                                     method=method, body=body)
                if (status, got) != (200, body or b""):
                    bad.append((status, got[:200]))
            except Exception as e:
                bad.append(repr(e))
            done[0] += 1
    threads = [Background(client, k) for k in range(6)]
    for i in range(20):
        goal = done[0] + 20
        until(lambda: done[0] >= goal, "load goes on")
        if i % 2:
            d.write_app(app_source("eval.lua") + "-- %d\n" % i)
        d.reload()
    ending.set()
    for t in threads:
        t.result()
    equal(bad[:3], [], "%d of %d" % (len(bad), done[0]))
    diag("%d requests over 20 reloads" % done[0])


@test
def nginx_stops():
    """nginx stops cleanly and complained of nothing"""
    with open(n.dir + "/error.log") as f:
        text = f.read()
    n.stop()
    bad = [x for x in text.splitlines() if re.search(
        r"\[(error|crit|alert|emerg)\]", x)]
    equal(bad, [])


run(180, needs=("/usr/sbin/nginx",))

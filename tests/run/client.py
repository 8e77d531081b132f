#!/usr/bin/env python3
"""fpm.client: requests from an application to a FastCGI server, good, slow and
hostile."""

import glob
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

PRELUDE = """
local client = require "fpm.client"
function try(f, ...)
  local got = table.pack(pcall(f, ...))
  for i = 1, got.n do
    got[i] = type(got[i]) == "table" and "table" or tostring(got[i])
  end
  return text(table.concat(got, "|"))
end
"""
APP = PRELUDE + app_source("eval.lua").replace("local env = ...",
                                               "local env, client = ...") \
    .replace('"=request"))(env)', '"=request"))(env, client)')

# The servers, and the application that asks them.
server = Daemon(app_source("eval.lua").replace(
    "return app\n", 'app.roles = { "responder", "authorizer", "filter" }\n'
    "return app\n"), workers={"mode": "static", "max": 1},
    errors_to_server=True)
d = Daemon(APP, workers={"mode": "static", "max": 1},
           timeouts={"request": "20s", "stop": "10s"})
tcp = "127.0.0.1:%d" % free_port()
tcp6 = "[::1]:%d" % free_port(socket.AF_INET6)


def lua(text, **q):
    """What the application answers, as text."""
    r = d.lua(text, **q)
    equal((r.status, r.app_status), (200, 0), text + r.out.decode())
    return r.body.decode()


def asking(address, params="", rest="", read="reply:read('a')", options=""):
    """Lua text that asks, and answers with what it got."""
    return """
        local c = assert(client.connect("%s"%s))
        local reply, why, details = c:request({ %s } %s)
        if not reply then
          return text(details.kind .. ": " .. why)
        end
        local body, fault = %s
        return text(reply.status .. " " .. (body or "nil: " .. fault) ..
          reply.errors)
        """ % (address, options and ", { %s }" % options, params, rest, read)


@test
def starts():
    """a server on a unix socket and two ports, and an application with a
    client"""
    server.set_pool("www", listen=[server.dir + "/www.sock", tcp] + (
        [tcp6] if has_ipv6() else []), workers={"mode": "static", "max": 1},
        errors_to_server=True)
    server.start()
    d.start()
    equal(lua(asking(server.address())), "200 hello")


@test
def ten_over_each():
    """ten requests over one connection, unix and TCP, SCRIPT_NAME with and
    without a slash, nothing on FCGI_STDERR (FastCGI.jl's F3, F4)"""
    for address in (server.address(), tcp, *([tcp6] if has_ipv6() else [])):
        for name in ("/foo", "foo"):
            got = lua("""
                local c <close> = assert(client.connect("%s"))
                local got = {}
                for i = 1, 10 do
                  local reply = assert(c:request({ SCRIPT_NAME = "%s",
                    REQUEST_METHOD = "GET", N = i,
                    LUA = "return text(env.SCRIPT_NAME .. env.N)" }))
                  got[i] = assert(reply:read("a"))
                  assert(reply.complete and reply.errors == "" and
                    reply.app_status == 0 and reply.protocol_status == 0)
                end
                return text(table.concat(got, " "))
                """ % (address, name))
            equal(got, " ".join("%s%d" % (name, i) for i in range(1, 11)))


@test
def is_kept():
    """they come over one connection, and without keep over one each; what
    the server has closed meanwhile is opened again"""
    with Peer() as peer:
        peer.serve([OK] * 3, [OK])
        equal(lua("""
            local c <close> = assert(client.connect("%s"))
            for i = 1, 4 do
              assert(assert(c:request {}):read("a") == "hi")
            end
            return text("done")""" % peer.path), "done")
        equal([c.flags for c in peer.requests], [1] * 4)
        equal(peer.connections, 2)
    with Peer() as peer:
        peer.serve([OK], [OK])
        equal(lua("""
            local c <close> = assert(client.connect("%s", { keep = false }))
            for i = 1, 2 do
              assert(assert(c:request {}):read("a") == "hi")
            end
            return text("done")""" % peer.path), "done")
        equal([c.flags for c in peer.requests], [0] * 2)


@test
def asks_once_more():
    """a kept connection that is closed without an answer: the request is
    sent again, unless its body is gone"""
    for body, got in (("'text'", "hi"), ("nil", "hi"),
                      ("io.open('/etc/passwd')", "cut")):
        with Peer() as peer:
            peer.serve([OK, lambda sock: None], [OK])
            equal(lua("""
                local c <close> = assert(client.connect("%s"))
                assert(assert(c:request {}):read("a") == "hi")
                local reply, why, details = c:request({}, %s)
                return text(reply and reply:read("a") or details.kind)""" %
                      (peer.path, body)), got)


@test
def lengths():
    """names and values of 0, 127, 128 and 70000 bytes, with any bytes (F1),
    in records that are padded"""
    with Peer() as peer:
        peer.serve([OK])
        lua("""
            local c = assert(client.connect("%s"))
            local params = { A = "" }
            for _, n in ipairs { 1, 127, 128, 300 } do
              params[("n"):rep(n)] = ("v\\0"):rep(n)
            end
            params.LONG = ("x"):rep(70000)
            assert(c:request(params)):read("a")
            return text("")""" % peer.path)
        asked = peer.requests[0]
        wanted = {"n" * n: "v\0" * n for n in (1, 127, 128, 300)}
        equal(dict(asked.params), {**wanted, "A": "", "LONG": "x" * 70000})
        equal(asked.padded, True)
        equal(asked.body, b"")


@test
def body_of_every_kind():
    """a body that is a string, a function, a file or env.input"""
    ask = asking(server.address(), 'LUA = "return text(env.input:read(\'a\')'
                 ' .. \' \' .. tostring(env.CONTENT_LENGTH))"', ", %s")
    for body, got in (
            ('"a string"', "200 a string 8"),
            ('""', "200  0"), ("nil", "200  nil"),
            ("(function() local n = 0 return function() n = n + 1 "
             "return ({ 'a', '', 'b' })[n] end end)()", "200 ab nil"),
            ("assert(io.open(debug.getinfo(1, 'S').source:sub(2), 'r') or "
             "io.open('/etc/hostname'))", None),
            ("env.input", "200 from the client nil")):
        if got is not None:
            equal(lua(ask % body, body=b"from the client"), got)
    with open("/etc/passwd") as f:
        equal(lua(ask % "io.open('/etc/passwd')"), "200 %s nil" % f.read())


@test
def large_both_ways():
    """10 MB are sent and come back at the same time, in constant memory"""
    got = lua("""
        local c = assert(client.connect("%s"))
        local left, piece = 160, ("x"):rep(65536)
        local reply = assert(c:request({ LUA = "return {}, function() " ..
          "return env.input:read(100000) end" }, function()
            left = left - 1
            return left >= 0 and piece or nil
          end))
        local n, most = 0, 0
        for piece in reply:pieces() do
          n = n + #piece
          most = math.max(most, collectgarbage("count"))
        end
        return text(n .. " " .. tostring(reply.complete) .. " " ..
          most // 1024)""" % tcp)
    n, complete, most = got.split()
    equal((int(n), complete), (160 * 65536, "true"))
    assert float(most) < 5, "of the Lua heap, MB: " + most


@test
def reads_as_a_file():
    """reply:read with a number, "l", "L", "a", reply:lines, across records
    of any length (F2)"""
    data = b"one\ntwo\n\nfour\0 and a half" + b"y" * 1000 + b"\nend"
    head = b"Content-Type: text/plain\r\n\r\n"
    for size in (1, 3, 1000):
        with Peer() as peer:
            records = b"".join(record(STDOUT, (head + data)[i:i + size],
                                      padding=i % 9)
                               for i in range(0, len(head + data), size))
            peer.serve([records + record(STDOUT) + ended()] * 2)
            equal(lua("""
                local c = assert(client.connect("%s"))
                local reply = assert(c:request {})
                local got = { reply:read("l"), reply:read("L"),
                  reply:read(), reply:read(5), #reply:read("L") }
                got[#got + 1] = reply:read(2)
                got[#got + 1] = reply:read("a")
                got[#got + 1] = tostring(reply:read(1)) ..
                  tostring(reply:read("l")) .. reply:read("a")
                reply = assert(c:request {})
                for line in reply:lines() do
                  got[#got + 1] = #line
                end
                return text(table.concat(got, "|"))""" % peer.path),
                  "one|two\n||four\0|1012|en|d|nilnil|3|3|0|1016|3")


@test
def heads():
    """status, reason and headers: any case, several of one name, none"""
    for out, wanted in (
            (b"Status: 404 Not Here\r\nX-One: a \r\nSet-Cookie: a=1\r\n"
             b"set-cookie: b=2\r\n\r\n", "404|Not Here|a|a=1+b=2|404 Not Here"),
            (b"Location: /x\n\n", "302||nil|nil|nil"),
            (b"X-One:\n\n", "200|||nil|nil")):
        with Peer() as peer:
            peer.serve([record(STDOUT, out) + ended()])
            equal(lua("""
                local reply = assert(assert(client.connect("%s")):request {})
                local h = reply.headers
                local cookies = h["set-cookie"]
                return text(table.concat({ reply.status, reply.reason,
                  tostring(h["x-one"]), type(cookies) == "table" and
                  table.concat(cookies, "+") or tostring(cookies),
                  tostring(h.status) }, "|"))""" % peer.path), wanted)


@test
def hands_on():
    """a response can be handed on as it is: return reply.headers,
    reply:pieces()"""
    code = """
        local reply = assert(assert(client.connect("%s")):request({
          LUA = env.ASK, REQUEST_METHOD = env.REQUEST_METHOD }, env.input))
        return reply.headers, reply:pieces()""" % server.address()
    r = d.lua(code, params=[("ASK", "return { Status = '201 Made', "
                             "['Set-Cookie'] = { 'a', 'b' }, ['X-Y'] = 'z' }, "
                             "env.input:read('a')")], body=b"to and fro")
    equal((r.status_line, r.body), ("201 Made", b"to and fro"))
    equal(sorted(r.header("Set-Cookie")), ["a", "b"])
    server.expect("on purpose")
    d.expect("the server cut|closed the connection|response: ")
    r = d.lua(code, params=[("ASK", "local n = 0 return {}, function() n = n "
                             "+ 1 return n == 1 and 'part' or error('on "
                             "purpose') end")])
    equal(r.body, b"part")
    assert r.app_status != 0, "what is cut is seen to be cut"


@test
def errors_and_statuses():
    """text on FCGI_STDERR, the application status, a refusal"""
    with Peer() as peer:
        peer.serve([record(STDERR, b"oh ") + HEAD + record(STDERR, b"no\n") +
                    record(STDERR) + ended(77)])
        equal(lua("""
            local reply = assert(assert(client.connect("%s")):request {})
            local body = reply:read("a")
            return text(table.concat({ body, reply.errors, reply.app_status,
              reply.protocol_status, tostring(reply.complete) }, "|"))""" %
                  peer.path), "hi|oh no\n|77|0|true")
    with Peer() as peer:
        peer.serve([silent(HEAD)])
        equal(lua("""
            local reply = assert(assert(client.connect("%s")):request {})
            return text(tostring(reply.app_status) .. reply.errors ..
              tostring(reply.complete))""" % peer.path), "nilfalse")
    for status, why in ((1, "one request"), (2, "overloaded"),
                        (3, "does not know the role")):
        with Peer() as peer:
            peer.serve([record(STDERR, b"no") + ended(5, status)])
            matches(r"^refused\|[^|]*%s[^|]*\|5\|%d\|no$" % (why, status), lua(
                """
                local _, why, d = assert(client.connect("%s")):request {}
                return text(table.concat({ d.kind, why, d.app_status,
                  d.protocol_status, d.errors }, "|"))""" % peer.path))


@test
def roles():
    """an authorizer is sent no body, a filter a file"""
    equal(lua(asking(server.address(), 'LUA = "return {[\'Variable-X\'] = '
                     'env.role}"', ', nil, { role = "authorizer" }',
                     "reply.headers['variable-x']")), "200 authorizer")
    equal(lua(asking(server.address(), 'LUA = "return text(env.role .. '
                     'env.input:read(\'a\') .. env.data:read(\'a\'))"',
                     ', " body ", { role = "filter", data = "file" }')),
          "200 filter body file")


# ---- hostile servers --------------------------------------------------------


class Asked:
    """One request as it came."""

    def __init__(self, conn, streams):
        self.params, self.body, self.padded = b"", b"", True
        while True:
            got = conn.record()
            if got is None:
                raise EOFError
            kind, _, data = got
            if kind == BEGIN:
                self.role, self.flags = struct.unpack(">HB5x", data)
            elif kind == PARAMS:
                self.params += data
            elif kind == STDIN:
                self.body += data
                if not data:
                    break
            if kind == PARAMS and not data and not streams:
                break
        self.params = unpair(self.params)


class Peer(threading.Thread):
    """A server that answers what it is told to.  serve(): a list for each
    connection, of what is answered to each request on it: bytes, or a
    function that is given the socket."""

    def __init__(self, streams=True):
        super().__init__(daemon=True)
        self.dir = scratch()
        self.path = self.dir + "/peer.sock"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        os.chmod(self.path, 0o777)
        self.listener.listen(16)
        self.streams, self.requests, self.connections = streams, [], 0
        self.socks = []

    def serve(self, *plan):
        self.plan = plan
        self.start()
        return self

    def run(self):
        with contextlib.suppress(OSError):
            for answers in self.plan:
                sock = self.listener.accept()[0]
                self.connections += 1
                self.socks.append(sock)
                if answers is None:  # it is never read
                    continue
                conn = FcgiConn.__new__(FcgiConn)
                conn.sock, conn.buffer = sock, b""
                with contextlib.suppress(OSError, EOFError), sock:
                    for answer in answers:
                        self.requests.append(Asked(conn, self.streams))
                        if callable(answer):
                            answer(sock)
                        else:
                            sock.sendall(answer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for sock in (self.listener, *self.socks):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        self.join(PATIENCE)
        shutil.rmtree(self.dir)


def ended(app=0, protocol=0, id=1):
    return record(END, struct.pack(">IB3x", app, protocol), id)


HEAD = record(STDOUT, b"Content-Type: text/plain\r\n\r\nhi")
OK = HEAD + record(STDOUT) + ended()


def flood(piece):
    """Send that until the client has had enough."""
    def send(sock):
        while True:
            sock.sendall(piece)
    return send


def silent(*before):
    def wait(sock):
        sock.sendall(b"".join(before))
        sock.recv(1)  # until the client closes
    return wait


@test
def garbage():
    """what is no FastCGI, or no CGI response, is "protocol" """
    for answer, why in (
            (b"HTTP/1.1 200 OK\r\n\r\nhello", "no FastCGI"),
            (bytes(range(256)) * 300, "no FastCGI"),
            (record(STDOUT, b"no header at all\n\n"), "malformed header"),
            (record(STDOUT, b"Status: zzz\n\n"), "malformed Status"),
            (record(END, b"1234"), "END_REQUEST of 4 bytes")):
        with Peer() as peer:
            peer.serve([answer])
            matches("^(protocol|cut): .*(%s)|Content-Type" % why,
                    lua(asking(peer.path)))


@test
def another_id():
    """records of another request are none of the response"""
    other = record(STDOUT, b"Status: 200 OK\n\nforged", id=2) + ended(id=2)
    with Peer() as peer:
        peer.serve([other + OK])
        equal(lua(asking(peer.path)), "200 hi")
    with Peer() as peer:
        peer.serve([silent(other)])
        matches("^timeout: ", lua(asking(peer.path,
                                         options="timeout = 0.2")))


@test
def too_much():
    """endless text on FCGI_STDERR and an endless head end at their limits,
    which can be set"""
    for piece, why in ((record(STDERR, b"error " * 1000),
                        "more than 65536 bytes of error text"),
                       (record(STDOUT, b"A: b\n" * 1000),
                        "more than 65536 bytes of headers")):
        with Peer() as peer:
            peer.serve([flood(piece)])
            matches("^(limit|protocol): " + why, lua(asking(peer.path)))
    with Peer() as peer:
        peer.serve([record(STDERR, b"12345678") + OK])
        equal(lua(asking(peer.path, options="max_errors = 8")),
              "200 hi12345678")
    with Peer() as peer:
        peer.serve([record(STDERR, b"12345678") + OK])
        matches("^200 nil: more than 7 bytes", lua(asking(
            peer.path, options="max_errors = 7")))


@test
def never_ends():
    """a server that never answers, or never ends, is "timeout", and the
    worker goes on"""
    for answer, got in ((silent(), "^timeout: "),
                        (silent(HEAD), "^200 nil: no complete response in"),
                        (silent(HEAD, HEAD[:5]), "^200 nil: no complete"),
                        (flood(record(99, b"x" * 1000)), "^timeout: ")):
        with Peer() as peer:
            peer.serve([answer])
            matches(got, lua(asking(peer.path, options="timeout = 0.2")))
    with Peer() as peer:  # which reads nothing
        peer.serve(None)
        matches("^timeout: ", lua(asking(
            peer.path, "", ", function() return ('x'):rep(65536) end",
            options="timeout = 0.2")))


@test
def breaks_off():
    """a server that closes in the middle is "cut", wherever that is"""
    whole = record(STDOUT, b"Content-Length: 5\r\n\r\nhello") + \
        record(STDOUT) + ended()
    for n in range(0, len(whole), 3):
        with Peer() as peer:
            peer.serve([whole[:n]])
            matches("^(cut: |200 nil: )the server closed",
                    lua(asking(peer.path)))
    with Peer() as peer:
        peer.serve([record(STDOUT, b"Content-Length: 9\n\nhello") + ended()])
        matches("^200 nil: Content-Length is 9, the body has 5|^cut: ",
                lua(asking(peer.path)))
    with Peer() as peer:
        peer.serve([HEAD + record(ABORT)])
        matches("^200 nil: .*cut|^cut: ", lua(asking(peer.path)))
    matches("^nil|.*/nowhere: cannot connect",
            lua("return try(client.connect, '/nowhere')"))


@test
def nothing_is_left_for_the_next():
    """bytes behind a response are no part of the next one; what is not read
    of a response is not either"""
    forged = record(STDOUT, b"Status: 200 OK\n\nforged") + ended()
    with Peer() as peer:
        peer.serve([OK + forged], [OK])
        equal(lua("""
            local c = assert(client.connect("%s"))
            local one = assert(c:request {}):read("a")
            return text(one .. assert(c:request {}):read("a"))""" %
                  peer.path), "hihi")
    with Peer() as peer:
        peer.serve([silent(HEAD)], [OK])
        equal(lua("""
            local c = assert(client.connect("%s"))
            local old = assert(c:request {})
            local new = assert(c:request {}):read("a")
            local got, why = old:read("a")
            return text(new .. tostring(got) .. why)""" % peer.path),
              "hinilthe response is over: its connection has been used again")


@test
def answers_early():
    """a server that answers and closes without reading the body"""
    with Peer(streams=False) as peer:
        peer.serve([OK], [OK])
        equal(lua("""
            local c = assert(client.connect("%s"))
            local function body() return ("x"):rep(65536) end
            local one = assert(c:request({}, body)):read("a")
            return text(one .. assert(c:request({}, body)):read("a"))""" %
                  peer.path), "hihi")


# ---- the application's time -------------------------------------------------


@test
def obeys_the_deadline():
    """a wait ends when timeouts.request is over: the client gets its
    status, and the worker lives"""
    d.expect("timeouts.request")
    with Peer() as peer, Daemon(APP, workers={"mode": "static", "max": 1},
                                timeouts={"request": "300ms",
                                          "stop": "10s"}) as hasty:
        hasty.expect("timeouts.request")
        workers = hasty.workers()
        peer.serve([silent()], [silent(HEAD)])
        for _ in range(2):
            r = hasty.lua(asking(peer.path))
            equal(r.status, 408)
        equal(hasty.workers(), workers)
        text = hasty.read_log()
        matches("client.lua", text)
        assert "did not let itself be stopped" not in text


@test
def sublimit():
    """and a wait inside of fpm.timeout when that is over"""
    with Peer() as peer:
        peer.serve([silent()])
        got = lua("""
            local c = assert(client.connect("%s"))
            return try(require("fpm.timeout"), 0.2, function()
              return c:request {}
            end)""" % peer.path)
        matches("^false.*the time that fpm.timeout gives is over", got)


@test
def leaks_nothing():
    """a connection goes with its last use, and no child inherits it"""
    lua("collectgarbage() return text('')")
    worker = d.workers()[0]
    before = len(fds(worker))
    got = lua("""
        local c = assert(client.connect("%s"))
        assert(c:request {}):read("a")
        local f = io.popen("ls -l /proc/self/fd")
        local n = 0
        for line in f:lines() do
          n = n + (line:find("socket") and 1 or 0)
        end
        f:close()
        for i = 1, 50 do
          assert(assert(client.connect("%s")):request {}):read("a")
        end
        return text(n)""" % (server.address(), tcp))
    equal(got, "0")
    lua("collectgarbage() return text('')")
    until(lambda: len(fds(worker)) <= before, "no descriptor more")
    equal(d.workers(), [worker])


@test
def in_start():
    """it works before the first request, and over requests"""
    with Daemon('local client = require "fpm.client" local app, c = {}\n'
                'function app.start() c = assert(client.connect("%s")) end\n'
                'function app.accept(env) return {}, assert(c:request {}):'
                'read("a") end return app' % server.address()) as other:
        for _ in range(5):
            equal(other.fetch().body, b"hello")


@test
def php():
    """php-fpm: pages of PHP, over one kept connection, with a form, an error
    and its text"""
    program = next(iter(sorted(glob.glob("/usr/sbin/php-fpm*"))), None)
    if program is None:
        raise Skip("no php-fpm")
    dir = scratch()
    write(dir + "/page.php", "<?php header('X-Pid: ' . getmypid()); echo 'q='"
          " . $_GET['q'] . ' name=' . ($_POST['name'] ?? '-'); "
          "if ($_GET['q'] == 'bad') { http_response_code(503); "
          "error_log('oh no'); }")
    write(dir + "/fpm.conf", """[global]
error_log = %(dir)s/rw/log
daemonize = no
[www]
%(user)s
listen = %(dir)s/rw/php.sock
listen.mode = 0666
pm = static
pm.max_children = 1
php_admin_flag[log_errors] = on
""" % {"dir": dir, "user": ROOT and "user = %s\ngroup = %s" % (
        pool_user(), pool_group()) or ""})
    with open(dir + "/out", "w") as out, subprocess.Popen(
            [program, "-y", dir + "/fpm.conf"], stdin=subprocess.DEVNULL,
            stdout=out, stderr=out) as process:
        try:
            until(lambda: os.path.exists(dir + "/rw/php.sock"), "php-fpm")
            got = lua("""
                local c <close> = assert(client.connect("%s/rw/php.sock"))
                local got, pids = {}, {}
                for _, q in ipairs { "one", "two", "bad" } do
                  local reply = assert(c:request({ REQUEST_METHOD = "POST",
                    SCRIPT_FILENAME = "%s/page.php", QUERY_STRING = "q=" .. q,
                    CONTENT_TYPE = "application/x-www-form-urlencoded",
                  }, "name=Ada"))
                  got[#got + 1] = reply.status .. " " .. reply:read("a")
                  got[#got + 1] = reply.errors:match("oh no")
                end
                return text(table.concat(got, "|"))""" % (dir, dir))
        finally:
            process.terminate()
    equal(got, "200 q=one name=Ada|200 q=two name=Ada|503 q=bad name=Ada|"
          "oh no")
    shutil.rmtree(dir)


@test
def wrong_arguments():
    """each is named, at the place of the call"""
    connect = 'local c = assert(client.connect("%s")) ' % server.address()
    for code, why in (
            ("client.connect()", "fpm.client.connect: address is nil"),
            ("client.connect(42)", "address is a number, expected a string"),
            ('client.connect("/x", 5)', "options is a number"),
            ('client.connect("/x", { tiemout = 1 })', 'no option "tiemout"'),
            ('client.connect("/x", { timeout = 0 })', "timeout is 0"),
            ('client.connect("/x", { timeout = 0 / 0 })', "timeout is -?nan"),
            ('client.connect("/x", { timeout = "1" })', "timeout is a string"),
            ('client.connect("/x", { max_head = 0 })', "max_head is 0"),
            ('client.connect("/x", { max_errors = 1.5 })', "max_errors is"),
            ('client.connect("/x", { keep = 1 })', "keep is a number"),
            ("c:request()", "connection:request: params is nil"),
            ("c:request { 1 }", "params has a key that is a number"),
            ('c:request { [""] = 1 }', "params has a key that is empty"),
            ("c:request { A = {} }", r'params\["A"\] is a table'),
            ("c:request { A = true }", r'params\["A"\] is a boolean'),
            ("c:request({}, 42)", "body is a number"),
            ("c:request({}, {})", "body is a table"),
            ("c:request({}, nil, { role = 'x' })", 'role is "x"'),
            ("c:request({}, nil, { role = 3 })", "role is a number"),
            ("c:request({}, nil, { data = 'x' })", "data is for the role"),
            ("c:request({}, 'x', { role = 'authorizer' })", "no body"),
            ("c:request({}, nil, { role = 'filter', data = 5 })",
             "data is a number"),
            ("c:request({}, nil, { timeout = -1 })", "timeout is -1"),
            ("assert(c:request {}):read('x')", 'format is "x"'),
            ("assert(c:request {}):read(0)", "format is 0"),
            ("assert(c:request {}):read({})", "format is a table"),
            ("c:request({}, function() error('mine') end)", "mine")):
        matches(r"^false\|request:\d+: .*" + why, lua(
            connect + "return try(function()\nlocal _ = %s\nend)" % code))
    matches("next piece is a number", lua(
        connect + "return try(c.request, c, {}, function() return 5 end)"))
    matches("has used the connection itself", lua(
        connect + "return try(c.request, c, {}, function() c:request {} "
        "return 'x' end)"))
    for address in ("no address", "/a\\0b", ":1", "host:", "/" + "x" * 200,
                    "[::1]", "127.0.0.1:0"):
        matches("^nil [^ ]", lua("local c, why = client.connect('%s') "
                                 "return text(tostring(c) .. ' ' .. why)" %
                                 address))
    equal(lua(connect + "pcall(c.request, c, {}, error) return text(assert("
              "c:request {}):read('a'))"), "hello", "it can be used after")


@test
def core_in_any_order():
    """what fpm.client stands on holds whatever is called when"""
    with Peer() as peer:
        peer.serve(None, [OK])
        equal(lua("""
            local core = require "fpm.core.client"
            local c = core.open("%s")
            local function all()
              c:take(5) c:line() c:head() c:result() c:stale() c:sends()
              c:put("stdin", "x") c:put("data") c:put("stdin")
            end
            all() c:step() c:connect(1000) all()
            for _, wrong in ipairs { { "begin" }, { "begin", {}, -1 },
                { "begin", { A = 1 }, 1, true, false, 1000, 100, 100 },
                { "put", "stdout", "x" }, { "take", -1 }, { "connect", 0 } } do
              assert(not pcall(c[wrong[1]], c, table.unpack(wrong, 2)))
            end
            c:close() all() c:step()
            assert(c:begin({}, 1, true, false, 1000, 100, 100))
            c:put("stdin") c:put("stdin") c:put("stdin")
            while c:step() do end
            return text(c:take(100) or "")""" % peer.path), "hi")


@test
def manual():
    """the examples of fpm.client(3lua)"""
    with open(SRC + "/man/fpm.client.3lua") as f:
        program, application = [
            re.sub(r"\\e", lambda _: "\\", t) for t in
            re.findall(r"^\.Bd -literal.*\n((?:(?!\.Ed).*\n)*)\.Ed$",
                       f.read(), re.M)]
    assert "/run/lua-fpm/shop.sock" in program, program
    equal(lua("local got = {} local function print(...) got[#got + 1] = "
              "table.concat({...}, ' ') end do " + program.replace(
                  "/run/lua-fpm/shop.sock", server.address()) +
              "end return text(table.concat(got, '\\n'))"),
          "200 text/plain\nhello")
    assert "/run/php/php-fpm.sock" in application, application
    with Daemon(application.replace("/run/php/php-fpm.sock",
                                    server.address())) as gateway:
        for _ in range(2):
            r = gateway.lua("return { Status = 201, ['X-File'] = env."
                            "SCRIPT_FILENAME }, env.input:read('a')",
                            uri="/a.php", body=b"posted")
            equal((r.status, r.body, r.header("X-File")),
                  (201, b"posted", ["/srv/old/a.php"]))
    with Daemon(application) as alone:
        alone.expect("php: /run/php/php-fpm.sock: cannot connect")
        equal(alone.fetch().status, 502)


run(120, over=FCGI)

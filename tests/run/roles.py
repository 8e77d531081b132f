#!/usr/bin/env python3
"""The roles of FastCGI: responder, authorizer and filter (specification, 6)."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

ALL = '{ "responder", "authorizer", "filter" }'


def app(roles=ALL, more=""):
    return app_source("eval.lua").replace(
        "return app\n", "app.roles = %s %s\nreturn app\n" % (roles, more))


d = Daemon(app(), workers={"mode": "static", "max": 1}, ping_path="/ping",
           status_path="/status")


def ask_head(role, lua, body=None, params=(), keep=True, id=1):
    whole = head("POST" if body else "GET", lua=lua, body=body, params=params,
                 id=id)
    return begin(role, keep, id) + whole[16:]


def authorizer(lua, stdin=b"", **q):
    return ask_head(AUTHORIZER, lua, **q) + stdin


def filtered(lua, data=b"", body=b"", end=True, chunk=65535, **q):
    return ask_head(FILTER, lua, body, [
        ("FCGI_DATA_LAST_MOD", 1700000000),
        ("FCGI_DATA_LENGTH", len(data))], **q) + \
        stream(STDIN, body, chunk=chunk) + \
        stream(DATA, data, chunk=chunk, end=end)


# ---- app.roles --------------------------------------------------------------


@test
def names_are_checked_at_load():
    """app.roles: what is no list of known names is a load error that says
    which"""
    dir = scratch()
    for roles, says in [
            ('{ "responder", "filtre" }', r'roles\[2\] is "filtre", expected '
             '"responder", "authorizer" or "filter"'),
            ('{ "Filter" }', r'roles\[1\] is "Filter"'),
            ('{ 1 }', r'roles\[1\] is "1"'),
            ('"filter"', "roles is a string, expected an array"),
            ('{ filter = true }', 'roles has the key "filter"'),
            ('{ "filter", {} }', r"roles\[2\] is a table"),
            ("{}", "roles is empty")]:
        write(dir + "/app.lua", app(roles))
        code, _, err = tool("-t", dir + "/app.lua")
        equal(code, 78, roles)
        matches(says, err, roles)
    write(dir + "/app.lua", app())
    equal(tool("-t", dir + "/app.lua")[0], 0)
    shutil.rmtree(dir)


@test
def starts():
    """an application that serves all three: env.role tells which it is"""
    d.start()
    with d.connect() as c:
        for role, name in ((RESPONDER, b"responder"), (FILTER, b"filter"),
                           (AUTHORIZER, b"authorizer")):
            c.send(ask_head(role, "return text(env.role)") +
                   (record(STDIN) if role != AUTHORIZER else b"") +
                   (record(DATA) if role == FILTER else b""))
            equal(c.response().body, name)
    for role in (0, 4, 65535):
        with d.connect() as c:
            c.send(begin(role))
            equal(c.response().protocol_status, UNKNOWN_ROLE, role)


@test
def others_are_refused():
    """a role that the application does not serve is answered UNKNOWN_ROLE,
    the responder's too"""
    with Daemon(app('{ "authorizer" }')) as only:
        with only.connect() as c:
            c.send(authorizer("return text(env.role)"))
            equal(c.response().body, b"authorizer")
        for role in (RESPONDER, FILTER):
            with only.connect() as c:
                c.send(begin(role))
                equal(c.response().protocol_status, UNKNOWN_ROLE, role)


@test
def is_not_among_the_parameters():
    """env.role and env.data are no parameters; env.data is the filter's
    alone"""
    lua = "local n = 0 for k in pairs(env) do n = n + (k:find('%l') and 1 " \
        "or 0) end return text(n .. tostring(env.data))"
    with d.connect() as c:
        c.send(request(keep=True, lua=lua))
        equal(c.response().body, b"0nil")
        c.send(authorizer(lua))
        equal(c.response().body, b"0nil")


# ---- the authorizer ---------------------------------------------------------


@test
def passes_with_variables():
    """an authorizer's 200 has its Variable- headers, another status its
    whole response (6.3)"""
    with d.connect() as c:
        c.send(authorizer("return {['Variable-AUTH_METHOD'] = 'database', "
                          "['Variable-USER'] = env.REMOTE_ADDR}"))
        r = c.response()
        equal(r.status, 200)
        equal(r.header("Variable-AUTH_METHOD"), ["database"])
        equal(r.header("Variable-USER"), ["127.0.0.1"])
        c.send(authorizer("return {Status = 401, ['WWW-Authenticate'] = "
                          "'Basic realm=\"x\"'}, 'who are you?'"))
        r = c.response()
        equal((r.status, r.body), (401, b"who are you?"))
        equal(r.header("WWW-Authenticate"), ['Basic realm="x"'])


@test
def has_no_body():
    """no STDIN (as Apache and lighttpd), an empty one, one with content, at
    once or too late: none is read, and the next request is in step"""
    lua = "return text('<' .. env.input:read('a') .. '>')"
    forged = request(uri="/forged", lua="print('SMUGGLED') return {}")
    for stdin in (b"", record(STDIN), stream(STDIN, b"content"),
                  stream(STDIN, forged), record(STDIN, padding=9)):
        with d.connect() as c:
            for _ in range(3):
                c.send(authorizer(lua, stdin))
                equal(c.response().body, b"<>")
            c.send(authorizer(lua))
            equal(c.response().body, b"<>")
            c.send(stdin + request(keep=True, lua="return text('next')"))
            equal(c.response().body, b"next")
    assert "SMUGGLED" not in d.read_log()


@test
def pipelined():
    """several authorizer requests sent at once, each with another id"""
    with d.connect() as c:
        c.send(b"".join(authorizer("return text('%d')" % i, record(
            STDIN, id=i) if i % 2 else b"", id=i) for i in range(1, 20)))
        for i in range(1, 20):
            equal(c.response(i).body, b"%d" % i)


@test
def is_not_answered_by_the_worker():
    """an authorizer that is asked about the ping or status path is the
    application: the worker's own 200 would let everybody pass"""
    with d.connect() as c:
        for path in ("/ping", "/status"):
            c.send(authorizer("return {Status = 403}", params=[
                ("SCRIPT_NAME", path), ("REQUEST_URI", path)]))
            equal(c.response().status, 403, path)
    equal(d.fetch(uri="/ping").body, b"pong")


@test
def a_failure_refuses():
    """an authorizer that raises, or returns nonsense, does not let pass"""
    d.expect("on purpose", "expected a table of headers")
    with d.connect() as c:
        for lua in ("error('on purpose')", "return 'nonsense'"):
            c.send(authorizer(lua))
            equal(c.response().status, 500, lua)


# ---- the filter -------------------------------------------------------------


@test
def reads_both():
    """a filter reads the body, then the file, with all methods of env.input,
    and knows its length and age (6.4)"""
    for chunk in (1, 7, 65535):
        with d.connect() as c:
            c.send(filtered(
                "local body = env.input:read('a') "
                "local first, n, rest = env.data:read('l', 4, 'a') "
                "local s = table.concat({body, first, n, rest, "
                "env.FCGI_DATA_LENGTH, env.FCGI_DATA_LAST_MOD, "
                "tostring(env.data:read(1))}, '|') return text(s)",
                b"line\nfour\0rest\n", b"the body", chunk=chunk))
            equal(c.response().body, b"the body|line|four|\0rest\n|15|"
                  b"1700000000|nil")
    with d.connect() as c:
        c.send(filtered("local t = {} for l in env.data:lines() do "
                        "t[#t + 1] = l end return text(table.concat(t, '+'))",
                        b"a\nb\nc"))
        equal(c.response().body, b"a+b+c")


@test
def large():
    """a file of 3 MB, read in pieces or at once"""
    data = os.urandom(3 << 20)
    for read in ("local s = env.data:read('a')",
                 "local t, p = {} repeat p = env.data:read(10000) "
                 "t[#t + 1] = p until not p local s = table.concat(t)"):
        with d.connect() as c:
            sender = Background(c.send, filtered(read + " return text(s)",
                                                 data, b"x" * 100000))
            equal(c.response().body == data, True, read)
            sender.result()


@test
def body_is_over():
    """with the first read of env.data the body is over: its rest is dropped,
    and it reads as at its end"""
    with d.connect() as c:
        c.send(filtered(
            "local a = env.input:read(2) local b = env.data:read(2) "
            "local c = env.input:read('a') local d = env.data:read('a') "
            "return text(table.concat({a, b, c, d, "
            "tostring(env.input:read('l')), tostring(env.input:read(5)), "
            "tostring(env.input:lines()()), #{env.input:read('a', 'l')}}, "
            "'|'))", b"file", b"body"))
        equal(c.response().body, b"bo|fi||le|nil|nil|nil|1")


@test
def answers_from_a_cache():
    """what is not read of either is drained, and the connection stays in
    step"""
    with d.connect() as c:
        for read in ("", "env.input:read(1) ", "env.data:read(1) "):
            for size in (0, 1, 1000, 60000):
                c.send(filtered(read + "return text('cached')", b"f" * size,
                                b"b" * size))
                equal(c.response().body, b"cached", (read, size))


@test
def waits_for_the_body():
    """a filter's answer begins when all of the body has come, as the
    specification demands, read or not"""
    gate = d.gate()
    with d.connect() as c:
        c.send(ask_head(FILTER, gate.lua + "return text('early')", b"body"))
        gate.wait()
        gate.open()
        c.send(stream(STDIN, b"body"))
        equal(c.piece()[-5:], b"early")
        c.send(stream(DATA, b"never read"))
        equal(c.response().app_status, 0)
    with Daemon(app(), timeouts={"read": "100ms", "stop": "10s"}) as hasty, \
            hasty.connect() as c:
        c.send(ask_head(FILTER, "return text('late')", b"body"))
        equal(c.response().body, b"late", "but not for ever")


@test
def file_breaks_off():
    """a file that breaks off raises, and so does an abort in the middle"""
    lua = "local ok, why = pcall(env.data.read, env.data, 'a') " \
        "print('data', ok, why) return {}"
    whole = filtered(lua, b"half", end=False)
    with d.connect() as c:
        c.send(whole + record(ABORT))
        d.wait_log(r"data\\?t?\s*false.*the client left")
    mark = d.log_mark()
    with d.connect() as c:
        c.send(whole)
    d.wait_log(r"data\\?t?\s*false.*the client left", mark)
    mark = d.log_mark()
    with d.connect() as c:
        c.send(whole + record(STDIN, b"again"))
        d.wait_log(r"data\\?t?\s*false.*malformed", mark)
    equal(d.fetch().body, b"hello")


@test
def in_disorder():
    """FCGI_DATA before the end of the body, and for another role, is a
    malformed stream"""
    lua = "print('read', pcall(env.input.read, env.input, 'a')) return {}"
    for whole in (ask_head(FILTER, lua, b"body") + record(STDIN, b"bo") +
                  record(DATA, b"file"),
                  ask_head(RESPONDER, lua, b"body") + record(DATA, b"file")):
        mark = d.log_mark()
        with d.connect() as c:
            c.send(whole)
            d.wait_log("read\\\\?t?\\s*false.*malformed", mark)
            equal(c.response().complete, False)
    with d.connect() as c:  # an authorizer is answered before
        c.send(authorizer("return text('no')") + record(DATA, b"file"))
        equal(c.response().body, b"no")
        r = c.ask(keep=True)
        assert r.body in (b"hello", b""), r


@test
def nothing_is_smuggled():
    """a request inside a filter's file never runs"""
    forged = request(keep=True, uri="/forged", id=1,
                     lua="print('SMUGGLED') return text('forged')")
    kept = 0
    for read in ("", "env.data:read(1) ", "env.data:read(%d) "):
        for copies in (1, 100, 3000):
            for pad in (b"", b"x" * (-len(forged) % 8), b"xyz"):
                data = (pad + forged) * copies
                lua = (read % (len(data) // 2) if "%" in read else read) + \
                    "return text('victim')"
                with d.connect() as c:
                    sender = Background(lambda: (c.send(filtered(
                        lua, data, chunk=len(forged))), c.send(request(
                            keep=True, lua="return text('honest')"))))
                    equal(c.response().body, b"victim")
                    r = c.response()
                    assert r.body in (b"honest", b""), r
                    with contextlib.suppress(OSError):
                        sender.result()
                    kept += r.complete
    assert kept > 0
    assert "SMUGGLED" not in d.read_log()


# ---- together ---------------------------------------------------------------


@test
def changes_hands():
    """a reload gives the half of a head to another worker, with its role; one
    that does not serve it says so"""
    whole = filtered("return text(env.role .. env.data:read('a'))", b"file")
    with d.connect() as c, d.connect() as other:
        for one in (c, other):
            one.send(whole[:50])
        d.fetch()  # all that was sent before has been seen
        d.write_app(app(more="-- changed"))
        d.reload()
        c.send(whole[50:])
        equal(c.response().body, b"filterfile")
        d.write_app(app('{ "responder" }'))
        d.reload()
        r = other.response()
        equal((r.protocol_status, r.out), (UNKNOWN_ROLE, b""))
    equal(d.fetch().body, b"hello")
    d.write_app(app())
    d.reload()


@test
def tool_sends_roles():
    """lua-fcgi -r: each role with what belongs to it"""
    def say(*args):
        return tool(*args, d.address(), program=LUA_FCGI)
    names = "LUA=local t = {} for k in pairs(env) do t[#t + 1] = k end " \
        "table.sort(t) return text(env.role .. ' ' .. table.concat(t, ' '))"
    code, out, _ = say("-r", "authorizer", "-p", names)
    matches("^authorizer .*REQUEST_URI", out)
    assert not re.search("CONTENT_LENGTH|SCRIPT_NAME|FCGI_DATA", out), out
    write(d.dir + "/page", "a page\n")
    os.utime(d.dir + "/page", (1, 12345))
    lua = "LUA=return text(env.input:read('a') .. env.data:read('a') .. " \
        "env.FCGI_DATA_LENGTH .. ' ' .. env.FCGI_DATA_LAST_MOD)"
    equal(say("-r", "filter", "-d", "in, ", "-D", "@%s/page" % d.dir, "-p",
              lua)[:2], (0, "in, a page\n7 12345"))
    matches("^a text6 1", say("-r", "filter", "-D", "a text", "-p", lua)[1])
    equal(say("-r", "filter", "-n", "20", "-k", "-D", "x")[0], 0)
    for args in (("-r", "guess"), ("-D", "x"), ("-r", "authorizer", "-d", "x"),
                 ("-r", "filter", "-D", "x", "-D", "y")):
        equal(say(*args)[0], 64, args)
    d.write_app(app('{ "filter" }'))
    d.reload()
    code, _, err = say("-r", "authorizer")
    equal(code, 1)
    matches("does not know the role", err)


run(90, over=FCGI)

#!/usr/bin/env python3
"""limits.body: a request with more is answered 413, announced or not."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

ONE = {"mode": "static", "max": 1}
MOST = 100000
READ = "return text(#env.input:read('a'))"
SAID = "longer than limits.body", "request body: too long", \
    "longer than the limit"


def limited(app=None, most=MOST, dir=None, **pool):
    d = Daemon(app, dir=dir)
    d.set_pool("www", workers=ONE, limits={"body": most}, ping_path="/ping",
               **pool)
    d.expect(*SAID)
    return d


def undeclared(d, n, lua=READ, uri="/", params=()):
    """A request whose length nobody has announced."""
    with d.connect() as c:
        http = c.protocol == HTTP
        c.send(head("POST", uri, lua, [*params, *(
            [] if http else [("CONTENT_LENGTH", "")])], chunked=http,
                    protocol=c.protocol))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            c.send(part(b"x" * n, True, chunked=http, protocol=c.protocol))
        return c.response()


@test
def announced():
    """an announced body that is too long: 413, the application does not run,
    and the worker serves the next; one that just fits is served"""
    with limited() as d:
        worker = d.workers()
        ran = d.dir + "/rw/ran"
        lua = "io.open('%s', 'w'):close() " % ran
        for n in (MOST + 1, 40 * MOST):
            r = d.fetch(body=b"x" * n, lua=lua + READ)
            equal((r.status, r.body), (413, b"Content Too Large\n"))
        assert not os.path.exists(ran)
        equal(d.fetch(body=b"x" * MOST, lua=lua + READ).body, b"%d" % MOST)
        assert os.path.exists(ran)
        equal(d.workers(), worker)


@test
def announced_in_the_log():
    """the error log says how long it was, the access log has the status"""
    with limited(logs={"access": "error_log",
                       "access_format": "%m %r %s %X"}) as d:
        d.fetch(uri="/large", body=b"x" * (MOST + 1))
        d.wait_log(r"notice .*POST /large.*request body of %d bytes: longer "
                   r"than the limit, %d" % (MOST + 1, MOST))
        d.wait_log("POST /large 413 ok")


@test
def what_the_worker_answers():
    """ping is answered whatever the length"""
    with limited() as d:
        equal(d.fetch(uri="/ping", body=b"x" * (MOST + 1)).body, b"pong")


@test
def announced_and_kept():
    """on a connection that is kept, what follows a short body that was not
    read is served; a long one ends the connection"""
    with limited(most=10) as d:
        with d.connect() as c:
            equal(c.ask(body=b"x" * 11, keep=True).status, 413)
            if c.protocol == FCGI:
                equal(c.ask(keep=True).status, 200)
        with d.connect() as c:
            equal(c.ask(body=b"x" * 1000000, keep=True).status, 413)
            assert c.eof()


@test
def undeclared_and_uncaught():
    """an unannounced body: a read beyond the limit raises, which is answered
    413; one that just fits is read to its end"""
    with limited() as d:
        worker = d.workers()
        equal(undeclared(d, MOST).body, b"%d" % MOST)
        for n in (MOST + 1, 40 * MOST):
            equal(undeclared(d, n).status, 413, n)
            d.wait_log("request body: too long")
        equal((d.fetch().status, d.workers()), (200, worker))


@test
def undeclared_in_pieces():
    """read in pieces, none of them is beyond the limit"""
    with limited() as d:
        d.expect("counted")
        equal(undeclared(d, 4 * MOST, "local n = 0 for piece in "
                         "function() return env.input:read(1000) end do "
                         "n = n + #piece if n > %d then print('beyond') end "
                         "end" % MOST).status, 413)
        assert "beyond" not in d.read_log()


@test
def undeclared_and_caught():
    """an application that catches it answers as it likes; it cannot read on"""
    with limited() as d:
        r = undeclared(d, 4 * MOST, "local e for i = 1, 3 do local _ _, e = "
                       "pcall(env.input.read, env.input, 'a') assert(not _) "
                       "end return text(e)")
        equal((r.status, r.body), (200, b"request body: too long"))


@test
def unread():
    """an unannounced body that nobody reads is no fault"""
    with limited() as d:
        equal(undeclared(d, MOST + 1, "return text('ok')").body, b"ok")


@test
def forms():
    """fpm.form says 413, whatever its own options"""
    lua = "local _, status, why = require('fpm.form').read(env, " \
        "{ max_body = '1G', max_field = '1G', max_memory = '1G' }) " \
        "return text(status .. ' ' .. why)"
    with limited() as d:
        equal(undeclared(d, 4 * MOST, lua, params=[
            ("CONTENT_TYPE", "application/x-www-form-urlencoded")]).body,
              b"413 the form is too long")


@test
def programs():
    """a CGI program is not run for an announced body that is too long, and
    killed in the midst of one that grows too long"""
    dir = scratch()
    write(dir + "/count.cgi", "#!/bin/sh\necho counting >&2\nn=$(wc -c)\n"
          "printf 'Content-Type: text/plain\\n\\n%s' $n\n")
    os.chmod(dir + "/count.cgi", 0o755)
    d = limited(interface="cgi", root=dir, dir=dir)
    del d.pools["www"]["app"]
    with d:
        name = [] if PROTOCOL == HTTP else [
            ("SCRIPT_FILENAME", dir + "/count.cgi"),
            ("SCRIPT_NAME", "/count.cgi")]
        equal(d.fetch(uri="/count.cgi", params=name,
                      body=b"x" * (MOST + 1)).status, 413)
        assert "counting" not in d.read_log()
        d.expect("counting")
        equal(d.fetch(uri="/count.cgi", params=name,
                      body=b"x" * MOST).body, b"%d" % MOST)
        equal(undeclared(d, 4 * MOST, None, "/count.cgi", name).status, 413)


@test
def changed_by_a_reload():
    """a reload changes the limit; 0 is none over FastCGI"""
    with limited(most=10) as d:
        equal(d.fetch(body=b"x" * 11).status, 413)
        d.pools["www"]["limits"] = {"body": 11}
        d.write_conf()
        d.reload()
        equal(d.fetch(body=b"x" * 11, lua=READ).body, b"11")
        equal(d.fetch(body=b"x" * 12).status, 413)
        d.pools["www"]["limits"] = {"body": 0}
        d.write_conf()
        d.reload()
        equal(d.fetch(body=b"x" * 4 * MOST, lua=READ).body, b"%d" % (4 * MOST))


@test
def other_roles():
    """an authorizer is asked whatever length it is told of; a filter's second
    body has no limit, its first has"""
    if PROTOCOL == HTTP:
        raise Skip("roles are of FastCGI")
    app = app_source("eval.lua").replace("return app\n", "app.roles = { "
                                         "'responder', 'authorizer', "
                                         "'filter' } return app\n")
    lua = "return text(#env.input:read('a') + #env.data:read('a'))"
    with limited(app, most=10) as d:
        for role, length, body, data, status in (
                (AUTHORIZER, 11, b"", None, 200), (FILTER, 10, b"x" * 10,
                                                   b"y" * 1000, 200),
                (FILTER, 11, b"x" * 11, b"y", 413)):
            with d.connect() as c:
                c.send(begin(role) + head("POST", lua="return text('ok')"
                                          if data is None else lua, params=[
                    ("CONTENT_LENGTH", length),
                    ("FCGI_DATA_LENGTH", len(data or b"")),
                    ("FCGI_DATA_LAST_MOD", 1700000000)])[16:])
                if data is not None:
                    c.send(stream(STDIN, body) + stream(DATA, data))
                r = c.response()
                equal(r.status, status, r)
                if status == 200 and data:
                    equal(r.body, b"1010")


run(120)

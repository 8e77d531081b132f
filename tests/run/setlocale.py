#!/usr/bin/env python3
"""What lua-fpm writes is the same whatever locale an application sets."""

import functools
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

NAME = "fi_FI.UTF-8"  # no month has its English name
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
APP = """
local app = {}
assert(os.setlocale("%s"), "no locale")
function app.accept() return {}, os.date("%%b ") .. string.format("%%.1f", 1.5)
end
return app
""" % NAME


@functools.cache
def locales(language, charset):
    """A directory that has this locale; made once, as that takes seconds."""
    dir = scratch()
    atexit.register(shutil.rmtree, dir, True)
    if tool("-i", language, "-f", charset, "%s/%s.%s" % (
            dir, language, charset), program="localedef", timeout=100)[0] != 0:
        raise Skip("no sources of locales")
    return dir


@test
def access_log():
    """times in the access log; the application has its own"""
    dir = locales("fi_FI", "UTF-8")
    d = Daemon(app=APP)
    d.set_pool("www", workers={"mode": "static", "max": 1},
               environment={"LOCPATH": dir},
               logs={"access": d.dir + "/access.log",
                     "access_format": "%{%b %h %a}t %{milli}d"})
    with d:
        month, number = d.fetch().body.decode().split()
        assert month not in MONTHS, month
        equal(number, "1,5")
        line = until(lambda: open(d.dir + "/access.log").read(), "a line")
        matches(r"^(%s) (%s) (Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d" % (
            ("|".join(MONTHS),) * 2), line)


LIBRARY = """
assert(os.setlocale("tr_TR.ISO-8859-9"), "no locale")
assert(("I"):lower() ~= "i" and ("\\xfc"):find("%a"), "not this locale")
local fpm = require "fpm"
local app = {}
function app.accept(env)
  return {}, { env.headers["IF-MODIFIED-SINCE"], env.headers.If_Modified_Since,
    fpm.url.encode("I\\xfc"), fpm.url.join("\\xfc:a", "b"),
    fpm.http.date(784111777), fpm.http.negotiate("IMAGE/GIF",
      { "a/b", "image/gif" }), fpm.http.redirect("/\\x80").Location,
    fpm.html.escape("\\xfc"),
    tostring((pcall(fpm.cookie.write, "a", "b", { domain = "\\xfc" }))),
    tostring((pcall(fpm.cookie.write, "a", "b", { path = "/\\xfc" }))),
    FORMS }
end
return app
""".replace("FORMS", """
    upload('BOUNDARY=I', 'FILENAME="\\xc3\\x80"'),
    upload('boundary="I\\xfc"', "filename=x")""")
UPLOAD = """
local function upload(parameter, disposition)
  local body = "--I\\r\\nCONTENT-DISPOSITION: FORM-DATA; NAME=a; " ..
    disposition .. "\\r\\n\\r\\n\\r\\n--I--"
  local fields, files = require("fpm").form.read {
    CONTENT_TYPE = "MULTIPART/FORM-DATA; " .. parameter,
    input = { read = function()
      local piece = body
      body = nil
      return piece
    end } }
  return fields and files.a.filename or tostring(files)
end
"""
LIBRARY = UPLOAD + LIBRARY
SAID = b"yesyesI%FCbSun, 06 Nov 1994 08:49:37 GMTimage/gif/%80\xfcfalsefalse" \
    b"\xc3\x80400"
BY_HAND = """
local r = require("fpm.test").get(dofile("app.lua"), "/", { headers = {
  ["If-Modified-Since"] = "yes" } })
io.write(r.body, r.error or "")
"""


@test
def library():
    """the library for Lua does not know the locale, with the daemon and
    without"""
    dir = locales("tr_TR", "ISO-8859-9")
    d = Daemon(app=LIBRARY)
    d.set_pool("www", environment={"LOCPATH": dir})
    with d:
        equal(d.fetch(params=[("HTTP_IF_MODIFIED_SINCE", "yes")]).body, SAID)
    write(dir + "/app.lua", LIBRARY)
    write(dir + "/test.lua", BY_HAND)
    done = subprocess.run(["lua5.4", "test.lua"], cwd=dir, capture_output=True,
                          env={**os.environ, "LOCPATH": dir, "LUA_PATH":
                               "%s/src/lua/?.lua;%s/src/lua/?/init.lua" %
                               ((os.path.abspath(SRC),) * 2)})
    equal((done.stdout, done.stderr), (SAID, b""))


CLIENT = """
assert(os.setlocale("tr_TR.ISO-8859-9"), "no locale")
local client = require "fpm.client"
local app = {}
function app.accept(env)
  local reply = assert(assert(client.connect(env.PEER)):request {})
  return {}, reply.status .. reply.headers["x-file"] .. reply:read("a")
end
return app
"""


@test(over=FCGI, because="it asks a FastCGI server")
def client():
    """fpm.client reads heads whatever the locale"""
    dir = locales("tr_TR", "ISO-8859-9")
    d = Daemon(app=CLIENT)
    d.set_pool("www", environment={"LOCPATH": dir})
    with d, socket.socket(socket.AF_UNIX) as peer:
        peer.bind(dir + "/peer")
        os.chmod(dir + "/peer", 0o777)
        peer.listen()

        def answer():
            with peer.accept()[0] as sock:
                asked = b""
                while record(STDIN) not in asked:
                    part = sock.recv(4096)
                    assert part, asked
                    asked += part
                sock.sendall(record(STDOUT, b"LOCATION: /\nX-FILE: i\n\nhi") +
                             record(END, bytes(8)))
                with contextlib.suppress(ConnectionResetError):
                    while sock.recv(4096):
                        pass
        asked = Background(answer)
        equal(d.fetch(params=[("PEER", dir + "/peer")]).body, b"302ihi")
        d.stop()
        asked.result()


run(limit=180, needs=("localedef", "lua5.4"))

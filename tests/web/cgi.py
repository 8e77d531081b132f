#!/usr/bin/env python3
"""The blocks of lua-fpm-cgi(7) and fpm.files(3lua) in nginx, and the same programs with fcgiwrap
in lua-fpm's place: the same environment, the same answers."""

import os
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")]
from front import *
from nginx_main import MAIN

PAGE = SRC + "/man/lua-fpm-cgi.7"
HEAD = "printf 'Content-Type: text/plain\\n\\n'\n"
PROGRAMS = {
    "hello.cgi": HEAD + "echo hello",
    "env.cgi": HEAD + "cat /proc/$$/environ",
    "echo.cgi": HEAD + "exec cat",
    "large.cgi": HEAD + "head -c 3000000 /dev/zero | tr '\\0' x",
    "status.cgi": "printf 'Status: 404 Not Here\\r\\nContent-Type: a/b\\r\\n\\r\\nno'",
    "away.cgi": "printf 'Location: http://localhost/x\\n\\n'",
    "cookies.cgi": "printf 'Set-Cookie: a=1\\nSet-Cookie: b=2\\n'\n" + HEAD,
    "length.cgi": "printf 'Content-Length: 3\\nContent-Type: a/b\\n\\nabc'",
    "errors.cgi": HEAD + "echo complains >&2; echo ok; exit 3",
    "where.cgi": HEAD + "pwd; echo $0",
    "closes.cgi": HEAD + "exec <&-; echo ok",
}


class Nginx(Front):
    """With one of the blocks around a directory of programs."""
    program = "/usr/sbin/nginx", "-v", r"nginx/([\d.]+)"
    stop_signal = signal.SIGQUIT

    def __init__(self, address, dir, which=0):
        self.which, self.programs = which, dir
        super().__init__(address)

    def block(self):
        text = page.literals("NGINX", PAGE)[self.which]
        for shown, here in (
                ("listen 80;", "listen 127.0.0.1:%d;" % self.port),
                ("root /usr/lib;" if self.which == 0 else "root /srv/www;",
                 "root %s;" % self.programs),
                ("unix:/run/lua-fpm/%s.sock" %
                 ("scripts" if self.which == 0 else "www"),
                 "unix:" + self.facts["socket"])):
            assert shown in text, "%r is not in the block" % shown
            text = text.replace(shown, here)
        return text

    def configure(self):
        os.symlink("/etc/nginx/fastcgi_params", self.dir + "/fastcgi_params")
        write(self.dir + "/shop.conf", self.block())
        write(self.dir + "/nginx.conf", MAIN % self.facts)
        self.launch(["/usr/sbin/nginx", "-p", self.dir, "-c",
                     self.dir + "/nginx.conf", "-e", self.dir + "/error.log"])


class NginxOfFiles(Nginx):
    """With the location of fpm.files(3lua)."""

    def block(self):
        text = [t for t in page.literals(
            "DESCRIPTION", SRC + "/man/fpm.files.3lua")
            if t.startswith("location")][0]
        for shown, here in (
                ("root /srv/site;", "root %s;" % self.programs),
                ("unix:/run/lua-fpm/site.sock",
                 "unix:" + self.facts["socket"])):
            assert shown in text, "%r is not in the block" % shown
            text = text.replace(shown, here)
        return "server {\nlisten 127.0.0.1:%d;\n%s}\n" % (self.port, text)


class Fcgiwrap(Server):
    stop_signal = signal.SIGTERM

    def __init__(self):
        super().__init__()
        self.socket = self.dir + "/rw/wrap.sock"
        with open(self.dir + "/server.log", "ab") as log:
            self.process = subprocess.Popen(
                ["fcgiwrap", "-f", "-s", "unix:" + self.socket], stdout=log,
                stderr=log, stdin=subprocess.DEVNULL, cwd=self.dir,
                env={"PATH": os.environ["PATH"]}, start_new_session=True)
        import harness
        harness._live.append(self)
        until(lambda: os.path.exists(self.socket), "fcgiwrap listens")
        os.chmod(self.socket, 0o777)

    def stop(self):
        self.destroy()


d = Daemon(pools={"www": {"app": None, "interface": "cgi", "root": "/"}})
lib = d.dir + "/lib"
os.makedirs(lib + "/cgi-bin")
for name, text in PROGRAMS.items():
    write(lib + "/cgi-bin/" + name, "#!/bin/sh\n" + text)
    os.chmod(lib + "/cgi-bin/" + name, 0o755)
write(lib + "/cgi-bin/plain.txt", "plain\n")
d.set_pool("www", app=None, interface="cgi", root=lib,
           workers={"mode": "static", "max": 2})
d.expect("complains")
write(lib + "/hello.lua", """
return { accept = function(env)
  return { ["Content-Type"] = "text/plain" }, env.SCRIPT_NAME .. " " ..
    (env.PATH_INFO or "") .. " " .. env.input:read("a")
end }
""")
d.set_pool("files", app=None, interface="files", root=lib)
fronts = {}


def front(which=0):
    if which not in fronts:
        if d.process is None:
            d.start()
        fronts[which] = Nginx(d.address(), lib, which)
    return fronts[which]


@test
def blocks():
    """Both blocks of the page run programs, with what follows their names"""
    for which in 0, 1:
        port = front(which).port
        equal(http(port, path="/cgi-bin/hello.cgi")[::2], (200, b"hello\n"))
        equal(http(port, path="/cgi-bin/none.cgi")[0], 404)
        env = http(port, path="/cgi-bin/env.cgi/a%20b/../c?x=1")[2].split(b"\0")
        assert {b"SCRIPT_NAME=/cgi-bin/env.cgi", b"PATH_INFO=/c",
                b"QUERY_STRING=x=1"} <= set(env), env
        body = os.urandom(1 << 20)
        equal(http(port, "POST", "/cgi-bin/echo.cgi", body)[2], body)
    equal(http(front(1).port, path="/cgi-bin/plain.txt")[2], b"plain\n")
    for path in ("/cgi-bin/../../app.lua", "/cgi-bin/%2e%2e/%2e%2e/app.lua",
                 "/cgi-bin/..%2f..%2fapp.lua"):
        assert http(front(0).port, path=path)[0] in (400, 403, 404), path


def answer(port, **how):
    """What can be compared of a response."""
    status, headers, body = http(port, **how)
    headers = sorted((k, v) for k, v in headers.items()
                     if k not in ("Date", "Connection", "Server"))
    return status, headers, body


def oracle(port, **how):
    """What fcgiwrap answers.  It says 502 if the program ended before its
    body was passed on: whether that is so is a matter of chance."""
    return until(lambda: [a for a in [answer(port, **how)] if a[0] != 502],
                 "fcgiwrap is quicker than a program")[0]


def environment(port, **how):
    body = http(port, path="/cgi-bin/env.cgi?a=b", **how)[2].decode()
    env = dict(v.split("=", 1) for v in body.split("\0") if v)
    # of two servers; and what libfcgi adds
    for name in ("SERVER_PORT", "REMOTE_PORT", "HTTP_HOST", "FCGI_ROLE"):
        env.pop(name, None)
    return env


@test
def as_fcgiwrap():
    """fcgiwrap gives programs the same environment, and clients the same
    answers"""
    if shutil.which("fcgiwrap") is None:
        raise Skip("no fcgiwrap")
    with Fcgiwrap() as wrap, Nginx(wrap.socket, lib) as other:
        ours, theirs = front().port, other.port
        for how in ({}, {"method": "POST", "body": b"x=1", "headers": {
                "Cookie": "a=1; b=2", "X-Some": "thing", "Proxy": "http://x/",
                "Content-Type": "text/plain"}}):
            got, want = environment(ours, **how), environment(theirs, **how)
            want.pop("HTTP_PROXY", None)
            equal(got, want, "environment")
        for name in PROGRAMS:
            for method, body in (("GET", None), ("HEAD", None),
                                 ("POST", b"some body")):
                if name != "env.cgi":
                    how = {"method": method, "body": body}
                    path = "/cgi-bin/" + name
                    equal(answer(ours, path=path, **how),
                          oracle(theirs, path=path, **how), (name, method))


@test
def files():
    """The block of fpm.files(3lua) serves Lua files"""
    fronts["files"] = NginxOfFiles(d.address("files"), lib)
    port = fronts["files"].port
    equal(http(port, path="/hello.lua")[2], b"/hello.lua  ")
    equal(http(port, "POST", "/hello.lua/a%20b", b"body")[2],
          b"/hello.lua /a b body")
    equal(http(port, path="/none.lua")[0], 404)


@test
def ends():
    """The servers stop"""
    for server in fronts.values():
        server.stop()


run(120, needs=("/usr/sbin/nginx",))

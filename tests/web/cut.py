#!/usr/bin/env python3
"""A response that is cut, as clients of real web servers see it: curl's exit
status is 0 if it takes the response for whole, 28 if it waits for more."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

HANG = "string.find(string.rep('a', 60), string.rep('a?', 60) .. "\
    "string.rep('a', 60))"
ENDS = {
    "error in the body": "error('the body broke')",
    "timeouts.request": "while true do end",
    "timeouts.request in C": HANG,
    "limits.memory": "local t = {} while true do t[#t + 1] = "
                     "('x'):rep(100000) .. #t end",
    "short": "",
}
NOTICED = 18, 52  # the end is missing; nginx has not begun to answer
Daemon.program = QUICK
d = {}  # by errors_to_server


@test
def starts():
    """the daemons start"""
    for errors in False, True:
        d[errors] = Daemon(
            workers={"mode": "static", "max": 1}, limits={"memory": "32M"},
            timeouts={"request": "300ms", "stop": "10s"},
            errors_to_server=errors).start()
        d[errors].expect("the body broke", "timeouts.request", "memory",
                         "shorter than", "killed by signal")


def curl(d, port, end, length, stream=False):
    """Its exit status; stream: the body goes on when curl has the piece."""
    gate = d.gate() if stream else None
    client = subprocess.Popen(
        ["curl", "-sN", "-m", "20", "-H", "X-Lua: return { ['Content-Length'] "
         "= %s, ['X-Accel-Buffering'] = %s }, coroutine.wrap(function() "
         "coroutine.yield('piece') %s %s end)" % (
             length or "nil", "'no'" if stream else "nil",
             gate.lua if gate else "", end), "http://127.0.0.1:%d/" % port],
        stdout=subprocess.PIPE)
    with client:
        if gate:
            equal(client.stdout.read(5), b"piece", end)
            gate.wait()
            gate.open()
        client.stdout.read()
    return client.returncode


def notices(start, stream=False):
    """The client does so, without and with a Content-Length, whatever cuts the
    response; the web server goes on."""
    for errors in False, True:
        with start(d[errors].address()) as server:
            for name, end in ENDS.items():
                for length in None, 4096:
                    if length is None and not end:
                        continue
                    status = curl(d[errors], server.port, end, length, stream)
                    assert status in NOTICED, (name, length, errors, status)
            equal(http(server.port)[2], b"hello")


@test
def nginx():
    """nginx, with and without fastcgi_keep_conn"""
    for keep in False, True:
        notices(lambda address: Nginx(address, keep=keep))


@test
def nginx_streaming():
    """nginx, if it does not buffer the response"""
    for keep in False, True:
        notices(lambda address: Nginx(address, keep=keep), stream=True)


@test
def killed_worker():
    """nginx with fastcgi_keep_conn on notices the death of a worker, too"""
    with Nginx(d[False].address(), keep=True) as server:
        for length in None, 4096:
            assert curl(d[False], server.port,
                        "os.execute('kill -9 ' .. pid())", length) in NOTICED


class HAProxy(Server):
    stop_signal = signal.SIGUSR1

    def __init__(self, address):
        super().__init__(scratch())
        write(self.dir + "/haproxy.cfg", """
defaults
  mode http
  timeout connect 10s
  timeout client 10s
  timeout server 10s
frontend clients
  bind 127.0.0.1:%d
  default_backend pool
fcgi-app lua
  docroot /
backend pool
  use-fcgi-app lua
  server s %s proto fcgi
""" % (self.port, address))
        self.launch(["/usr/sbin/haproxy", "-db", "-f",
                     self.dir + "/haproxy.cfg"])

    def destroy(self):
        super().destroy()
        shutil.rmtree(self.dir, ignore_errors=True)


@test
def haproxy():
    """HAProxy"""
    if not os.path.exists("/usr/sbin/haproxy"):
        raise Skip("no haproxy")
    notices(HAProxy)


class Lighttpd(Server):
    stop_signal = signal.SIGINT

    def __init__(self, address):
        super().__init__(scratch())
        write(self.dir + "/lighttpd.conf", """
server.modules = ( "mod_fastcgi" )
server.document-root = "%s/rw"
server.bind = "127.0.0.1"
server.port = %d
server.stream-response-body = 1
fastcgi.server = ( "/" => (( "socket" => "%s", "check-local" => "disable",
    "fix-root-scriptname" => "enable" )) )
""" % (self.dir, self.port, address))
        self.launch(["/usr/sbin/lighttpd", "-D", "-f",
                     self.dir + "/lighttpd.conf"])

    def destroy(self):
        super().destroy()
        shutil.rmtree(self.dir, ignore_errors=True)


@test
def lighttpd():
    """lighttpd with server.stream-response-body = 1"""
    if not os.path.exists("/usr/sbin/lighttpd"):
        raise Skip("no lighttpd")
    notices(Lighttpd, stream=True)


run(180, needs=("/usr/sbin/nginx", "curl"))

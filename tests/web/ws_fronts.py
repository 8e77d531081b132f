#!/usr/bin/env python3
"""Web servers in front of a pool of both protocols, with the blocks of
lua-fpm-websocket(7): pages over FastCGI, WebSockets over HTTP."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)),
                os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")]
from ws_daemon import *
import page

WS_PAGE = SRC + "/man/lua-fpm-websocket.7"
PATH = "/chat/socket"
SAYS = "lua-fpm/"  # SERVER_SOFTWARE, which is the web server's over FastCGI
# A page says over what it came; a socket who its client is.
APP_HERE = APP.replace('"page " .. env.REQUEST_URI',
                       '"page of " .. env.SERVER_SOFTWARE')
d = WsDaemon(app=APP_HERE, websocket={"ping": "200ms"},
             http={"proxies": ["unix"]})
d.set_pool("www", **{**d.pools["www"], "listen": [
    d.dir + "/chat.sock", "http:%s/chat-http.sock" % d.dir]})
d.sockets.update([d.dir + "/chat.sock", d.dir + "/chat-http.sock"])


class Front(Server):
    """name: its section of the page.  places: what in it is another here."""

    stop_signal = signal.SIGTERM
    places = {}

    def __init__(self):
        super().__init__()
        text = _section(self.name)
        for shown, here in {"/run/lua-fpm": d.dir, **self.places}.items():
            assert shown in text, "%r is not in the block" % shown
            text = text.replace(shown, here % {"port": self.port})
        self.configure(text)



def _section(name):
    """The literal display below that .Ss."""
    with open(WS_PAGE) as f:
        text = f.read().partition("\n.Ss %s\n" % name)[2]
    return re.search(r"\n\.Bd -literal.*\n((?:(?!\.Ed).*\n)*)\.Ed\n",
                     "\n" + text)[1]


class NginxFront(Front):
    name, program = "nginx", "/usr/sbin/nginx"
    stop_signal = signal.SIGQUIT
    places = {"listen 80": "listen 127.0.0.1:%(port)d"}

    def configure(self, text):
        temp = "".join("%s_temp_path %s/%s;\n" % (k, self.dir, k) for k in (
            "client_body", "fastcgi", "proxy", "scgi", "uwsgi"))
        conf = self.file("nginx.conf", """
%s worker_processes 1; daemon off; pid %s/pid;
events { worker_connections 64; }
http { access_log off; %s %s }
""" % ("user %s;" % pool_user() if ROOT else "", self.dir, temp, text.replace(
            "include fastcgi_params", "include /etc/nginx/fastcgi_params")))
        self.launch([self.program, "-p", self.dir, "-c", conf, "-e",
                     self.dir + "/error.log"])


class HAProxyFront(Front):
    name, program = "HAProxy", "/usr/sbin/haproxy"
    stop_signal = signal.SIGUSR1
    places = {"bind :80": "bind 127.0.0.1:%(port)d"}

    def configure(self, text):
        conf = self.file("haproxy.cfg", "global\n\thard-stop-after 1s\n"
                         "\tmaxconn 100\n" + text)
        self.launch([self.program, "-db", "-f", conf])


class CaddyFront(Front):
    name, program = "Caddy", "/usr/bin/caddy"
    places = {"chat.example.org {": "http://127.0.0.1:%(port)d {"}

    def configure(self, text):
        conf = self.file("Caddyfile", "{\n\tadmin off\n}\n" + text)
        self.launch([self.program, "run", "--config", conf, "--adapter",
                     "caddyfile"], env={
                         **os.environ, "HOME": self.dir,
                         "XDG_CONFIG_HOME": self.dir,
                         "XDG_DATA_HOME": self.dir})


class ApacheFront(Front):
    name, program = "Apache", "/usr/sbin/apache2"
    places = {"*:80": "127.0.0.1:%(port)d"}
    MODULES = ("mpm_event", "authz_core", "proxy", "proxy_http", "proxy_fcgi",
               "headers")

    def configure(self, text):
        conf = self.file("main.conf", """ServerRoot %s
PidFile %s/pid
ErrorLog %s/error.log
DefaultRuntimeDir %s
ServerName localhost
Listen 127.0.0.1:%d
%s%s%s""" % (*[self.dir] * 4, self.port,
             "User %s\nGroup %s\n" % (pool_user(), pool_group()) if ROOT
             else "", "".join(
                 "Include /etc/apache2/mods-available/%s.load\n" % m
                 for m in self.MODULES), text))
        self.launch([self.program, "-D", "FOREGROUND", "-f", conf])


class LighttpdFront(Front):
    name, program = "lighttpd", "/usr/sbin/lighttpd"
    stop_signal = signal.SIGINT

    def configure(self, text):
        conf = self.file("lighttpd.conf", """
server.modules = ( "mod_fastcgi", "mod_proxy" )
server.document-root = "%s"
server.upload-dirs = ( "%s/rw" )
server.bind = "127.0.0.1"
server.port = %d
%s%s""" % (self.dir, self.dir, self.port, 'server.username = "%s"\n' %
           pool_user() if ROOT else "", text))
        self.launch([self.program, "-D", "-f", conf])


def through(front, over_fastcgi):
    """A page, a socket with its client's address, from a page of the same
    host and not from another; pings, and a reload behind it."""
    if not shutil.which(front.program):
        raise Skip("not found: " + front.program)
    if d.process is None:
        d.start()
    with front() as f:
        status, _, body = http(f.port)
        equal((status, SAYS in body.decode()), (200, not over_fastcgi), body)
        same = {"path": PATH, "host": f.address, "timeout": PATIENCE}
        with WebSocket(f.address, headers={
                "Origin": "http://" + f.address,
                "X-Lua": "ws:send(env.REMOTE_ADDR)"}, **same) as ws:
            equal(ws.receive(), "127.0.0.1")
            for payload in "gr\u00fc\u00dfe", b"\0\xff", "x" * 60000:
                equal(ws.ask(payload), payload)
            while ws.event()[0] != "ping":
                pass
            d.reload()
            equal(ws.ask("behind"), "behind")
            equal(ws.finish(4000), 4000)
        try:
            WebSocket(f.address, headers={"Origin": "http://evil.example"},
                      **same).close()
            raise AssertionError("a page of another site has one")
        except Refused as refused:
            equal(refused.status, 403)


def add(front, over_fastcgi):
    def point():
        through(front, over_fastcgi)
    point.__name__ = front.name.lower()
    point.__doc__ = "through " + front.name
    test(point)


for front in NginxFront, CaddyFront, ApacheFront, LighttpdFront:
    add(front, True)
add(HAProxyFront, False)

run(120, over=FCGI)

#!/usr/bin/env python3
"""Proxies in front of a pool that speaks HTTP, with the configurations of
lua-fpm-http(7)."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *
import page

HTTP_PAGE = SRC + "/man/lua-fpm-http.7"
DIR = scratch()
d = Daemon(app=app_source("env.lua"), dir=DIR, pools={
    "www": {"listen": "http:%s/www.sock" % DIR, "ping_path": "/fpm-ping",
            "http": {"proxies": ["unix"]}},
    "raw": {"listen": "http:%s/raw.sock" % DIR,
            "http": {"proxy_protocol": True}}})


class Proxy(Server):
    """One that is configured with a block of the page; replaced: what in it is
    another here."""

    def __init__(self, section, place, replaced):
        super().__init__()
        os.makedirs(self.dir + "/public")
        write(self.dir + "/public/style.css", "body { color: black }\n" * 99)
        text = page.literals(section, HTTP_PAGE)[place]
        facts = {"dir": self.dir, "port": self.port,
                 "socket": DIR + "/www.sock"}
        for shown, here in replaced.items():
            assert shown in text, "%r is not in the block" % shown
            text = text.replace(shown, here % facts)
        self.configure(text)

    def certificate(self):
        """A key and a certificate, and both in one file."""
        code, _, err = tool(
            "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            "/CN=shop.example.org", "-keyout", self.dir + "/key", "-out",
            self.dir + "/cert", program="openssl")
        equal(code, 0, err)
        with open(self.dir + "/cert") as c, open(self.dir + "/key") as k:
            write(self.dir + "/both", c.read() + k.read())

    def curl(self, path="/", *options, scheme="https"):
        """(version, status, headers, body)"""
        code, out, err = tool(
            "-sS", "-k", "-i", "--compressed", "--noproxy", "*", "--resolve",
            "shop.example.org:%d:127.0.0.1" % self.port, "-H",
            "X-Forwarded-For: 6.6.6.6", "-H", "X-Forwarded-Proto: ftp",
            *options, "%s://shop.example.org:%d%s" % (
                scheme, self.port, path), program="curl")
        equal(code, 0, err + self.tail())
        head, _, body = out.replace("\r\n", "\n").partition("\n\n")
        lines = head.split("\n")
        version, status = lines[0].split()[:2]
        return version, int(status), {
            k.lower(): v for k, v in (x.split(": ", 1) for x in lines[1:])
        }, body

    def env(self, *given, **how):
        version, status, headers, body = self.curl(*given, **how)
        equal(status, 200, body)
        return version, headers, dict(
            line.split("=", 1) for line in
            body.partition("\n\n")[0].split("\n"))


class NginxProxy(Proxy):
    stop_signal = signal.SIGQUIT

    def configure(self, text):
        self.certificate()
        os.chmod(self.dir, 0o755)
        temp = "".join("%s_temp_path %s/%s;\n" % (k, self.dir, k) for k in (
            "client_body", "fastcgi", "proxy", "scgi", "uwsgi"))
        write(self.dir + "/nginx.conf", """
%s worker_processes 1; daemon off; pid %s/pid;
events { worker_connections 64; }
http { include /etc/nginx/mime.types; access_log off; %s %s }
""" % ("user %s;" % pool_user() if ROOT else "", self.dir, temp, text))
        self.launch(["/usr/sbin/nginx", "-p", self.dir, "-c",
                     self.dir + "/nginx.conf", "-e", self.dir + "/error.log"])


class HAProxy(Proxy):
    stop_signal = signal.SIGUSR1

    def configure(self, text):
        self.certificate()
        write(self.dir + "/haproxy.cfg", """
global
	hard-stop-after 1s
	maxconn 100
defaults
	timeout connect 10s
	timeout client 60s
	timeout server 60s
""" + text)
        self.launch(["/usr/sbin/haproxy", "-db", "-f",
                     self.dir + "/haproxy.cfg"])


class Caddy(Proxy):
    stop_signal = signal.SIGTERM

    def configure(self, text):
        write(self.dir + "/Caddyfile",
              "{\n\tadmin off\n\tauto_https off\n}\n" + text)
        self.launch(["/usr/bin/caddy", "run", "--config",
                     self.dir + "/Caddyfile", "--adapter", "caddyfile"],
                    env={**os.environ, "HOME": self.dir,
                         "XDG_CONFIG_HOME": self.dir,
                         "XDG_DATA_HOME": self.dir})


def needs(program):
    if not shutil.which(program):
        raise Skip("not found: " + program)


def client(env):
    return env["REMOTE_ADDR"], env["REQUEST_SCHEME"], env.get("HTTPS")


def files(p, scheme="https"):
    """It serves the directory itself, compressed."""
    _, status, headers, body = p.curl("/style.css", scheme=scheme)
    equal((status, headers.get("content-encoding"), body),
          (200, "gzip", "body { color: black }\n" * 99))


@test
def starts():
    """the daemon starts"""
    d.start()


@test
def nginx():
    """nginx: TLS, HTTP/2, compression, files, the client's address"""
    needs("/usr/sbin/nginx")
    with NginxProxy("NGINX", 1, {
            "listen 443 ssl": "listen 127.0.0.1:%(port)d ssl",
            "/etc/ssl/shop.pem": "%(dir)s/cert",
            "/etc/ssl/private/shop.key": "%(dir)s/key",
            "/srv/shop/public": "%(dir)s/public",
            "/run/lua-fpm/shop.sock": "%(socket)s"}) as p:
        version, headers, env = p.env("/a%20b?c")
        equal(version, "HTTP/2")
        equal(client(env), ("127.0.0.1", "https", "on"))
        equal(env["HTTP_HOST"], "shop.example.org:%d" % p.port)
        equal((env["SCRIPT_NAME"], env["QUERY_STRING"]), ("/a b", "c"))
        equal("HTTP_CONNECTION" in env, False)
        for _ in range(3):
            equal(p.curl("/", "-d", "x" * 100000)[3][-100001:],
                  "\n" + "x" * 100000)
        files(p)


@test
def haproxy():
    """HAProxy: TLS, HTTP/2, compression, the client's address, its check"""
    needs("/usr/sbin/haproxy")
    with HAProxy("HAPROXY", 0, {
            "bind :443": "bind 127.0.0.1:%(port)d",
            "/etc/haproxy/shop.pem": "%(dir)s/both",
            "/run/lua-fpm/shop.sock": "%(socket)s",
            "text/html": "text/plain"}) as p:
        version, headers, env = p.env("/a?b")
        equal((version, headers.get("content-encoding")), ("HTTP/2", "gzip"))
        equal(client(env), ("127.0.0.1", "https", "on"))
        equal(p.curl("/", "-d", "x" * 100000)[3][-100001:],
              "\n" + "x" * 100000)


@test
def proxy_protocol():
    """HAProxy: send-proxy-v2, and send-proxy"""
    needs("/usr/sbin/haproxy")
    for word in ("send-proxy-v2", "send-proxy"):
        with HAProxy("HAPROXY", 1, {
                "bind :80": "bind 127.0.0.1:%(port)d",
                "/run/lua-fpm/shop.sock": DIR + "/raw.sock",
                "send-proxy-v2": word}) as p:
            for source in ("127.0.0.3", "127.0.0.4"):
                _, _, env = p.env("/", "--interface", source, scheme="http")
                equal((env["REMOTE_ADDR"], env["SERVER_ADDR"],
                       env["SERVER_PORT"]),
                      (source, "127.0.0.1", str(p.port)), word)


@test
def caddy():
    """Caddy: compression, files, the client's address"""
    needs("/usr/bin/caddy")
    with Caddy("CADDY", 0, {
            "shop.example.org {": "http://shop.example.org:%(port)d {",
            "/srv/shop/public": "%(dir)s/public",
            "/run/lua-fpm/shop.sock": "%(socket)s"}) as p:
        _, _, env = p.env("/a?b", scheme="http")
        equal(client(env), ("127.0.0.1", "http", None))
        equal(p.curl("/", "-d", "x" * 100000, scheme="http")[3][-100001:],
              "\n" + "x" * 100000)
        files(p, scheme="http")


run(90, needs=("curl", "openssl"))

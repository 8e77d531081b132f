"""WebSocket programs of others: echo servers and clients of libraries, and the
proxies in front of a server."""

import os
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")]
from harness import *

PROGRAMS = os.path.join(SRC, "tests", "websocket")
NODE = {**os.environ, "NODE_PATH": os.environ.get("NODE_PATH") or
        "/usr/share/nodejs:/usr/lib/nodejs"}


def language(program):
    """Debian's python3 has Debian's libraries."""
    return ["node", "--no-warnings"] if program.endswith(".js") else \
        ["/usr/bin/python3", "-B"]


@contextlib.contextmanager
def echo_server(program):
    """Its address."""
    process = subprocess.Popen(
        [*language(program), os.path.join(PROGRAMS, program)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=NODE)
    try:
        line = process.stdout.readline()
        if not line:
            raise Skip(process.stderr.read().decode().splitlines()[-1])
        yield "127.0.0.1:%d" % int(line)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def client(program, url, library):
    """Run one to its end: it has nothing to complain of."""
    done = subprocess.run(
        [*language(program), os.path.join(PROGRAMS, program), url, library],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=NODE,
        timeout=PATIENCE + 10)
    if re.search("Cannot find module|ModuleNotFoundError", done.stdout):
        raise Skip("no " + library)
    equal(done.stdout, "ok\n", library)


CLIENTS = (("client_ws.js", "ws"), ("client_ws.js", "undici"),
           ("client_python.py", "websockets"), ("client_python.py", "aiohttp"))


class Proxy(Server):
    """In front of a server at HOST:PORT; its configuration is what it takes to
    let WebSockets through."""

    stop_signal = signal.SIGTERM

    def __init__(self, address):
        super().__init__()
        self.facts = {"dir": self.dir, "port": self.port, "server": address,
                      "user": "user %s;" % pool_user() if ROOT else ""}
        write(self.dir + "/conf", self.text % self.facts)
        self.launch([a % self.facts for a in self.command], env={
            **os.environ, "HOME": self.dir, "XDG_CONFIG_HOME": self.dir,
            "XDG_DATA_HOME": self.dir})


class NginxProxy(Proxy):
    stop_signal = signal.SIGQUIT
    command = ("/usr/sbin/nginx", "-p", "%(dir)s", "-c", "%(dir)s/conf", "-e",
               "%(dir)s/error.log")
    text = """
%(user)s worker_processes 1; daemon off; pid %(dir)s/nginx.pid;
error_log %(dir)s/error.log;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path %(dir)s/a; proxy_temp_path %(dir)s/b;
    fastcgi_temp_path %(dir)s/c; scgi_temp_path %(dir)s/d;
    uwsgi_temp_path %(dir)s/e;
    map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
    server {
        listen 127.0.0.1:%(port)d;
        location / {
            proxy_pass http://%(server)s;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
        }
    }
}
"""


class HAProxyProxy(Proxy):
    stop_signal = signal.SIGUSR1
    command = "/usr/sbin/haproxy", "-db", "-f", "%(dir)s/conf"
    text = """
global
    hard-stop-after 1s
    maxconn 1000
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    timeout tunnel 1h
listen www
    bind 127.0.0.1:%(port)d
    server fpm %(server)s
"""


class CaddyProxy(Proxy):
    command = ("/usr/bin/caddy", "run", "--config", "%(dir)s/conf",
               "--adapter", "caddyfile")
    text = """
{
    admin off
}
http://127.0.0.1:%(port)d, http://localhost:%(port)d {
    bind 127.0.0.1
    reverse_proxy %(server)s
}
"""


PROXIES = {"nginx": NginxProxy, "HAProxy": HAProxyProxy, "Caddy": CaddyProxy}

"""A real web server around a block of lua-fpm-servers(7), the pools behind it,
and a client that sees bytes as they come."""

import os
import resource
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")]
from harness import *
from upgraded import Upgraded
import page

# For a thousand clients, and for a server that has two descriptors for each;
# HAProxy takes memory for as many as there may be.
LIMIT = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 16384)
resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))


class Front(Server):
    """A web server with its block of lua-fpm-servers(7), in a scratch
    directory.

    title: its column.  program: with how it is asked for its version, and what
    it says.  section: where the block stands.  shown: the block, if
    it is from elsewhere.  places: what in it is another here, with %(port)d,
    %(dir)s, %(socket)s, %(app)s, %(program)s, %(workers)d and
    %(timeout)s.  alone: it starts the workers itself, which have no master.
    waiting: how many clients it lets wait for workers at once.  lacks: what is
    left out of the block."""

    alone = False
    workers = 2
    shown = None
    lacks = ""
    stop_signal = signal.SIGTERM

    def __init__(self, address, pool="www", app=None, workers=1):
        super().__init__()
        self.pool = pool
        self.facts = {"port": self.port, "dir": self.dir, "socket": address,
                      "user": pool_user(), "group": ROOT and pool_group(),
                      "app": app, "workers": workers,
                      "timeout": "300ms" if pool.startswith("short")
                      else "60s"}
        if self.alone:
            self.facts["program"] = program_in(self.dir)
        self.configure()

    @classmethod
    def version(cls):
        program, option, says = cls.program
        return matches(says, "".join(tool(option, program=program)[1:]))[1]

    def block(self):
        text = self.shown() if self.shown else page.block(self.section)
        assert self.lacks in text, self.lacks
        text = text.replace(self.lacks, "")
        for shown, here in self.places.items():
            assert shown in text, "%r is not in the block" % shown
            text = text.replace(shown, here % self.facts)
        return text

    def write(self, name, text):
        """A configuration around the block."""
        write(os.path.join(self.dir, name), text % self.facts)


class Bench:
    """The daemons and the servers in front of their pools, each started when
    it is asked for."""

    pools = {
        "www": {"status_path": "/fpm-status"},
        "two": {},
        "wide": {"limits": {"response_head": 0}},
        "short": {"timeouts": {"request": "300ms", "stop": "10s"},
                  "limits": {"memory": "32M"}},
        "short_errors": {"timeouts": {"request": "300ms", "stop": "10s"},
                         "limits": {"memory": "32M"},
                         "errors_to_server": True},
    }

    def __init__(self, front):
        self.front, self.alone, self.sites = front, front.alone, {}
        self.d = self.busy = self.dir = None

    def daemon(self):
        if self.d is None:
            self.d = Daemon(pools={
                name: {"workers": {"mode": "static", "max":
                                   2 if name == "two" else 1}, **keys}
                for name, keys in self.pools.items()})
            self.d.program = QUICK
            self.d.start()
            self.d.expect("the body broke", "timeouts.request", "memory",
                          "shorter than", "killed by signal", "on purpose",
                          "limits.response_head")
        return self.d

    def site(self, name="www"):
        """The server in front of that pool."""
        if name not in self.sites:
            if self.alone:
                self.dir = self.dir or scratch()
                write(self.dir + "/app.lua", app_source("eval.lua"))
                self.sites[name] = self.front(
                    None, name, self.dir + "/app.lua",
                    1 if name == "www" else self.front.workers)
            else:
                where = self.loaded() if name == "load" else self.daemon()
                self.sites[name] = self.front(where.address(
                    "www" if name == "load" else name), name)
        return self.sites[name]

    def loaded(self):
        """The daemon that is reloaded and upgraded."""
        if self.busy is None:
            self.busy = Upgraded(workers={"mode": "static", "max": 4})
            self.busy.start()
        return self.busy

    def gate(self):
        """A place where a request waits for the test."""
        if self.alone:
            self.site()
        return Gate(self if self.alone else self.daemon())

    def get(self, lua=None, pool="www", **how):
        return http(self.site(pool).port, lua=lua, **how)

    def text(self, lua, **how):
        """What the application answers, as text."""
        status, _, body = self.get("return text(%s)" % lua, **how)
        equal(status, 200, lua)
        return body.decode()

    @contextlib.contextmanager
    def without(self, line):
        """The same with that left out of the block."""
        b = Bench(type("Lacking", (self.front,), {"lacks": line}))
        if not self.alone:
            b.d = self.daemon()
        yield b
        b.stop_sites()

    def stop_sites(self):
        for site in self.sites.values():
            site.stop()
        if self.dir:
            shutil.rmtree(self.dir, ignore_errors=True)

    def stop(self):
        self.stop_sites()
        for d in (self.d, self.busy):
            if d:
                d.stop()


class Talk:
    """One HTTP connection, byte by byte."""

    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.got, self.over = b"", False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def ask(self, lua, head="", method="GET", body=b""):
        self.sock.sendall(("%s / HTTP/1.1\r\nHost: localhost\r\nX-Lua: %s\r\n"
                           "%s\r\n" % (method, lua, head)).encode() + body)

    def until(self, mark):
        """Read on until that has come."""
        while mark not in self.got:
            more = self.sock.recv(65536)
            assert more, "it ended after %r" % self.got[-200:]
            self.got += more

    def rest(self):
        """Read on until the other side closes."""
        while more := self.sock.recv(65536):
            self.got += more

    def has(self, mark):
        """Has it come by now?"""
        while not self.over and select.select([self.sock], [], [], 0)[0]:
            more = self.sock.recv(65536)
            self.got += more
            self.over = not more
        return mark in self.got

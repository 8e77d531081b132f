#!/usr/bin/env python3
"""Three hosts behind one balancer, as lua-fpm-hosts(7) has them, under load
from outside: they are drained and upgraded, reloaded, killed, cut off and slow.
Sessions are in a Redis, and what is counted in a PostgreSQL."""

import uuid
from http.client import HTTPConnection, HTTPException

from balancers import *
from databases import Postgres, Redis
from upgraded import NEXT, install

FULL = "FULL" in os.environ
TURNS = 5 if FULL else 1
READERS, POSTERS, KEYED = 4, 2, 2


class Client(threading.Thread):
    """Ask one request after the other through the balancer until stop()."""

    def __init__(self, crowd, who):
        super().__init__(daemon=True)
        self.crowd, self.who, self.conn, self.done = crowd, who, None, 0
        self.cookie = None

    def ask(self, method, path, body=None, **headers):
        """(status, host, version, body), or what went wrong."""
        began = time.monotonic()
        try:
            if self.conn is None:
                self.conn = HTTPConnection(self.crowd.front, 80,
                                           timeout=2 * PATIENCE)
            if self.cookie:
                headers["Cookie"] = self.cookie
            self.conn.request(method, path, body, headers)
            r = self.conn.getresponse()
            got = (r.status, r.headers["X-Host"], r.headers["X-Version"],
                   r.read().decode())
            self.cookie = r.headers["Set-Cookie"] or self.cookie
        except (OSError, HTTPException) as e:
            got = (repr(e), None, None, None)
            self.conn.close()
            self.conn = None
        self.crowd.note(began, got)
        return got

    def run(self):
        try:
            while not self.crowd.ending:
                self.once()
                self.done += 1
                time.sleep(0 if FULL else 0.002)  # it reads what it got
        except Exception as e:
            self.crowd.fail("read", repr(e))
        finally:
            if self.conn is not None:
                self.conn.close()


class Reader(Client):
    """One with a session, who only reads: nothing may ever fail."""

    def once(self):
        if not self.cookie:
            equal(self.ask("POST", "/login", self.who)[0], 200, "the login")
        got = self.ask("GET", "/")
        if got[0] != 200 or got[3] != "name of " + self.who:
            self.crowd.fail("read", got)


class Poster(Client):
    """One that counts, and does not know whether what failed was counted."""

    def once(self):
        self.crowd.add("sent")
        got = self.ask("POST", "/count", "")
        if got[0] == 200:
            self.crowd.add("acknowledged")
        else:
            self.crowd.fail("posted", got)


class Keyed(Client):
    """One that counts, and asks again until it is told so."""

    def once(self):
        key = str(uuid.uuid4())
        self.crowd.add("keys")
        while (got := self.ask("POST", "/count", "",
                               **{"Idempotency-Key": key}))[0] != 200:
            self.crowd.fail("posted", got)


class Crowd:
    """All of them, and what became of their requests."""

    def __init__(self, front):
        self.front, self.ending, self.lock = front, False, threading.Lock()
        self.began = time.monotonic()
        self.answers = []  # (when it was asked, status, host, version)
        self.failed = {"read": [], "posted": []}
        self.count = {"sent": 0, "acknowledged": 0, "keys": 0}
        self.clients = [kind(self, "%s%d" % (kind.__name__, i))
                        for kind, n in ((Reader, READERS), (Poster, POSTERS),
                                        (Keyed, KEYED)) for i in range(n)]
        for c in self.clients:
            c.start()

    def note(self, began, got):
        with self.lock:
            self.answers.append((began, *got[:3]))

    def add(self, what):
        with self.lock:
            self.count[what] += 1

    def fail(self, kind, got):
        with self.lock:
            self.failed[kind].append(got)

    def turn(self):
        """Until each client has had an answer to what it asked after now."""
        begun = [(c, c.done) for c in self.clients]
        until(lambda: all(c.done > n + 1 for c, n in begun),
              "each client is answered", 2 * PATIENCE)

    def since(self, moment):
        """The answers to what was asked after it."""
        with self.lock:
            return [a for a in self.answers if a[0] > moment]

    def more(self, n):
        """The next n answers to what is asked from now on."""
        now = time.monotonic()
        return until(lambda: (lambda got: len(got) >= n and got[:n])(
            self.since(now)), "%d more answers" % n)

    def hosts(self, n=60):
        """Who gives the next answers."""
        return {a[2] for a in self.more(n)}

    def lost(self, limit, what):
        """Since the last call no reader has failed, and at most so many who
        post."""
        with self.lock:
            failed, self.failed = self.failed, {"read": [], "posted": []}
        equal(failed["read"], [], what + ": reads that failed")
        assert len(failed["posted"]) <= limit, "%s: %d posts failed: %r" % (
            what, len(failed["posted"]), failed["posted"][:5])
        diag("%6.2f s, %s: %d posts failed" % (
            time.monotonic() - self.began, what, len(failed["posted"])))

    def stop(self):
        self.ending = True
        for c in self.clients:
            c.join(2 * PATIENCE)
            assert not c.is_alive(), "a client does not end"


class Site:
    """The databases, three hosts, a balancer, and their clients."""

    def __init__(self, balancer, protocol):
        path = next((p for p in ("/usr/share/lua/5.4", "/usr/share/lua/5.3")
                     if os.path.exists(p + "/redis.lua")), None)
        if path is None:
            raise Skip("lua-redis is not installed")
        self.lan = Lan()
        self.address = "fcgi:%s:9000" if protocol == FCGI else "http:%s:8080"
        self.postgres, self.redis = Postgres(Lan.HOME), Redis(Lan.HOME)
        for table in ("counter (name text primary key, n int)",
                      "done (key text primary key)"):
            self.postgres.sql("create table " + table)
        self.postgres.sql("insert into counter values ('plain', 0), "
                          "('keyed', 0)")
        self.conf = shown("HOSTS").replace("environment: {", """
lua: { path = ";;%s/?.lua"; };
environment: { NAME = "NAME_OF_HOST";""" % path)
        self.dir = scratch()
        self.gate = self.dir + "/rw"
        self.hosts = {h.name: h for h in (
            self.host(n, protocol) for n in (1, 2, 3))}
        for h in self.hosts.values():
            h.start()
        self.balancer = balancer(self.lan, protocol)
        self.crowd = Crowd(self.balancer.host)
        until(lambda: len(self.crowd.hosts()) == 3, "all hosts are asked")

    def host(self, n, protocol):
        h = Host(self.lan, "web%d" % n, 10 + n)
        h.run("mkdir", "-p", "/run/lua-fpm")
        text = self.conf
        alone = "*:9000" if protocol == FCGI else "http:*:8080"
        for said, here in (
                ('"*:9000", "http:*:8080"', '"%s"' % alone),
                ('"/srv/shop/app.lua"', '"%s/app.lua"' % h.dir),
                ("NAME_OF_HOST", h.name),
                ('( "10.0.0.10" );\n    user',
                 '( "10.0.0.10", "%s" );\n    user' % Lan.HOME),
                ("host=10.0.0.20 dbname=shop user=shop",
                 self.postgres.address),
                ("redis://10.0.0.20", self.redis.address)):
            assert said in text, said
            text = text.replace(said, here)
        h.configuration = lambda: text
        h.pools = {"shop": {"workers": {"mode": "static", "max": 8}}}
        h.top["pid_file"] = h.machine.root + "/run/lua-fpm/lua-fpm.pid"
        h.sockets = {h.machine.root + "/run/lua-fpm/control.sock"}
        self.deploy(h, 1)
        return h

    def deploy(self, h, version):
        with open(SRC + "/tests/hosts/shop.lua") as f:
            text = f.read()
        h.write_app(text.replace("@DIR@", h.dir).replace(
            "@VERSION@", str(version)).replace("@GATE@", self.gate))

    def back(self, h):
        """It is asked again."""
        until(lambda: h.name in self.crowd.hosts(), h.name + " is asked", 60)

    def out(self, h):
        """It is asked no more, and HAProxy says so."""
        if isinstance(self.balancer, HAProxy):
            until(lambda: self.balancer.has_out(h.name), h.name + " is out")
        until(lambda: h.name not in self.crowd.hosts(),
              h.name + " is asked no more")

    def serves(self, h):
        """Does it answer at ping_path?"""
        try:
            return fetch(self.address % h.ip, uri="/fpm-ping").body == b"pong"
        except ConnectionRefusedError:
            return False

    def drained(self):
        """A host with a request in its hands is drained, upgraded, resumed."""
        os.mkfifo(self.gate + "/gate")
        os.chmod(self.gate + "/gate", 0o666)
        held = Background(http, 80, path="/hold", host=self.balancer.host,
                          headers={"Cookie": "session=Reader0"})
        name = until(lambda: os.path.exists(self.gate + "/gate.in") and
                     open(self.gate + "/gate.in").read(), "it is held")
        h = self.hosts[name]
        assert self.serves(h)
        steps = [line.split()[2:] for line in shown(
            "ONE HOST AFTER THE OTHER", 1).splitlines()]
        equal([s[0] for s in steps], ["drain", "upgrade", "resume"])
        drain = Background(h.ctl, *steps[0])
        until(lambda: not self.serves(h), "it takes no connection")
        self.out(h)
        assert held.is_alive(), held.result()
        assert drain.is_alive(), drain.result()
        matches("running", h.ctl("ping"))
        matches("shop +draining", h.ctl("status"))
        os.close(os.open(self.gate + "/gate", os.O_WRONLY))
        equal(held.result()[0], 200)
        drain.result()
        install(NEXT if os.path.exists(NEXT) else LUA_FPM, h.program)
        h.ctl(*steps[1])
        matches("shop +drained", h.ctl("status"))
        h.ctl(*steps[2])
        self.back(h)
        assert self.serves(h)
        os.unlink(self.gate + "/gate")
        os.unlink(self.gate + "/gate.in")
        self.crowd.turn()
        self.crowd.lost(0, "drained, upgraded, resumed")

    def reloaded(self, h, version):
        """All that is asked after the reload meets the new code."""
        self.deploy(h, version)
        h.ctl("reload")
        now = time.monotonic()
        until(lambda: any(a[2] == h.name for a in self.crowd.since(now)),
              h.name + " is asked")
        equal({a[3] for a in self.crowd.since(now) if a[2] == h.name},
              {str(version)}, "versions")
        self.crowd.turn()
        self.crowd.lost(0, "reloaded")

    def killed(self, h):
        h.kill(signal.SIGKILL)
        self.out(h)
        h.wait_exit()
        until(lambda: not session(h.pid), "its workers leave")
        h.ctl("ping", code=69)
        self.crowd.turn()
        self.crowd.lost(POSTERS + KEYED, "killed")
        h.start()
        self.back(h)

    def cut_off(self, h):
        # in the database that it does not reach
        h.expect("exceeded timeouts.request")
        h.cut()
        self.out(h)
        self.crowd.turn()
        self.crowd.lost(2 * (POSTERS + KEYED), "cut off")
        h.heal()
        self.back(h)

    @contextlib.contextmanager
    def slowness(self, h):
        """Its network is slow; its application, where that cannot be had."""
        try:
            h.slow("200ms")
        except Skip:
            write(h.dir + "/slow", "")
            yield
            os.unlink(h.dir + "/slow")
        else:
            yield
            h.quick()

    def slowed(self, h):
        """It is asked little, and nothing fails."""
        with self.slowness(h):
            self.crowd.turn()
            hosts = [a[2] for a in self.crowd.more(300)]
        share = hosts.count(h.name) / len(hosts)
        diag("a slow host has %.1f %% of the requests" % (share * 100))
        assert share < 0.25
        self.crowd.turn()
        self.crowd.lost(0, "slow")

    def end(self):
        self.crowd.lost(0, "the end")
        c = self.crowd.count
        plain, keyed = (int(self.postgres.sql(
            "select n from counter where name = '%s'" % name))
            for name in ("plain", "keyed"))
        diag("%d requests; %d acknowledged <= %d counted <= %d sent; %d keys, "
             "%d counted" % (len(self.crowd.answers), c["acknowledged"], plain,
                             c["sent"], c["keys"], keyed))
        assert c["acknowledged"] <= plain <= c["sent"]
        equal(keyed, c["keys"], "counted with a key")
        self.balancer.stop()
        for h in self.hosts.values():
            h.stop()
        self.postgres.stop()
        self.redis.stop()
        shutil.rmtree(self.dir)


def site(balancer, protocol):
    s = Site(balancer, protocol)
    try:
        one, two, three = s.hosts.values()
        for turn in range(TURNS):
            s.drained()
            s.reloaded(two, turn + 2)
            s.killed(three)
            s.cut_off(three)
            s.slowed(two)
    finally:
        s.crowd.stop()
    s.end()


@test
def haproxy_http():
    """HAProxy over HTTP"""
    site(HAProxy, HTTP)


@test
def nginx_fcgi():
    """nginx over FastCGI"""
    site(NginxBalancer, FCGI)


if FULL:
    @test
    def haproxy_fcgi():
        """HAProxy over FastCGI"""
        site(HAProxy, FCGI)

    @test
    def nginx_http():
        """nginx over HTTP"""
        site(NginxBalancer, HTTP)


run(1200 if FULL else 120, over=FCGI,
    needs=(*NEEDS, HAProxy.program, NginxBalancer.program, "redis-server"))

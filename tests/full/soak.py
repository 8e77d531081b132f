#!/usr/bin/env python3
"""An hour (FULL in the environment; without it two minutes, one with
sanitizers) in which everything happens at once: three pools, over FastCGI
behind nginx, over HTTP behind HAProxy and with WebSockets through nginx, with a
database, uploads, timers and a shared dictionary, under reloads, upgrades,
rotations, kills, hostile peers, a full disk and a clock that jumps.

Nothing fails but what a kill or a disk explains, every count is exact, nothing
grows.  SEED in the environment repeats the choices of a run, SOAK_SECONDS says
how long, and SOAK_SVG where its figures are to be drawn.

The clock is the daemon's alone (tests/clock/clock.c): what its processes and
their Lua code read jumps, the kernel's own does not.  CLOCK_MONOTONIC never
does."""

import ctypes
import json
import os
import subprocess
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), p)
                for p in ("..", "../web", "../../bench")]
from harness import *
from harness import Server
from databases import Postgres
from soak_clients import *
from upgraded import install
import curves
import machine

FULL = "FULL" in os.environ
SECONDS = int(os.environ.get("SOAK_SECONDS", 3600 if FULL else
                             60 if SANITIZED else 120))
EVERY = max(1, SECONDS / 60)  # seconds between two figures
PERIOD = max(30, SECONDS / 6)  # upgrades come at the beginning of one
SEED = int(os.environ.get("SEED", random.randrange(1 << 32)))
CLOCK = os.path.join(BUILD, "tests/clock/lua-fpm")
SLOWER = 8 if SANITIZED else 1
DISK = 24 << 20
POOLS = ("fcgi", "http", "ws")
EVENTS = {"reload": 6, "change": 3, "bad_reload": 2, "rotate": 4, "kill": 8,
          "stop_and_go": 2, "kill_timer": 1, "kill_hub": 1, "hostile": 6,
          "full_disk": 2, "jump": 5, "database": 1, "upgrade": 0, "loop": 1}
# What the daemon may say at level error or alert.
EXPECTED = (
    "killed by signal 9", "on purpose", "malformed", "takes no lines",
    "No space left", "timeouts.request", "nothing has changed", "not loaded",
    "app.lua:1:", "exited with code 70", "while it served",
    "nonsense: unknown key")


def small_disk(path):
    """A file system of DISK bytes, for us alone; False if there may be none."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not ROOT or libc.unshare(0x00020000) == -1:  # CLONE_NEWNS
        return False
    for args in (("--make-rprivate", "/"),
                 ("-t", "tmpfs", "-o", "size=%d,mode=0777" % DISK, "soak",
                  path)):
        if subprocess.run(["mount", *args], stderr=subprocess.DEVNULL,
                          check=False).returncode:
            return False
    return True


class Haproxy(Server):
    stop_signal = signal.SIGUSR1

    def __init__(self, path):
        super().__init__()
        write(self.dir + "/haproxy.cfg", """
global
	hard-stop-after 1s
defaults
	mode http
	timeout client 1h
	timeout connect 60s
	timeout server 60s
	http-reuse always
frontend clients
	bind 127.0.0.1:%d
	default_backend pool
backend pool
	server pool unix@%s
""" % (self.port, path))
        self.launch(["/usr/sbin/haproxy", "-db", "-f",
                     self.dir + "/haproxy.cfg"])


WAYS = """
gzip off; keepalive_requests 1000000000; keepalive_timeout 1h;
proxy_read_timeout 60s; fastcgi_read_timeout 60s;
"""


def nginx_over(path):
    """WebSockets and HTTP at the same address."""
    return Nginx("http:" + path, location=WAYS + """
set $hop close;
if ($http_upgrade) { set $hop upgrade; }
proxy_http_version 1.1;
proxy_set_header Upgrade $http_upgrade;
proxy_set_header Connection $hop;
""")


class Soaked(Daemon):
    """The daemon with a clock of its own."""

    program = None

    def spawn(self, args=None, program=None, **how):
        self.program = self.dir + "/lua-fpm"
        install(CLOCK, self.program)
        return super().spawn(args, self.program, **how)

    def named(self, text):
        """Children whose name has that in it."""
        return [p for p in children(self.pid) if text in command_line(p)]


class Soak:
    def __init__(self):
        self.began = time.monotonic()
        self.random = random.Random(SEED)
        self.lock, self.number = threading.Lock(), 0
        self.ending = threading.Event()
        self.answered = {pool: {} for pool in POOLS}
        self.failures, self.again, self.gone = [], [], set()
        self.causes = []  # (pool or None, kinds or None, from, to, what)
        self.published = []  # (number, from, to)
        self.sockets, self.socket_failures = [], []
        self.opened = set()
        self.times, self.figures, self.marks = [], [], []
        self.events = dict.fromkeys(EVENTS, 0)
        self.rotations = 0
        self.ahead = 0
        self.kinds = {}

    def generator(self):
        return random.Random(self.random.getrandbits(64))

    # -- what clients tell

    def next(self):
        with self.lock:
            self.number += 1
            return self.number

    def note(self, pool, n, kind, began, r, what, again):
        now = time.monotonic()
        with self.lock:
            self.times.append(now - began)
            if not what:
                self.answered[pool][n] = r.status
                self.kinds[kind] = self.kinds.get(kind, 0) + 1
                if kind == "publish":
                    self.published.append((n, began, now))
            else:
                (self.again if again else self.failures).append(
                    (pool, kind, began, now, n, "%s%s" % (
                        "reused: " if again else "", what)))

    def note_gone(self, n):
        with self.lock:
            self.gone.add(n)

    def note_socket(self, kind, began, n, what):
        with self.lock:
            self.failures.append(("ws", kind, began, time.monotonic(), n,
                                  what))

    def note_open(self, n):
        with self.lock:
            self.answered["ws"][n] = 101

    def note_end(self, n, opened, told, sent, answered, event, waiting):
        now = time.monotonic()
        with self.lock:
            self.sockets.append((n, opened, now, told, sent, answered, event))
            if event is not None:
                self.failures.append(("ws", "socket", waiting or now - 1, now,
                                      n, repr(event)))

    def all_told(self, opened, told):
        """All that was published since then has come."""
        with self.lock:
            wanted = {n for n, began, _ in self.published if began > opened}
        return wanted <= set(told)

    def explained(self, failure):
        pool, kind, began, ended = failure[:4]
        return any(p in (None, pool) and (k is None or kind in k) and
                   begin <= ended and began <= end
                   for p, k, begin, end, _ in self.causes)

    @contextlib.contextmanager
    def cause(self, what, pool=None, kinds=None):
        """What fails meanwhile is explained."""
        begin = time.monotonic()
        yield
        self.causes.append((pool, kinds, begin, time.monotonic(), what))

    # -- the scene

    def set_up(self, stack):
        dir = scratch()
        stack.callback(shutil.rmtree, dir, ignore_errors=True)
        self.disk = dir + "/disk"
        os.mkdir(self.disk)
        self.small = small_disk(self.disk)
        if self.small:
            stack.callback(subprocess.run, ["umount", "-l", self.disk],
                           check=False)
        else:
            diag("no file system of our own: no disk is full")
        os.chmod(self.disk, 0o777)
        self.uploads, self.rotated = self.disk + "/up", dir + "/rotated"
        for path in (self.uploads, self.rotated):
            os.mkdir(path)
            os.chmod(path, 0o777)
        self.postgres = Postgres()
        self.postgres.sql("create table row (n bigint primary key);"
                          "create table tick (n serial)")
        self.start_daemon()
        d = self.d
        self.direct = ("fcgi:" + d.dir + "/fcgi.sock",
                       "http:" + d.dir + "/http.sock",
                       "http:" + d.dir + "/ws.sock")
        self.fronts = [
            Nginx("fcgi:" + d.dir + "/fcgi.sock", keep=8, location=WAYS),
            Haproxy(d.dir + "/http.sock"),
            nginx_over(d.dir + "/ws.sock")]
        self.clients = []
        for i, pool in enumerate(POOLS):
            more = {"publish": 8} if pool == "ws" else {}
            rate = 12 / SLOWER
            self.clients += [
                Client(self, pool, "http:127.0.0.1:%d" % self.fronts[i].port,
                       rate, more) for _ in range(3)]
            self.clients += [Client(self, pool, self.direct[i], rate, more)
                             for _ in range(2)]
        through = "127.0.0.1:%d" % self.fronts[2].port
        self.clients += [Socket(self, a) for a in
                         [d.dir + "/ws.sock"] * 3 + [through] * 3]

    def start_daemon(self):
        d = self.d = Soaked(app=app_source("soak.lua"), pools={"fcgi": {}})
        with open(d.dir + "/clock", "wb") as f:
            f.write(bytes(8))
        os.chmod(d.dir + "/clock", 0o644)
        same = {
            "status_path": None, "shared": {"counts": "1M"},
            "environment": {"DATABASE": self.postgres.address,
                            "UPLOADS": self.uploads, "TMPDIR": self.disk},
            "timeouts": {"request": "%ds" % (4 * SLOWER), "slow": "3s",
                         "stop": "30s"},
            "limits": {"min_rate": 0}}
        modes = {"fcgi": {"mode": "static", "max": 3},
                 "http": {"mode": "dynamic", "max": 5, "start": 2,
                          "min_spare": 1, "max_spare": 2,
                          "max_requests": 400},
                 "ws": {"mode": "static", "max": 2, "max_age": "20s"}}
        for pool in POOLS:
            http = "" if pool == "fcgi" else "http:"
            d.set_pool(pool, **{
                **same, "workers": modes[pool],
                "listen": "%s%s/%s.sock" % (http, d.dir, pool),
                "status_listen": "%s/%s.status" % (d.dir, pool),
                "logs": {"access": self.log(pool), "access_format": "json",
                         "slow": d.dir + "/slow.log"}})
            d.sockets.add("%s/%s.status" % (d.dir, pool))
        d.pools["fcgi"]["timers"] = [{"name": "tick", "every": "1s"}]
        d.expect(*EXPECTED)
        d.start()
        until(lambda: d.named("hub of ws") and len(d.workers("fcgi")) == 3,
              "all are there")
        until(lambda: all(self.status(p)["idle processes"] >= 1
                          for p in POOLS), "all are ready")
        d.fds_before = d.count_fds()
        self.expected_fds = self.worker_fds()

    def log(self, pool):
        """The one of fcgi is on the disk that is full at times."""
        return "%s/%s.access" % (self.disk if pool == "fcgi" else self.d.dir,
                                 pool)

    def status(self, pool):
        r = fetch("fcgi:%s/%s.status" % (self.d.dir, pool),
                  uri="/status?json&full")
        return json.loads(r.body)

    def worker_fds(self):
        """Descriptors of each worker by kind, the most of a pool."""
        found = {}
        for pool in POOLS:
            for pid in self.d.workers(pool):
                counts = {}
                with contextlib.suppress(OSError):
                    for _, link in fds(pid):
                        kind = "file" if link.startswith("/") else \
                            re.sub(r"[:/]\[?\d+.*", "", link)
                        counts[kind] = counts.get(kind, 0) + 1
                    for kind, n in counts.items():
                        most = found.setdefault(pool, {})
                        most[kind] = max(most.get(kind, 0), n)
        return found

    # -- figures

    def look(self):
        """Private memory in KB, descriptors, and what clients saw since."""
        with self.lock:
            times, self.times = sorted(self.times), []
        found = {"at": time.monotonic() - self.began,
                 "rate": len(times) / EVERY,
                 "p99": times[len(times) * 99 // 100] * 1e3 if times else None,
                 "fds": len(fds(self.d.pid)) - 3 * len(children(self.d.pid)),
                 "master": self.memory([self.d.pid]),
                 "hub": self.memory(self.d.named("hub of"))}
        for pool in POOLS:
            found[pool] = self.memory(self.d.workers(pool))
        self.figures.append(found)

    @staticmethod
    def memory(pids):
        """The mean of these."""
        found = []
        for pid in pids:
            with contextlib.suppress(OSError, TypeError, AttributeError):
                found.append(machine.memory(pid)[1])
        return sum(found) / len(found) if found else None

    def sample(self):
        while not self.ending.wait(EVERY):
            self.look()

    def picture(self):
        def line(name, scale=1.0):
            return [(f["at"] / 60, f[name] and f[name] * scale)
                    for f in self.figures]
        marks = tuple(m / 60 for m in self.marks)
        what = ", ".join("%d %s" % (n, name.replace("_", " "))
                         for name, n in self.events.items())
        return curves.draw(
            "What %d minutes of everything at once leave" % (SECONDS / 60),
            (machine.describe(), "%d requests; %s" % (self.number, what),
             "upright: upgrades (USR2)"),
            [curves.Panel("Memory of a worker of its own", "minutes", "KB",
                          {p: line(p) for p in POOLS}, marks=marks),
             curves.Panel("Memory of master and hub of their own", "minutes",
                          "KB", {n: line(n) for n in ("master", "hub")},
                          marks=marks),
             curves.Panel("Requests", "minutes", "a second",
                          {"all pools": line("rate")}, marks=marks),
             curves.Panel("Latency as clients see it", "minutes", "ms",
                          {"99 of 100": line("p99")}, marks=marks),
             curves.Panel("Descriptors of the master, workers' left out",
                          "minutes", "", {"master": line("fds")},
                          marks=marks)])

    # -- what happens

    def run(self):
        for c in self.clients:
            c.start()
        sampler = threading.Thread(target=self.sample, daemon=True)
        sampler.start()
        end, period = time.monotonic() + SECONDS, -1
        while time.monotonic() < end:
            now = int((time.monotonic() - self.began) / PERIOD)
            name = self.random.choices(*zip(*EVENTS.items()))[0]
            if now != period:
                period, name = now, "upgrade"
            self.happens(name)
            self.ending.wait(self.random.uniform(0, 2))
        self.ending.set()
        for c in [*self.clients, sampler]:
            c.join(2 * PATIENCE)
            assert not c.is_alive(), "a client does not end: %s" % vars(c)

    def happens(self, name):
        """One event, and requests are answered after it."""
        began = time.monotonic()
        try:
            getattr(self, name)()
        except Exception:
            diag("in %s, %.1f s after the start" % (name,
                                                    began - self.began))
            raise
        self.events[name] += 1
        if os.environ.get("SOAK_TALK"):
            diag("%.1f %s" % (began - self.began, name))
        counts = {p: len(self.answered[p]) for p in POOLS}
        until(lambda: all(len(self.answered[p]) > counts[p] for p in POOLS),
              "answers of each pool after " + name)

    def reload(self):
        self.d.reload()

    def change(self):
        """By turns the application and the environment: new workers."""
        d = self.d
        if self.random.random() < 0.5:
            d.write_app(app_source("soak.lua") + "-- %d\n" % self.number)
        else:
            pool = self.random.choice(POOLS)
            d.pools[pool]["environment"]["CHANGED"] = str(self.number)
            d.write_conf()
        d.reload()

    def bad_reload(self):
        d, mark = self.d, self.d.log_mark()
        old = set(d.workers("fcgi"))
        if self.random.random() < 0.5:
            write(d.file, d.configuration() + "nonsense = 1;\n")
        else:
            d.write_app("error('on purpose')")
        d.kill(signal.SIGHUP)
        d.wait_log("nothing has changed", mark, 60)
        # Beside them one may stand that does not come up.
        equal(old - set(d.workers("fcgi")), set(), "workers that have gone")
        d.write_app(app_source("soak.lua"))
        d.write_conf()

    def upgrade(self):
        d, mark = self.d, self.d.log_mark()
        self.marks.append(time.monotonic() - self.began)
        install(CLOCK, d.program)
        d.kill(signal.SIGUSR2)
        d.wait_log(" upgraded from ", mark, 60)
        d.wait_log(" ready: ", mark, 60)

    def rotate(self):
        """Twice renamed, then no worker has it any more."""
        for pool in POOLS:
            path = self.log(pool)
            for n in (3, 2, 1):
                with contextlib.suppress(FileNotFoundError):
                    old = "%s.%d" % (path, n)
                    if n < 3:
                        os.rename(old, "%s.%d" % (path, n + 1))
                    else:
                        shutil.move(old, "%s/%s.%d" % (
                            self.rotated, pool, self.rotations))
            os.rename(path, path + ".1")
        self.rotations += 1
        self.d.kill(signal.SIGUSR1)
        until(lambda: all(os.path.exists(self.log(p)) for p in POOLS),
              "new logs")

    def kill_one(self, pids, pool, what):
        if not pids:
            return
        pid = self.random.choice(pids)
        with self.cause(what, pool):
            kill(pid, signal.SIGKILL)
            # Its first thread may be dead before its descriptors are closed.
            until(lambda: process_stat(pid) is None, "it is reaped")

    def kill(self):
        pool = self.random.choice(POOLS)
        self.kill_one(self.d.workers(pool), pool, "kill")

    def kill_timer(self):
        self.kill_one(self.d.named("timers of"), "none", "timer")

    def kill_hub(self):
        d = self.d
        with self.cause("hub", "ws", ("socket", "open", "publish")):
            old = d.named("hub of")
            for pid in old:
                kill(pid, signal.SIGKILL)
            until(lambda: d.named("hub of") and
                  not set(old) & set(d.named("hub of")), "another hub", 60)

            def opens():
                with contextlib.suppress(OSError, EOFError, Refused):
                    n = self.next()
                    self.note_gone(n)
                    WebSocket(d.dir + "/ws.sock", "/ws/%d" % n).close()
                    return True
            until(opens, "it takes sockets", 60)
            # Each worker knocks again by itself, within 200 ms.
            self.ending.wait(0.5 * SLOWER)

    def stop_and_go(self):
        """A worker that stands for a while; or the master does."""
        d = self.d
        pid = self.random.choice([d.pid, *d.workers("fcgi"),
                                  *d.workers("http")])
        kill(pid, signal.SIGSTOP)
        self.ending.wait(self.random.uniform(0.1, 1))
        kill(pid, signal.SIGCONT)

    def hostile(self):
        for _ in range(3):
            i = self.random.randrange(3)
            attack(self, self.random, self.direct[i][5:], POOLS[i],
                   self.random.choice((1, 5, 30)))

    def full_disk(self):
        """Requests go on; uploads cannot, and lines of the log are lost."""
        if not self.small:
            return
        mark, path = self.d.log_mark(), self.disk + "/filler"
        with self.cause("full disk", None, ("upload",)):
            with open(path, "wb", 0) as f:
                ends = time.monotonic() + self.random.uniform(1, 4)
                while time.monotonic() < ends:
                    with contextlib.suppress(OSError):
                        while f.write(bytes(65536)) == 65536:
                            pass
                        while f.write(bytes(16)):
                            pass
                    self.ending.wait(0.05)
            os.unlink(path)
        if "takes no lines" in self.d.read_log(mark):
            self.d.wait_log("takes lines again", mark, 60)

    def jump(self):
        """The wall clock; most often it is then wrong for a while."""
        self.ahead = self.random.choice(
            (0, 1, -1, 3600, -3600, 86400 * 40, -86400 * 40, 86400 * 3650))
        with open(self.d.dir + "/clock", "r+b") as f:
            f.write(struct.pack("<q", self.ahead))
        ticks = self.ticks()
        until(lambda: self.ticks() > ticks, "a timer's next run")

    def ticks(self):
        return int(self.postgres.sql("select count(*) from tick") or 0)

    def database(self):
        """Restarted, or it ends what it serves."""
        if self.random.random() < 0.7:
            self.postgres.sql(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where pid <> pg_backend_pid() and query not like '%sleep%'")
            return
        with self.cause("database", None, ("row", "slow")):
            self.postgres.restart()

    def loop(self):
        """One request that never ends."""
        i = self.random.randrange(3)
        c = Client(self, POOLS[i], self.direct[i], 1)
        c.once("loop", self.next())
        c.close()

    # -- the account

    def quiet(self):
        """Nothing in hand: what each pool says of itself."""
        found = {}
        for pool in POOLS:
            def settled():
                s = self.status(pool)
                found[pool] = s
                return s["accepted conn"] == s["requests"] + \
                    s["killed requests"] and not s["active processes"] \
                    and not s["idle connections"]
            until(settled, "pool %s is quiet" % pool, 90)
        return found

    def lines(self, pool):
        """(number, status, how it ended, method) of each line."""
        paths = ["%s/%s" % (self.rotated, name)
                 for name in os.listdir(self.rotated)
                 if name.startswith(pool + ".")]
        paths += [self.log(pool) + end for end in ("", ".1", ".2", ".3")]
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                with open(path, encoding="utf-8") as f:
                    for text in f:
                        if text.strip():  # lua-fpm-logs(7), torn lines
                            yield json.loads(text)


soak = Soak()


@test
def everything():
    """requests go on whatever happens"""
    diag("SEED=%d, %d seconds" % (SEED, SECONDS))
    with contextlib.ExitStack() as stack:
        soak.stack = stack
        soak.set_up(stack)
        soak.stack = stack.pop_all()
    soak.run()
    for c in soak.fronts:
        c.stop()
    diag(json.dumps(soak.events))
    diag(json.dumps(soak.kinds))


@test
def failures():
    """what failed is explained by a kill, a full disk or the database"""
    bad = [f for f in soak.failures + soak.again if not soak.explained(f)]
    diag("%d requests, %d failed and %d were on a connection that had gone, "
         "all explained but %d" % (soak.number, len(soak.failures),
                                   len(soak.again), len(bad)))
    for pool, kind, began, ended, n, what in bad[:20]:
        diag("%s %s %d at %.2f to %.2f: %s" % (
            pool, kind, n, began - soak.began, ended - soak.began, what[:300]))
    equal(len(bad), 0)


@test
def counts():
    """the status has counted each request once, and as it ended"""
    soak.said = soak.quiet()
    for pool, s in soak.said.items():
        equal(s["requests"], sum(s["responses"].values()), pool)
        assert s["accepted conn"] >= len(soak.answered[pool]), pool
        equal(s["latency"][-1]["count"], s["requests"], pool)


@test
def logs():
    """a line for each request that began, none twice, but those that a full
    disk has cost, which are counted"""
    log = soak.d.read_log()
    for pool in POOLS:
        lost = sum(map(int, re.findall(
            r"pool %s: logs.access takes lines again, (\d+) are lost" % pool,
            log)))
        seen, killed, total = {}, set(), 0
        for line in soak.lines(pool):
            total += 1
            n = int(re.match(r"/\w+/(\d+)$", line["uri"] or "/x/0")[1])
            if line["method"] == "WEBSOCKET":
                continue
            if line["end"] == "killed":
                killed.add(n)
                continue
            assert n not in seen or n in soak.gone, "twice: %s" % line
            seen[n] = line["status"]
        s = soak.said[pool]
        diag("%s: %d begun, %d lines, %d lost on a full disk, %d killed" % (
            pool, s["accepted conn"], total, lost, s["killed requests"]))
        equal(total + lost, s["accepted conn"], pool + ": lines and requests")
        missing = set(soak.answered[pool]) - set(seen)
        assert len(missing) <= lost, (pool, len(missing), list(missing)[:9])
        wrong = {n: (status, seen[n]) for n, status in
                 soak.answered[pool].items()
                 if n in seen and seen[n] != status}
        equal(wrong, {}, pool)


@test
def database():
    """each row that was acknowledged is there once, each count too"""
    rows = set(map(int, soak.postgres.sql("select n from row").split()))
    failed = {f[4] for f in soak.failures + soak.again}
    acknowledged = soak.kinds.get("row", 0)
    diag("%d rows, %d acknowledged" % (len(rows), acknowledged))
    assert acknowledged <= len(rows) <= acknowledged + len(failed) + \
        len(soak.gone)


@test
def sockets():
    """what is published reaches each socket once, each message is answered"""
    sent = answered = told = 0
    for n, opened, ended, got, of_it, back, event in soak.sockets:
        assert len(got) == len(set(got)), "told twice: %s" % got
        sent, answered, told = sent + of_it, answered + back, told + len(got)
        assert of_it - back <= (event is not None), (n, event)
        wanted = {p for p, began, done in soak.published
                  if began > opened and
                  done < (ended - 2 if event is not None else ended)}
        assert wanted <= set(got), "%d was not told %s" % (
            n, wanted - set(got))
    diag("%d sockets, %d messages, %d answered, %d published, told %d times" %
         (len(soak.sockets), sent, answered, len(soak.published), told))


@test
def timers():
    """timers ran on at every jump of the clock"""
    (t,) = soak.said["fcgi"]["timers"]
    diag("%(runs)d runs, %(failures)d failures, %(missed)d missed" % t)
    elapsed = time.monotonic() - soak.began
    assert t["runs"] + t["missed"] <= elapsed + 5, (t, elapsed)
    assert t["runs"] + t["missed"] >= elapsed * 0.7 - 10, (t, elapsed)


@test
def descriptors():
    """no worker has gained a descriptor; the master's are counted at the
    end"""
    now = soak.worker_fds()
    for pool in POOLS:
        for kind, n in now[pool].items():
            # one for the database
            assert n <= soak.expected_fds[pool].get(kind, 0) + \
                (kind == "socket"), (pool, kind, n, soak.expected_fds[pool])


@test
def memory():
    """nobody grows"""
    svg = os.environ.get("SOAK_SVG")
    if svg:
        with open(svg, "w", encoding="utf-8") as f:
            f.write(soak.picture())
    for name in ("master", "hub", *POOLS):
        seen = [f[name] for f in soak.figures if f[name]]
        quarter = max(1, len(seen) // 4)
        first = sorted(seen[quarter // 3:quarter + 1])
        last = sorted(seen[-quarter:])
        first, last = first[len(first) // 2], last[len(last) // 2]
        diag("%s: %d KB in the first quarter, %d KB in the last" % (
            name, first, last))
        assert SANITIZED or last <= first * 1.25 + 512, (name, seen)


@test
def end():
    """the daemon stops and leaves nothing behind"""
    soak.d.stop(timeout=60)
    soak.postgres.stop()
    soak.stack.close()


run(SECONDS + 240, needs=("nginx", "/usr/sbin/haproxy", CLOCK), over=FCGI)

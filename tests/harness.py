"""What the tests of the whole daemon share: a TAP printer, the daemon in a
scratch directory, a raw client that can also talk nonsense, nginx.

A script runs over FastCGI, and what is not about its bytes over HTTP as well
(run): there every address of a pool is an http: address, and request(),
fetch(), Conn and Load speak HTTP/1.1.  Parameters become headers, LUA and
those that begin with HTTP_; others cannot be sent.  PROTOCOL=http in the
environment runs a script, or some of its tests, over HTTP alone.

Tests wait for events (READY, a log line, a file, a FIFO) with until(); none
sleeps for a time.  Python's standard library only.
"""

import atexit
import contextlib
import ctypes
import grp
import os
import pwd
import random
import re
import resource
import select
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

import http1

HERE = os.path.dirname(os.path.abspath(__file__))
SRC = os.environ.get("TOP_SRCDIR") or os.path.dirname(HERE)
BUILD = os.environ.get("TOP_BUILDDIR") or os.getcwd()
LUA_FPM = os.path.join(BUILD, "lua-fpm")
QUICK = os.path.join(BUILD, "tests", "quick", "lua-fpm")
LUA_FCGI = os.path.join(BUILD, "lua-fcgi")
LUA_FPMCTL = os.path.join(BUILD, "lua-fpmctl")
ROOT = os.geteuid() == 0


def _sanitized():
    try:
        with open(LUA_FPM, "rb") as f:
            return b"__asan_init" in f.read()
    except OSError:
        return False


SANITIZED = _sanitized()
# The environment of a daemon in which LeakSanitizer cannot do its search: it
# wants /proc, a process and some descriptors.
NO_LEAK_SEARCH = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") +
                  ":detect_leaks=0"}
# A shell lets what it starts in the background ignore them.
for _signal in (signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(_signal) == signal.SIG_IGN:
        signal.signal(_signal, signal.SIG_DFL)
PATIENCE = 60 if SANITIZED else 20  # seconds for what should take far less
FCGI, HTTP = "fcgi", "http"
BOTH = (FCGI, HTTP)
PROTOCOL = os.environ.get("PROTOCOL", FCGI)


# ---- TAP --------------------------------------------------------------------


class Skip(Exception):
    pass


_tests = []


def test(fn=None, *, over=None, because=None):
    """Decorator: a test point, described by its docstring; over one protocol
    only if that is named, with the reason."""
    if fn is None:
        assert over in BOTH and because, "a test of one protocol says why"
        return lambda fn: test(fn, over=over, because=because)
    fn.over = (over,) if isinstance(over, str) else BOTH
    _tests.append(fn)
    return fn


def diag(text):
    for line in str(text).splitlines() or [""]:
        print("#", line, flush=True)


def _attempt(fn):
    """'' or what was wrong."""
    try:
        fn()
    except Skip:
        raise
    except Exception:
        return traceback.format_exc()
    return ""


def _alarm(signo, frame):
    print("Bail out! the script's time is over", flush=True)
    diag("".join(traceback.format_stack(frame)))
    for d in list(_live):
        diag(d.tail())
    _kill_all()
    os._exit(99)


def run(limit=120, needs=(), over=None):
    """Run every test of the script over one protocol and then over the other,
    each time stopping the daemons that it shares.

    over: FCGI for a script about its bytes; BOTH where the protocol could
    matter; otherwise both with FULL in the environment, else FastCGI.  With
    sanitizers, which take long, BOTH is only for FULL: tests of HTTP alone,
    units and fuzzing have its code run with them.
    limit: seconds for all of it; needs: programs without which it cannot."""
    missing = [p for p in (LUA_FPM, *needs) if shutil.which(p) is None]
    if missing:
        print("1..0 # SKIP not found:", " ".join(missing))
        return
    if over == FCGI != PROTOCOL:
        print("1..0 # SKIP about FastCGI")
        return
    signal.signal(signal.SIGALRM, _alarm)
    signal.alarm(limit * (4 if SANITIZED else 1))
    wanted = [t for t in _tests
              if not sys.argv[1:] or t.__name__ in sys.argv[1:]]
    mine = [t for t in wanted if PROTOCOL in t.over]
    again = [t for t in wanted if HTTP in t.over] if \
        "PROTOCOL" not in os.environ and over != FCGI and \
        ((over == BOTH and not SANITIZED) or "FULL" in os.environ) else []
    begin = int(os.environ.get("TAP_BEGIN", 1))
    if begin == 1:
        print("TAP version 13\n1..%d" % (
            len(mine) + 1 + (len(again) + 1 if again else 0)), flush=True)
    code = _run(mine, begin)
    if again:
        signal.alarm(0)
        code |= subprocess.run(
            [sys.executable, "-B", *sys.argv],
            env={**os.environ, "PROTOCOL": HTTP,
                 "TAP_BEGIN": str(begin + len(mine) + 1)}).returncode
    sys.exit(code)


def _run(tests, begin):
    failed, prefix = 0, "http: " if PROTOCOL == HTTP else ""
    for n, fn in enumerate(tests, begin):
        name = prefix + " ".join((fn.__doc__ or fn.__name__).split())
        began = time.monotonic()
        try:
            what = _attempt(fn)
        except Skip as reason:
            print("ok %d - %s # SKIP %s" % (n, name, reason), flush=True)
            continue
        print("%sok %d - %s" % ("not " if what else "", n, name), flush=True)
        if os.environ.get("TIMES"):
            diag("%.2f s" % (time.monotonic() - began))
        if what:
            failed += 1
            diag(what)
            for d in list(_live):
                diag(d.tail())
    whats = [w for w in (_attempt(d.stop) for d in list(_live)) if w]
    print("%sok %d - %swhat the script started stops and leaves nothing "
          "behind" % ("not " if whats else "", begin + len(tests), prefix),
          flush=True)
    for what in whats:
        diag(what)
    _kill_all()
    if os.environ.get("TIMES"):
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        own = resource.getrusage(resource.RUSAGE_SELF)
        diag("processor: %.2f s of daemons, %.2f s of the script" % (
            used.ru_utime + used.ru_stime, own.ru_utime + own.ru_stime))
    return 1 if failed or whats else 0


def until(fn, what="", timeout=None):
    """Poll fn until it returns something true, and return that."""
    deadline = time.monotonic() + (timeout or PATIENCE)
    while True:
        value = fn()
        if value:
            return value
        assert time.monotonic() < deadline, "never happened: %s" % (
            what or getattr(fn, "__doc__", None) or fn)
        time.sleep(0.005)


def lasts(seconds):
    """Let time pass where it is what a test is about, with no event to wait
    for."""
    end = time.monotonic() + seconds
    until(lambda: time.monotonic() >= end, timeout=seconds + PATIENCE)


def equal(got, expected, what=""):
    assert got == expected, "%s: got %r, expected %r" % (what, got, expected)


def matches(regex, text, what=""):
    found = re.search(regex, text)
    assert found, "%s: %r does not match %r" % (what, text[-2000:], regex)
    return found


# ---- processes --------------------------------------------------------------


def process_stat(pid):
    """(state, ppid, pgrp, session) or None."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            fields = f.read().rpartition(")")[2].split()
    except (OSError, ProcessLookupError):
        return None
    return fields[0], int(fields[1]), int(fields[2]), int(fields[3])


def command_line(pid):
    """The words with which it was started; empty if it is gone."""
    try:
        with open("/proc/%d/cmdline" % pid) as f:
            return f.read().replace("\0", " ")
    except OSError:
        return ""


def cpu(pid):
    """Seconds of processor time; 0 if the process is gone."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            fields = f.read().rpartition(")")[2].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _processes():
    for name in os.listdir("/proc"):
        if name.isdigit():
            s = process_stat(int(name))
            if s:
                yield int(name), s


def children(pid):
    """Living children of a process."""
    return sorted(p for p, s in _processes() if s[1] == pid and s[0] != "Z")


def session(sid):
    """Every process of a session, zombies excepted."""
    return sorted(p for p, s in _processes() if s[3] == sid and s[0] != "Z")


def zombies(pid):
    return [p for p, s in _processes() if s[1] == pid and s[0] == "Z"]


def alive(pid):
    s = process_stat(pid)
    return bool(s) and s[0] != "Z"


def rss(pid):
    """Resident memory in bytes."""
    with open("/proc/%d/status" % pid) as f:
        return int(re.search(r"VmRSS:\s+(\d+) kB", f.read())[1]) * 1024


def unix_connections(path):
    """How many there are to a unix socket, those that wait included."""
    with open("/proc/net/unix") as f:
        return sum(line.rstrip().endswith(" " + path) and
                   line.split()[5] in ("02", "03") for line in f)


def listens(pid):
    """Does a worker wait for more than time, signals and the master?"""
    with contextlib.suppress(OSError):
        for fd, link in fds(pid):
            if link == "anon_inode:[eventpoll]":
                with open("/proc/%d/fdinfo/%d" % (pid, fd)) as f:
                    return f.read().count("tfd:") > 3
    return False


def in_time(measure, limit, attempts=3):
    """99 of 100 of the times that measure() returns are below the limit (s).
    What else the machine does may spoil an attempt, but not all of them."""
    for _ in range(attempts):
        times = sorted(measure())
        p99 = times[len(times) * 99 // 100]
        diag("%d requests, median %.1f ms, 99th of 100 %.1f ms, longest "
             "%.1f ms" % (len(times), times[len(times) // 2] * 1e3, p99 * 1e3,
                          times[-1] * 1e3))
        if p99 < limit:
            return
    raise AssertionError("not below %g s: %r" % (limit, times[-20:]))


def fds(pid):
    """[(descriptor, what it is)] of a process; none if it is gone."""
    links = []
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc/%d/fd" % pid):
            with contextlib.suppress(OSError):
                links.append((int(name), os.readlink(
                    "/proc/%d/fd/%s" % (pid, name))))
    return sorted(links)


def seqpackets(d, pid):
    """Descriptors of a worker: (its channel, of which the master has the other
    end), (the exchange's reading and writing end, and the door of its hub,
    which the master has, too)."""
    with open("/proc/net/unix") as f:
        inodes = {"socket:[%s]" % line.split()[6] for line in f
                  if line.split()[4] == "0005"}
    ours = {link for _, link in fds(d.pid)}
    found = [(fd, link in ours) for fd, link in fds(pid) if link in inodes]
    return tuple(tuple(fd for fd, its in found if its == ours)
                 for ours in (False, True))


def channel(d, pid):
    """The descriptor of a worker's channel."""
    (fd,), _ = seqpackets(d, pid)
    return fd


def take_fd(pid, fd):
    """Another process's descriptor (pidfd_getfd(2))."""
    libc = ctypes.CDLL(None, use_errno=True)
    handle = libc.syscall(434, pid, 0)
    got = libc.syscall(438, handle, fd, 0)
    error = ctypes.get_errno()
    os.close(handle)
    if got == -1:
        raise Skip("pidfd_getfd: " + os.strerror(error))
    return got


def kill(pid, signo):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signo)


_live = []  # with .stop(), .destroy(), .tail()


def _kill_all():
    for d in list(_live):
        d.destroy()


atexit.register(_kill_all)

# ---- scratch directories ----------------------------------------------------


def pool_user():
    """The unprivileged user of pools; None if we are one ourselves."""
    if not ROOT:
        return None
    for name in ("www-data", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise Skip("no unprivileged user")


def pool_group():
    return grp.getgrgid(pwd.getpwnam(pool_user()).pw_gid).gr_name


def scratch():
    path = tempfile.mkdtemp(prefix="lua-fpm-test-", dir="/tmp")
    os.chmod(path, 0o755)
    os.mkdir(path + "/rw")
    os.chmod(path + "/rw", 0o777)
    return path


def write(path, text):
    """Replace a file's content at once, as a deployment does."""
    with open(path + ".new", "w") as f:
        f.write(text)
    os.chmod(path + ".new", 0o644)
    os.rename(path + ".new", path)


def program_in(dir):
    """A copy of lua-fpm in a scratch directory, for another user, who may not
    enter the directory that it was built in (root's home)."""
    program = shutil.copy(LUA_FPM, dir)
    os.chmod(program, 0o755)
    return program


def app_source(name):
    with open(os.path.join(SRC, "tests", "apps", name)) as f:
        return f.read()


def c_module(dir, source):
    """A library for package.loadlib, from C text."""
    for program in ("cc", "pkg-config"):
        if shutil.which(program) is None:
            raise Skip("no %s" % program)
    with open(dir + "/module.c", "w") as f:
        f.write("#include <lua.h>\n#include <lauxlib.h>\n" + source)
    flags = subprocess.run(["pkg-config", "--cflags", "lua5.4"],
                           capture_output=True, text=True).stdout.split()
    subprocess.run(["cc", *flags, "-fPIC", "-shared", "-o",
                    dir + "/module.so", dir + "/module.c"], check=True)
    os.chmod(dir + "/module.so", 0o755)
    return dir + "/module.so"


def free_port(family=socket.AF_INET):
    with socket.socket(family) as s:
        s.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        return s.getsockname()[1]


def libconfig(value, depth=0):
    """A value in the syntax of libconfig."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return '"%s"' % value.replace("\\", "\\\\").replace('"', '\\"')
    if isinstance(value, (list, tuple)):
        return "( %s )" % ", ".join(libconfig(v) for v in value)
    pad = "  " * (depth + 1)
    return "{\n%s%s}" % (
        "".join("%s%s = %s;\n" % (pad, k, libconfig(v, depth + 1))
                for k, v in value.items()), "  " * depth)


# ---- the daemon -------------------------------------------------------------


def service_manager(path):
    """A socket that gives what is sent to that path, message by message.  The
    path's own would hold up the daemon once ten of them are unread."""
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    bound.bind(path)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def forward():
        poll = select.poll()
        poll.register(bound, select.POLLIN)
        poll.register(theirs, select.POLLIN)  # at the end of ours
        with bound, theirs, contextlib.suppress(OSError):
            while theirs.fileno() not in dict(poll.poll()):
                theirs.send(bound.recv(4096))
    threading.Thread(target=forward, daemon=True).start()
    return ours


class Daemon:
    """lua-fpm in the foreground, its configuration, log and sockets in a
    scratch directory of its own.

    app: Lua text of the application (default: tests/apps/eval.lua, which runs
    what the parameter LUA says).  pools: name -> keys, laid over defaults.
    top: keys above the pools.  Use as `with Daemon() as d`, or start() it and
    leave the stopping to run().

    A script that would have to wait for the daemon's own constants of time
    says Daemon.program = QUICK: there they are a tenth (base/tuning.h)."""

    program = LUA_FPM
    inside = ()  # the command that enters where it runs, if that is elsewhere

    def __init__(self, app=None, pools=None, top=None, dir=None, **pool):
        self.dir = dir or scratch()
        self.file = self.dir + "/lua-fpm.conf"
        self.log = self.dir + "/log"
        self.top = dict(top or {})
        self.top.setdefault("pid_file", self.dir + "/pid")
        self.expected = []
        self.process = None
        self.notify = None
        self.sockets = set()
        self.write_app(app_source("eval.lua") if app is None else app)
        self.pools = {}
        for name, keys in (pools or {"www": pool}).items():
            self.set_pool(name, **keys)

    # -- before the start, and before a reload

    def write_app(self, text, name="app.lua"):
        write(os.path.join(self.dir, name), text)

    def set_pool(self, name, **keys):
        """A pool with defaults fit for tests; a key that is None is left
        out."""
        pool = {
            "app": self.dir + "/app.lua",
            "listen": "%s/%s.sock" % (self.dir, name),
            "listen_mode": "0666",
            "user": pool_user(),
            "workers": {"mode": "static", "max": 2},
            "timeouts": {"stop": "10s"},
        }
        pool.update(keys)
        self.pools[name] = {k: v for k, v in pool.items() if v is not None}

    def drop_pool(self, name):
        del self.pools[name]

    def configuration(self):
        pools = {name: self.spelt_pool(pool)
                 for name, pool in self.pools.items()}
        return "".join("%s = %s;\n" % (k, libconfig(v)) for k, v in
                       [*self.top.items(), ("pools", pools)])

    @staticmethod
    def spelt_pool(pool):
        """The pool with its addresses as the daemon knows them; over HTTP with
        what is bounded there by keys of another name."""
        pool = {k: spelt(v) if k in ("listen", "status_listen") else v
                for k, v in pool.items()}
        if PROTOCOL == FCGI:
            return pool
        read = pool.get("timeouts", {}).get("read")
        return {**pool, "http": {"max_body": 0, **({"read": read} if read else {}),
                         **pool.get("http", {})}}

    def write_conf(self, text=None):
        write(self.file, self.configuration() if text is None else text)
        for pool in self.pools.values():
            listen = pool.get("listen", [])
            for a in [listen] if isinstance(listen, str) else listen:
                if where(a).startswith("/"):
                    self.sockets.add(where(a))

    # -- life

    def spawn(self, args=None, program=None, env=None, pass_fds=(),
              stdin=subprocess.DEVNULL):
        """Start without waiting."""
        path = self.dir + "/notify"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        self.notify = service_manager(path)
        environ = {**os.environ, "NOTIFY_SOCKET": path, "LC_ALL": "C"}
        if not SANITIZED:
            environ["MALLOC_PERTURB_"] = str(random.randint(1, 255))
        environ.update(env or {})
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*self.inside, program or self.program,
                 *(args or ("-c", self.file))], stdin=stdin, stdout=log, stderr=log, env=environ, cwd=self.dir,
                start_new_session=True, pass_fds=pass_fds)
        self.notes = ""
        if self not in _live:
            _live.append(self)
        return self

    def start(self, **how):
        if "args" not in how:
            self.write_conf()
        self.spawn(**how)
        self.wait_note("READY=1")
        self.fds_before = self.count_fds()
        return self

    def wait_note(self, wanted, timeout=None):
        """Until the service manager was told so; forgets what came until
        then."""
        deadline = time.monotonic() + (timeout or PATIENCE)
        while wanted not in self.notes:
            left = deadline - time.monotonic()
            code = self.process.poll()
            assert code is None, "exited with %s before %s" % (code, wanted)
            assert left > 0, "no %s; told: %r" % (wanted, self.notes)
            self.notify.settimeout(min(left, 0.1))
            with contextlib.suppress(socket.timeout):
                self.notes += self.notify.recv(4096).decode() + "\n"
        self.notes = self.notes.partition(wanted)[2]

    @property
    def pid(self):
        return self.process.pid

    def kill(self, signo):
        os.kill(self.pid, signo)

    def reload(self, timeout=None):
        """HUP, and wait until it has been done."""
        with contextlib.suppress(BlockingIOError):
            self.notify.settimeout(0)
            while True:
                self.notify.recv(4096)
        self.notes = ""
        self.kill(signal.SIGHUP)
        self.wait_note("RELOADING=1", timeout)
        self.wait_note("READY=1", timeout)

    def wait_exit(self, timeout=None):
        return self.process.wait(timeout or PATIENCE)

    def workers(self, pool=None):
        """Pids of the workers (of one pool), also of those that are being
        born; not of a pool's other processes (hub of, status of, timers of)
        and not of the trial of an application."""
        if pool is not None:
            return [p for p in children(self.pid)
                    if re.search(r"\bpool %s\b" % pool, command_line(p))]
        return [p for p in children(self.pid)
                if not re.match(r"lua-fpm: \w+ of ", command_line(p))]

    def wait_workers(self, n, pool=None, timeout=None):
        return until(lambda: len(self.workers(pool)) == n and
                     (self.workers(pool) or True),
                     "%d workers, there are %d" % (n,
                                                   len(self.workers(pool))),
                     timeout)

    def wait_ready(self, n, pool=None):
        """The same, and all of them take connections."""
        return until(lambda: len(self.workers(pool)) == n and
                     all(map(listens, self.workers(pool))) and
                     self.workers(pool), "%d workers are ready" % n)

    # -- the log

    def read_log(self, since=0):
        with open(self.log, "rb") as f:
            f.seek(since)
            return f.read().decode(errors="replace")

    def log_mark(self):
        return os.path.getsize(self.log)

    def wait_log(self, regex, since=0, timeout=None):
        pattern = re.compile(regex, re.M)
        return until(lambda: pattern.search(self.read_log(since)),
                     "log line %r" % regex, timeout)

    def expect(self, *regexes):
        """Lines of level error or alert that match are no fault; those of a
        sanitizer only by a regex that speaks of a runtime error."""
        self.expected.extend(regexes)

    def tail(self, n=25):
        with contextlib.suppress(OSError):
            return "log of %s:\n%s" % (
                self.dir, "\n".join(self.read_log().splitlines()[-n:]))
        return ""

    def check_log(self):
        text = self.read_log()
        bad = [line for line in text.splitlines()
               if re.match(r"\S+ (error|alert) ", line)
               and not any(re.search(r, line) for r in self.expected)]
        unsound = [r for r in self.expected if "runtime error" in r]
        # LeakSanitizer's own tracer crashes now and then, and finds nothing.
        unsound += ["==%s==.*(encountered a fatal error|work under ptrace)" % pid
                    for pid in re.findall(
                        r"\[pid (\d+)\] Tracer caught signal", text)]
        bad += [line for line in text.splitlines()
                if ("Sanitizer" in line or "runtime error:" in line)
                and not any(re.search(r, line) for r in unsound)]
        assert not bad, "unexpected in the log:\n%s" % "\n".join(bad[:20])

    # -- the end

    def count_fds(self):
        """Descriptors of the master that are not a child's channel, pipe
        or slot of the scoreboard."""
        def look():
            born = children(self.pid)
            n = len(fds(self.pid)) - 3 * len(born)
            still = born == children(self.pid) and "Z" not in [
                (process_stat(p) or "Z")[0] for p in born]
            return n if still else None
        return until(look, "a moment without births and deaths")

    def check_leaks(self):
        until(lambda: self.count_fds() <= self.fds_before,
              "descriptors of the master: %d at the start, now %s" %
              (self.fds_before, fds(self.pid)))
        until(lambda: not zombies(self.pid), "zombies are reaped")

    def check_gone(self):
        until(lambda: not session(self.pid), "processes left: %s" %
              session(self.pid), 10)
        for path in [*self.sockets, self.top["pid_file"]]:
            assert not os.path.lexists(path), "left behind: " + path

    def stop(self, signo=signal.SIGTERM, code=0, timeout=None, leaks=True):
        """Stop it and assert that it leaves nothing behind."""
        try:
            equal(self.process.poll(), None, "exit code before the stop")
            if leaks and hasattr(self, "fds_before"):
                self.check_leaks()
            self.kill(signo)
            equal(self.wait_exit(timeout), code, "exit code")
            self.check_gone()
            self.check_log()
        except Exception:
            diag(self.tail())
            raise
        finally:
            self.destroy()

    def ended(self, code, timeout=None):
        """It leaves by itself, with that code."""
        equal(self.wait_exit(timeout), code, "exit code")
        self.check_gone()

    def destroy(self):
        if self in _live:
            _live.remove(self)
        if self.process is not None:
            for pid in session(self.pid):
                kill(pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
        if self.notify is not None:
            self.notify.close()
        if not os.environ.get("KEEP_SCRATCH"):
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self.start() if self.process is None else self

    def __exit__(self, kind, value, tb):
        if kind is None and self in _live:
            self.stop()
        elif self in _live:
            diag(self.tail())
            self.destroy()

    # -- requests

    def address(self, pool="www"):
        listen = self.pools[pool]["listen"]
        return listen if isinstance(listen, str) else listen[0]

    def connect(self, pool="www", **how):
        return Conn(self.address(pool), **how)

    def fetch(self, pool="www", **request):
        return fetch(self.address(pool), **request)

    def lua(self, text, pool="www", **request):
        """One request to eval.lua, which runs text."""
        return self.fetch(pool, lua=text, **request)

    def gate(self, name=None):
        return Gate(self, name)


class Gate:
    """Holds a request inside the application: `gate(PATH)` of eval.lua says
    that it is there and waits until open()."""

    count = 0

    def __init__(self, daemon, name=None):
        Gate.count += 1
        self.path = "%s/rw/%s" % (daemon.dir, name or "gate%d" % Gate.count)
        os.mkfifo(self.path)
        os.chmod(self.path, 0o666)
        self.lua = 'gate("%s"); ' % self.path

    def wait(self, timeout=None):
        until(lambda: os.path.exists(self.path + ".in"),
              "the application is at the gate", timeout)
        os.unlink(self.path + ".in")

    def is_held(self):
        return os.path.exists(self.path + ".in")

    def open_if_held(self):
        """Let who waits there pass; False if nobody does (yet)."""
        try:
            os.close(os.open(self.path, os.O_WRONLY | os.O_NONBLOCK))
            return True
        except OSError:  # ENXIO
            return False

    def open(self):
        until(self.open_if_held, "somebody waits at the gate")


# ---- addresses --------------------------------------------------------------


def speaks(address):
    """The protocol of an address: what it begins with ("fcgi:" is the tests'
    own), or that of this run."""
    kind = address.partition(":")[0]
    return kind if kind in BOTH else PROTOCOL


def where(address):
    """An address without its protocol."""
    return address[5:] if address.startswith(("http:", "fcgi:")) else address


def spelt(addresses):
    """An address, or a list of them, as `listen` and -l take it."""
    if not isinstance(addresses, str):
        return [spelt(a) for a in addresses]
    return ("http:" if speaks(addresses) == HTTP else "") + where(addresses)


# ---- FastCGI ----------------------------------------------------------------

BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, STDERR = 1, 2, 3, 4, 5, 6, 7
DATA, GET_VALUES, GET_VALUES_RESULT, UNKNOWN_TYPE = 8, 9, 10, 11
RESPONDER, AUTHORIZER, FILTER = 1, 2, 3
COMPLETE, CANT_MPX, OVERLOADED, UNKNOWN_ROLE = 0, 1, 2, 3


def as_bytes(value):
    return value if isinstance(value, bytes) else str(value).encode()


def record(kind, content=b"", id=1, padding=0, version=1):
    return struct.pack(">BBHHBx", version, kind, id, len(content),
                       padding) + content + b"\0" * padding


def pair(name, value):
    out = b""
    name, value = as_bytes(name), as_bytes(value)
    for n in (len(name), len(value)):
        out += bytes([n]) if n < 128 else struct.pack(">I", n | 1 << 31)
    return out + name + value


def pairs(items):
    return b"".join(pair(k, v) for k, v in items)


def unpair(data):
    out, at = [], 0
    while at < len(data):
        n = []
        for _ in range(2):
            if data[at] < 128:
                n.append(data[at])
                at += 1
            else:
                n.append(struct.unpack_from(">I", data, at)[0] & 0x7fffffff)
                at += 4
        out.append((data[at:at + n[0]].decode(),
                    data[at + n[0]:at + n[0] + n[1]].decode()))
        at += n[0] + n[1]
    return out


def begin(role=RESPONDER, keep=False, id=1):
    return record(BEGIN, struct.pack(">HB5x", role, keep), id)


def stream(kind, data, id=1, chunk=65535, padding=0, end=True):
    out = [record(kind, data[i:i + chunk], id, padding)
           for i in range(0, len(data), chunk)]
    return b"".join(out) + (record(kind, b"", id) if end else b"")


def default_params(method="GET", uri="/", body=None):
    path, _, query = uri.partition("?")
    return [("GATEWAY_INTERFACE", "CGI/1.1"), ("SERVER_PROTOCOL", "HTTP/1.1"),
            ("REQUEST_METHOD", method), ("REQUEST_URI", uri),
            ("SCRIPT_NAME", path), ("QUERY_STRING", query),
            ("CONTENT_LENGTH", "" if body is None else len(body)),
            ("REMOTE_ADDR", "127.0.0.1"), ("HTTP_HOST", "localhost")]


def head(method="GET", uri="/", lua=None, params=(), body=None, keep=False,
         id=1, protocol=PROTOCOL, chunked=False):
    """Everything before the body."""
    items = default_params(method, uri, body)
    given = params.items() if isinstance(params, dict) else params
    names = {k for k, _ in given}
    if protocol == HTTP:
        items = [(k, v) for k, v in items if k not in OF_THE_SERVER]
    items = [(k, v) for k, v in items if k not in names]
    items += [(k, v) for k, v in given if v is not None]
    if lua is not None:
        items.append(("LUA", lua))
    if protocol == HTTP:
        return http1.head([(k, as_bytes(v)) for k, v in items], keep, chunked)
    return begin(keep=keep, id=id) + stream(PARAMS, pairs(items), id)


OF_THE_SERVER = ("GATEWAY_INTERFACE", "REMOTE_ADDR")  # not said by a client


# Keys of a pool whose workers see a body as it comes, not when it is whole.
STREAMED = {"http": {"request_buffer": 0}} if PROTOCOL == HTTP else {}


def part(data, end=False, id=1, protocol=PROTOCOL, chunked=False):
    """Some bytes of the body, whose length head() was told, or chunked; end:
    the last ones."""
    if protocol == HTTP:
        return http1.part(data, end, chunked)
    return stream(STDIN, data, id, end=end)


def request(method=None, body=None, id=1, protocol=PROTOCOL, chunked=False,
            **rest):
    """A whole request as bytes."""
    body = None if body is None else as_bytes(body)
    method = method or ("GET" if body is None else "POST")
    return head(method, body=body, id=id, protocol=protocol, chunked=chunked,
                **rest) + part(body or b"", True, id, protocol, chunked)


class Response:
    """One response: out, errors, app_status, protocol_status, and the CGI head
    in it."""

    def __init__(self):
        self.out = b""
        self.errors = b""
        self.app_status = None  # None: there was no END_REQUEST
        self.protocol_status = None
        self.cut = False  # the server said so

    @property
    def complete(self):
        return self.app_status is not None

    @property
    def head(self):
        return self.out.partition(b"\r\n\r\n")[0]

    @property
    def body(self):
        return self.out.partition(b"\r\n\r\n")[2]

    @property
    def headers(self):
        lines = self.head.decode("latin-1").split("\r\n")
        return [tuple(line.split(": ", 1)) for line in lines if line]

    def header(self, name):
        """Every value of a header."""
        return [h[1] for h in self.headers if h[0].lower() == name.lower()]

    @property
    def status_line(self):
        return (self.header("Status") or [None])[0]

    @property
    def status(self):
        return int(self.status_line.split()[0]) if self.status_line else None

    def __repr__(self):
        return "<Response out=%r errors=%r app_status=%r>" % (
            self.out[:300], self.errors[:300], self.app_status)


def parse_address(address):
    address = where(address)
    if address.startswith("/"):
        return socket.AF_UNIX, address
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return family, (host if host != "*" else "127.0.0.1", int(port))


class HttpResponse(Response):
    """One HTTP response as if it were of FastCGI: `out` is its head and its
    body, which is in no chunks any more.  It is complete, with the application
    status 0, if the end of the body was seen, and cut if it has begun and that
    was not seen."""

    @property
    def headers(self):
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return [tuple(x.strip() for x in line.split(":", 1))
                for line in lines if line]

    @property
    def status_line(self):
        return self.head.partition(b"\r\n")[0].decode("latin-1")[9:] or None


class Conn:
    """A connection to a server, of FastCGI or HTTP as the address says."""

    def __new__(cls, address=None, *_, **__):
        if cls is Conn:
            cls = CONNS[speaks(address)]
        return super().__new__(cls)

    def __init__(self, address, timeout=None, options=(), source=None):
        """options: (level, name, value), set before it connects; source: an
        address of the client's own."""
        family, where = parse_address(address)
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            # Blocking, so that a full queue makes us wait (unix(7): EAGAIN).
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO,
                            struct.pack("ll", timeout or PATIENCE, 0))
            for option in options:
                sock.setsockopt(*option)
            if source:
                sock.bind((source, 0))
            sock.connect(where)
        except Exception:
            sock.close()
            raise
        self.adopt(sock, timeout)

    def adopt(self, sock, timeout=None):
        """Speak over a socket that is connected."""
        sock.settimeout(timeout or PATIENCE)
        self.sock = sock

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def reset(self):
        """Close so that the other side gets a reset (TCP)."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def ask(self, method=None, body=None, id=1, **q):
        """One request and its response."""
        self.send(request(method, body, id, protocol=self.protocol, **q))
        return self.response(id, head_only=method == "HEAD")

    def eof(self):
        """Wait for the other side to close; True if nothing came before."""
        try:
            return not self.buffer and self.sock.recv(1) == b""
        except ConnectionResetError:
            return True


class FcgiConn(Conn):
    protocol = FCGI
    closes = False  # no response says so

    def adopt(self, *given):
        super().adopt(*given)
        self.buffer = b""

    def _need(self, n):
        while len(self.buffer) < n:
            data = self.sock.recv(65536)
            if not data:
                return False
            self.buffer += data
        return True

    def record(self):
        """(type, id, content), or None at the end of the stream."""
        if not self._need(8):
            assert not self.buffer, "cut off within a record's header"
            return None
        version, kind, id, content, padding = struct.unpack_from(
            ">BBHHB", self.buffer)
        equal(version, 1, "version")
        assert self._need(8 + content + padding), "cut off within a record"
        data = self.buffer[8:8 + content]
        self.buffer = self.buffer[8 + content + padding:]
        return kind, id, data

    def piece(self):
        """The next bytes of STDOUT."""
        kind, _, data = self.record()
        equal(kind, STDOUT, "type of the next record")
        return data

    def response(self, id=1, into=None, head_only=False):
        """Read one response; `complete` says whether END_REQUEST came."""
        r = into or Response()
        while True:
            try:
                got = self.record()
            except ConnectionResetError:
                return r
            if got is None:
                return r
            kind, got_id, data = got
            equal(got_id, id, "request id")
            assert not r.cut, "a record of type %d behind the cut" % kind
            if kind == STDOUT:
                r.out += data
            elif kind == STDERR:
                r.errors += data
            elif kind == END:
                r.app_status, r.protocol_status = struct.unpack(">IB3x", data)
                return r
            elif kind == ABORT:
                r.cut = True
            else:
                raise AssertionError("record of type %d" % kind)


class HttpConn(Conn):
    protocol = HTTP

    def adopt(self, *given):
        super().adopt(*given)
        self.reader = http1.Reader(lambda: self.sock.recv(65536))
        self.begun = False  # the head of a response has been read

    @property
    def buffer(self):
        return self.reader.buffer

    @property
    def closes(self):
        """The response said that it was the last one."""
        return self.reader.closes

    def piece(self, head_only=False):
        """The next bytes of the response, the head with the first; b"" at its
        end, None if the server closes before."""
        got = b""
        if not self.begun:
            got = self.reader.head(head_only)
            if got is None:
                return None
            self.begun = True
            if not self.reader.left or not self.buffer:
                return got
        data = self.reader.piece()
        return got + data if data is not None else got or None

    def response(self, id=1, into=None, head_only=False):
        """Read one response, or the rest of it; `complete` says whether its
        end was seen."""
        r = into or HttpResponse()
        try:
            if not self.begun:
                head = self.reader.head(head_only)
                if head is None:
                    return r
                r.out += head
                self.begun = True
            r.cut = True  # until the end is seen
            while (data := self.reader.piece()):
                r.out += data
        except ConnectionResetError:
            return r
        if data is not None:
            r.cut, r.app_status, r.protocol_status = False, 0, COMPLETE
            self.begun = False
        return r


CONNS = {FCGI: FcgiConn, HTTP: HttpConn}


def fetch(address, timeout=None, **q):
    """One request over a connection of its own."""
    with Conn(address, timeout) as c:
        try:
            c.send(request(protocol=c.protocol, **q))
        except (BrokenPipeError, ConnectionResetError):
            pass  # it may have answered without reading everything
        return c.response(q.get("id", 1), head_only=q.get("method") == "HEAD")


class Background(threading.Thread):
    """Call fn in a thread; result() gives what it returned or raises."""

    def __init__(self, fn, *args, **kw):
        super().__init__(daemon=True)
        self.call = lambda: fn(*args, **kw)
        self.error = self.value = None
        self.start()

    def run(self):
        try:
            self.value = self.call()
        except Exception as e:
            self.error = e

    def result(self, timeout=None):
        self.join(timeout or PATIENCE)
        assert not self.is_alive(), "it does not end"
        if self.error is not None:
            raise self.error
        return self.value


# An application for ask_many().
ANSWERS = """return {
    accept = function(env) return {}, "hello " .. env.QUERY_STRING end,
    restart = function() end,
}
"""


def ask_many(address, n, keep, clients=8):
    """The command that asks for so much over so many connections at once, and
    says in JSON how much was answered and how much failed."""
    if speaks(address) == HTTP:
        return [sys.executable, "-B", HERE + "/http_load.py", where(address),
                str(n), str(clients), "kept" if keep else "fresh"]
    return [LUA_FCGI, "-j", "-n", str(n), "-c", str(clients),
            *(["-k"] if keep else []), where(address), "/"]


class Load:
    """Clients that send requests one after the other until stop(); a failure
    is whatever is not a whole response that check() accepts.  A connection
    that is kept and closed while nothing was asked is none."""

    def __init__(self, address, clients=4, keep=False, check=None, **q):
        self.address, self.keep, self.q = address, keep, q
        self.check = check or (lambda r: r.status == 200)
        self.bytes = request(keep=keep, protocol=speaks(address), **q)
        self.done = 0
        self.failures = []
        self.ending = False
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._client, daemon=True)
                        for _ in range(clients)]
        for t in self.threads:
            t.start()

    def _note(self, failure):
        with self.lock:
            self.done += 1
            if failure:
                self.failures.append(failure)

    def _client(self):
        conn = None
        while not self.ending:
            try:
                if conn is None:
                    conn = Conn(self.address)
                conn.send(self.bytes)
                r = conn.response()
                self._note(None if r.complete and r.app_status == 0 and
                           self.check(r) else repr(r))
            except Exception as e:
                self._note(repr(e))
                conn = None
                continue
            if not self.keep or not r.complete or conn.closes:
                conn.close()
                conn = None
        if conn is not None:
            conn.close()

    def more(self, n, timeout=None):
        """Wait for n more requests to be done."""
        goal = self.done + n
        until(lambda: self.done >= goal, "%d more requests" % n, timeout)

    def stop(self):
        self.ending = True
        for t in self.threads:
            t.join(PATIENCE)
        return self.done, self.failures


def tool(*args, timeout=None, program=LUA_FPM, **how):
    """Run a program to its end: (code, stdout, stderr)."""
    done = subprocess.run([program, *args], capture_output=True, text=True,
                          timeout=timeout or PATIENCE, **how)
    return done.returncode, done.stdout, done.stderr


# ---- web servers ------------------------------------------------------------


class Server:
    """A web server of the system, in a scratch directory of its own if none is
    given."""

    host = "127.0.0.1"

    def __init__(self, dir=None):
        self.dir, self.own_dir = dir or scratch(), dir is None
        self.port = free_port()
        self.process = None

    @property
    def address(self):
        return "%s:%d" % (self.host, self.port)

    def file(self, name, text):
        """Write one in its directory: its path."""
        write(os.path.join(self.dir, name), text)
        return os.path.join(self.dir, name)

    def launch(self, args, **how):
        with open(self.dir + "/server.log", "ab") as log:
            self.process = subprocess.Popen(
                args, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, **how)
        _live.append(self)

        def answers():
            equal(self.process.poll(), None, "web server: " + self.tail())
            with contextlib.suppress(OSError):
                socket.create_connection((self.host, self.port)).close()
                return True
        until(answers, "the web server listens")
        return self

    def tail(self):
        text = ""
        for name in ("server.log", "error.log"):
            with contextlib.suppress(OSError):
                with open(os.path.join(self.dir, name)) as f:
                    text += "%s:\n%s" % (name, "".join(f.readlines()[-15:]))
        return text

    def stop(self):
        if self in _live:
            self.process.send_signal(self.stop_signal)
            code = self.process.wait(PATIENCE)
            until(lambda: not session(self.process.pid),
                  "the web server leaves no process")
            self.destroy()
            equal(code, 0, "the web server's exit code")

    def forget(self):
        """Nothing of it is left to be stopped."""
        if self in _live:
            _live.remove(self)

    def destroy(self):
        self.forget()
        if self.process is not None:
            for pid in session(self.process.pid):
                kill(pid, signal.SIGKILL)
            self.process.wait()
        if self.own_dir and not os.environ.get("KEEP_SCRATCH"):
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Nginx(Server):
    """nginx in front of a pool's address, or those of several; keep:
    connections, True for some; location: more directives there; server: more
    locations."""

    stop_signal = signal.SIGQUIT

    def __init__(self, address, keep=False, location="", dir=None, server=""):
        super().__init__(dir)
        addresses = [address] if isinstance(address, str) else address
        servers = ["server %s%s max_fails=0;" % (
            "" if ":" in a else "unix:", a) for a in map(where, addresses)]
        if speaks(addresses[0]) == HTTP:
            passes = "proxy_pass http://fpm; proxy_set_header Host $http_host;"
            keeps = 'proxy_http_version 1.1; proxy_set_header Connection "";'
        else:
            passes = "include /etc/nginx/fastcgi_params; fastcgi_pass fpm;"
            keeps = "fastcgi_keep_conn on;"
        temp = "".join("%s_temp_path %s/%s;\n" % (k, self.dir, k) for k in (
            "client_body", "fastcgi", "proxy", "scgi", "uwsgi"))
        with open(self.dir + "/nginx.conf", "w") as f:
            f.write("""
%(user)s worker_processes 1; daemon off; pid %(dir)s/nginx.pid;
error_log %(dir)s/error.log; worker_rlimit_nofile 2048;
events { worker_connections 1024; }
http {
    access_log off; %(temp)s
    upstream fpm { %(servers)s %(pool)s }
    server {
        listen 127.0.0.1:%(port)d;
        client_max_body_size 64m;
        location / {
            %(passes)s
            %(keep)s
            %(location)s
        }
        %(server)s
    }
}
""" % {"user": "user %s;" % pool_user() if ROOT else "", "dir": self.dir,
                "temp": temp, "servers": " ".join(servers), "port": self.port,
                "pool": "keepalive %d;" % (8 if keep is True else keep)
                if keep else "",
                "passes": passes, "keep": keeps if keep else "",
                "location": location, "server": server})
        self.launch([shutil.which("nginx") or "/usr/sbin/nginx", "-p",
                     self.dir, "-c", self.dir + "/nginx.conf",
                     "-e", self.dir + "/error.log"])


def http(port, method="GET", path="/", body=None, headers=None, lua=None,
         timeout=None, host="127.0.0.1"):
    """One HTTP request: (status, headers, body)."""
    import http.client
    c = http.client.HTTPConnection(host, port,
                                   timeout=timeout or PATIENCE)
    try:
        given = dict(headers or {})
        if lua is not None:
            given["X-Lua"] = lua
        c.request(method, path, body, given,
                  encode_chunked="Transfer-Encoding" in given)
        r = c.getresponse()
        return r.status, r.headers, r.read()
    finally:
        c.close()


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


def file_mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)

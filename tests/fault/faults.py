"""What the tests of failing machines share: orders to fault.so, processor
time, and what has to hold during and after any fault."""

import errno
import mmap
import os
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

LIBRARY = os.path.join(BUILD, "tests", "fault", "fault.so")
CALLS = ("fork", "accept4", "alloc", "mmap", "memfd_create", "socketpair",
         "pipe2", "socket", "open", "epoll_ctl", "pthread_create", "write",
         "send", "sendmsg", "ppoll", "clock")
FIELDS = ("error", "who", "fd", "skip", "left", "seen", "failed")
ALL, MASTER, WORKERS = 0, 1, 2  # else: a pid
SIZE = 8 * len(FIELDS)
HELLO = "return { accept = function() return {}, 'hello' end }"


class Faults:
    """Orders to the processes that were started with env()."""

    def __init__(self):
        fd, self.path = tempfile.mkstemp(prefix="lua-fpm-fault-", dir="/tmp")
        os.chmod(self.path, 0o666)
        os.truncate(fd, SIZE * len(CALLS))
        self.map = mmap.mmap(fd, SIZE * len(CALLS))
        os.close(fd)
        atexit.register(self.remove)

    def remove(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)

    def env(self):
        """For a sanitizer, which wants to be the first library, too."""
        return {"LD_PRELOAD": LIBRARY, "LD_FAULT_FILE": self.path,
                "ASAN_OPTIONS": ":".join(filter(None, (
                    os.environ.get("ASAN_OPTIONS"),
                    "verify_asan_link_order=0")))}

    def _at(self, call, field):
        return CALLS.index(call) * SIZE + 8 * FIELDS.index(field)

    def get(self, call, field):
        return struct.unpack_from("q", self.map, self._at(call, field))[0]

    def _set(self, call, field, value):
        struct.pack_into("q", self.map, self._at(call, field), value)

    def fail(self, call, error, who=ALL, times=-1, skip=0, fd=-1):
        self.end(call)
        for field, value in (("who", who), ("fd", fd), ("skip", skip),
                             ("left", times), ("seen", 0), ("failed", 0),
                             ("error", error)):
            self._set(call, field, value)

    def end(self, call):
        self._set(call, "error", 0)

    def wait(self, call, n=1, timeout=None):
        """Until n calls have failed since the order was given."""
        until(lambda: self.get(call, "failed") >= n, "%d failures of %s" %
              (n, call), timeout)


def preloaded(faults, app=HELLO, **how):
    """A daemon that obeys them."""
    return Daemon(app=app, **how).start(env=faults.env())


def cpu(pids):
    """Seconds of processor time."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            with open("/proc/%d/schedstat" % pid) as f:
                total += int(f.read().split()[0]) / 1e9
    return total


class Quiet:
    """The processes of a daemon spend next to no processor time meanwhile:
    at most a tenth of what passes, and what a few events cost."""

    def __init__(self, d, extra=0.15):
        self.d, self.extra = d, extra * (5 if SANITIZED else 1)

    def __enter__(self):
        self.pids = [self.d.pid, *self.d.workers()]
        self.used, self.since = cpu(self.pids), time.monotonic()

    def __exit__(self, kind, *_):
        passed = time.monotonic() - self.since
        used = cpu(self.pids) - self.used
        if kind is None:
            assert used < passed / 10 + self.extra, \
                "%.3f s of processor time in %.3f s" % (used, passed)


def count(d, regex, since=0):
    return len(re.findall(regex, d.read_log(since), re.M))


def serves(d, n=5, pool="www"):
    for _ in range(n):
        equal(d.fetch(pool).body, b"hello")

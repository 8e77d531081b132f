#!/usr/bin/env python3
"""Allocations fail, the n-th for every n: it either works or is a clear error
with the right exit code, never a crash and never a hang.  FULL in the
environment: no n is left out, which takes minutes."""

from faults import *

Daemon.program = QUICK  # which forks again sooner
FULL = "FULL" in os.environ
ONE = {"mode": "static", "max": 1}
APP = """
local app = {}
function app.start() return 0 end
function app.accept(env)
    local body = env.input:read("a") or ""
    local parts = {}
    for i = 1, 20 do parts[i] = tostring(i) .. env.REQUEST_URI end
    return { ["Content-Type"] = "text/plain", ["Set-Cookie"] = parts,
        Status = 200 }, { "hello", body, table.concat(parts) }
end
function app.restart() end
return app
"""


def numbers(most, dense=100, about=100):
    """1, 2, 3 .. most; without FULL ever fewer of them."""
    if FULL or most <= dense:
        return list(range(1, most + 1))
    rest = random.sample(range(dense + 1, most + 1),
                         min(about, most - dense))
    return [*range(1, dense + 1), *sorted(rest)]


def libc_ended(code, words):
    """The C library ends a process whose thread-local data, that of a name
    service module, has no room; nothing of the program runs after it."""
    return code == 127 and "thread-local data" in words


def counted(faults, fn, who=ALL):
    """How many allocations fn makes."""
    faults.fail("alloc", errno.ENOMEM, who, times=0)
    fn()
    n = faults.get("alloc", "seen")
    faults.end("alloc")
    assert n > 0
    return n


@test
def check():
    """-t"""
    faults = Faults()
    d = Daemon(app=APP, workers=ONE, shared={"d": "4K"})
    d.write_conf()
    env = {**os.environ, **faults.env()}
    if not SANITIZED:
        env["MALLOC_PERTURB_"] = "165"

    def run_it():
        return tool("-t", "-c", d.file, env=env)

    most = counted(faults, lambda: equal(run_it()[0], 0))
    codes = {}
    for n in numbers(most):
        faults.fail("alloc", errno.ENOMEM, skip=n - 1, times=1)
        code, out, err = run_it()
        assert code in (0, 70, 71, 78) or libc_ended(code, err), \
            "allocation %d: %s %s" % (n, code, err)
        assert code == 0 or err.strip(), "allocation %d: %d without a word" \
            % (n, code)
        codes[code] = codes.get(code, 0) + 1
    diag("%d allocations; exit codes %s" % (most, codes))


@test
def start():
    """start of the master, and a stop"""
    faults = Faults()
    d = Daemon(app=APP, workers=ONE, shared={"d": "4K"})
    d.write_conf()

    def begin():
        d.spawn(env=faults.env())
        until(lambda: d.process.poll() is not None or
              "READY=1" in told(d), "it is up or gone")
        return d.process.poll()

    def end():
        d.kill(signal.SIGTERM)
        equal(d.wait_exit(), 0)

    most = counted(faults, lambda: (equal(begin(), None), end()), MASTER)
    codes = {}
    for n in numbers(most, 60, 40):
        mark = d.log_mark()
        faults.fail("alloc", errno.ENOMEM, MASTER, skip=n - 1, times=1)
        code = begin()
        codes[code] = codes.get(code, 0) + 1
        if code is None:
            until(lambda: d.fetch().status == 200)
            end()
        else:
            said = d.read_log(mark).strip()
            assert said, "allocation %d: no word" % n
            if libc_ended(code, said):
                for path in [*d.sockets, d.top["pid_file"]]:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(path)
            else:
                assert code in (70, 71, 78), "allocation %d: %s" % (n, code)
        d.check_gone()
    diag("%d allocations; exit codes %s" % (most, codes))
    d.destroy()


def told(d):
    with contextlib.suppress(BlockingIOError):
        d.notify.settimeout(0)
        while True:
            d.notes += d.notify.recv(4096).decode() + "\n"
    return d.notes


@test
def worker_start():
    """start of a worker: one that fails is followed by one that does not"""
    faults = Faults()
    with preloaded(faults, app=APP, workers=ONE) as d:
        d.expect(".")

        def another():
            old = d.wait_workers(1)[0]
            mark = d.log_mark()
            kill(old, signal.SIGKILL)
            return until(lambda: d.workers() not in ([], [old]) and
                         d.fetch().status == 200 and d.workers()[0])

        most = counted(faults, another, WORKERS)
        mark = d.log_mark()
        # each costs a wait of up to a tenth of a second
        for n in range(1, most) if FULL else \
                sorted(random.sample(range(1, most), 40)):
            faults.fail("alloc", errno.ENOMEM, WORKERS, skip=n - 1, times=1)
            another()
            faults.end("alloc")
        equal(re.findall("signal (?!9 )[0-9]+.*", d.read_log(mark)), [])
        diag("%d allocations" % most)


@test
def reload():
    """a reload: done or refused, and the pool goes on serving"""
    faults = Faults()
    with preloaded(faults, app=APP, workers=ONE, shared={"d": "4K"}) as d:
        d.expect(".")

        def change(i):
            d.set_pool("www", workers=ONE, environment={"N": str(i)},
                       shared={"d": "4K"})
            d.write_conf()
            d.reload()

        most = counted(faults, lambda: change(0), MASTER)
        mark = d.log_mark()
        for n in numbers(most, 50, 30):
            faults.fail("alloc", errno.ENOMEM, MASTER, skip=n - 1, times=1)
            change(n)
            faults.end("alloc")
            equal(d.fetch().status, 200)
        equal(d.process.poll(), None)
        equal(re.findall("signal (?!9 )[0-9]+.*", d.read_log(mark)), [])
        d.reload()
        d.wait_workers(1)
        diag("%d allocations" % most)


@test
def request_():
    """a request: an answer, an error or a closed connection, and the next
    one is served"""
    faults = Faults()
    with preloaded(faults, app=APP, workers=ONE) as d:
        d.expect(".")
        ask = dict(body=b"x" * 20000, uri="/path?query")

        def good():
            r = d.fetch(**ask)
            equal(r.status, 200)
            equal(r.body[:6], b"hellox")

        good()
        most = counted(faults, good, WORKERS)
        mark, seen = d.log_mark(), {}
        for n in numbers(most + 50, 300, 100):
            faults.fail("alloc", errno.ENOMEM, WORKERS, skip=n - 1, times=1)
            r = d.fetch(**ask)
            faults.end("alloc")
            assert r.status in (None, 200, 500), (n, r)
            seen[r.status] = seen.get(r.status, 0) + 1
            good()
        equal(re.findall("killed by .*", d.read_log(mark)), [])
        diag("%d allocations; %s" % (most, seen))


@test
def popen():
    """io.popen: a handle or an error, and no process that nobody waits for"""
    faults = Faults()
    app = """return { accept = function(env)
        local f, why = io.popen("exit 3", env.REQUEST_URI:sub(2))
        return {}, f and tostring(select(3, f:close())) or why
    end }"""
    with preloaded(faults, app=app, workers=ONE) as d:
        d.expect("not enough memory")
        worker, seen = d.wait_workers(1)[0], {}
        equal(d.fetch(uri="/r").body, b"3")
        for mode in ("/r", "/w"):
            most = counted(faults, lambda: d.fetch(uri=mode), WORKERS)
            for n in numbers(most):
                faults.fail("alloc", errno.ENOMEM, WORKERS, skip=n - 1,
                            times=1)
                body = d.fetch(uri=mode).body
                faults.end("alloc")
                seen[body] = seen.get(body, 0) + 1
        until(lambda: not children(worker), "they have ended")
        equal(zombies(worker), [])
        equal(d.workers(), [worker])
        assert len(seen) > 1, seen
        diag(seen)


@test
def exhausted():
    """no memory for anything, in every process, for a while"""
    faults = Faults()
    with preloaded(faults, app=APP, workers=ONE) as d:
        d.expect(".")
        faults.fail("alloc", errno.ENOMEM)
        clients = [Background(d.fetch, body=b"x" * 20000) for _ in range(5)]
        with Quiet(d):
            for c in clients:
                assert c.result().status in (None, 200, 500)
            d.kill(signal.SIGHUP)
            lasts(0.5)
        faults.end("alloc")
        until(lambda: d.fetch().status == 200)
        d.reload()
        equal(d.fetch().status, 200)
        equal(re.findall("killed by .*", d.read_log()), [])


def address_space():
    """a real limit of memory (RLIMIT_AS): a request that exceeds it gets a
    500, the worker lives and serves the next"""
    app = """return { accept = function(env)
        if env.REQUEST_URI == "/" then return {}, "hello" end
        return {}, ("x"):rep(100 << 20)
    end }"""
    with Daemon(app=app, workers=ONE) as d:
        d.expect("not enough memory")
        worker = d.wait_workers(1)[0]
        with open("/proc/%d/statm" % worker) as f:
            size = int(f.read().split()[0]) * os.sysconf("SC_PAGESIZE")
        become = ("setpriv", "--reuid", pool_user(), "--regid", pool_group(),
                  "--clear-groups") if ROOT else ()
        equal(tool(*become, "prlimit", "--pid", str(worker), "--as=%d:" %
                   (size + (16 << 20)), program="/usr/bin/env")[0], 0)
        for _ in range(5):
            equal(d.fetch(uri="/much").status, 500)
            serves(d)
        equal(d.workers(), [worker])


if not SANITIZED:  # which reserves more than any limit
    test(address_space)


run(600 if FULL else 150)

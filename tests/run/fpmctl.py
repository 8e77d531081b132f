#!/usr/bin/env python3
"""lua-fpmctl as an administrator and a script use it."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *
from control_client import *

ONE = {"mode": "static", "max": 1}
TWO = {"mode": "static", "max": 2}
NASTY = "/\x1b]0;owned\x07\x1b[2J\x00\xff<&\"'\\%s%n"


def ctl(d, *words, **how):
    """(exit code, stdout, stderr) of lua-fpmctl for this daemon."""
    return tool("-s", getattr(d, "control", None) or d.path, *words,
                program=LUA_FPMCTL, **how)


# ---- finding the daemon -------------------------------------------------------


@test
def socket_from_configuration():
    """-c finds the socket in the configuration, full of faults or not"""
    with controlled() as d:
        def ping():
            return tool("-c", d.file, "ping", program=LUA_FPMCTL)
        code, out, err = ping()
        equal((code, err), (0, ""))
        matches("^lua-fpm .*pid %d, running\n$" % d.pid, out)
        text = d.configuration()
        for fault in ("nonsense = 1;\n", "pools: {\n", "\"\n"):
            d.write_conf(text + fault)
            equal(ping()[0], 0, fault)
        d.write_conf("error_log = \"stderr\";\n")
        code, out, err = ping()
        equal((code, out), (69, ""))
        matches("no control socket found in %s" % d.file, err)


@test
def unreachable():
    """no daemon: exit code 69 and where it was looked for"""
    dir = scratch()
    try:
        code, out, err = tool("-s", dir + "/none.sock", "ping",
                              program=LUA_FPMCTL)
        equal((code, out), (69, ""))
        equal(err, "lua-fpmctl: cannot reach lua-fpm at %s/none.sock: "
              "No such file or directory\n" % dir)
        code, out, err = tool("-c", dir + "/none.conf", "ping",
                              program=LUA_FPMCTL)
        equal(code, 69)
        matches("none.conf", err)
        code, _, err = tool("-s", dir + "/" + "x" * 200, "ping",
                            program=LUA_FPMCTL)
        equal(code, 69)
        matches("too long", err)
    finally:
        shutil.rmtree(dir)


@test
def no_answer():
    """a daemon that goes away without an answer, or talks nonsense: 69"""
    for said in (b"", b"o", b"what?\n"):
        with Fake(said) as f:
            code, out, err = ctl(f, "reload")
            equal((code, out), (69, ""), said)
            matches("went away without an answer", err)
    for said in (b"ok\n", b"ok\nnonsense", b"ok\n" + b"[" * 100000):
        with Fake(said) as f:
            code, out, err = ctl(f, "status")
            equal((code, out), (69, ""), said)
            matches("no JSON", err)
    with Fake(b"failed\nnot now\n") as f:
        equal(ctl(f, "workers"), (69, "", "lua-fpmctl: not now\n"))


@test
def usage():
    """wrong use: 64 and the usage; -h and -V"""
    for words in ((), ("nonsense",), ("ping", "x"), ("scale", "www"),
                  ("scale", "www", "1", "2"), ("drain",), ("-x",), ("-s",),
                  ("status", "a", "b"), ("ping", "--json"), ("ping", ""),
                  ("-c", "a", "-s", "b", "ping"), ("drain", "a\nstop"),
                  ("drain", "a stop"), ("drain", "x" * 500)):
        code, out, err = tool(*words, program=LUA_FPMCTL)
        equal((code, out), (64, ""), words)
        assert err, words
    for regex, *words in (("there is no command non", "nonsense"),
                          ("scale takes POOL N$", "scale", "www"),
                          ("ping takes no arguments$", "ping", "--json"),
                          ("-c and -s exclude", "-c", "a", "-s", "b", "ping")):
        matches("^lua-fpmctl: " + regex, tool(*words, program=LUA_FPMCTL)[2])
    code, out, err = tool("-h", program=LUA_FPMCTL)
    equal((code, err), (0, ""))
    for command in tool("commands", program=LUA_FPMCTL)[1].split():
        matches(r"(?m)^  %s " % command, out)
    matches(r"^lua-fpmctl \d", tool("-V", program=LUA_FPMCTL)[1])
    code, out, err = tool("-c", os.devnull, "commands", program=LUA_FPMCTL)
    equal(code, 69)


# ---- commands -----------------------------------------------------------------


@test
def reload():
    """reload: 0 and the outcome, or 1 and every reason"""
    with controlled(workers=ONE) as d:
        equal(ctl(d, "reload"), (0, "reloaded: 1 of 1 pools serve\n", ""))
        d.expect("reload refused", "nonsense")
        d.write_conf(d.configuration() + "nonsense = 1;\nlog_level = 5;\n")
        code, out, err = ctl(d, "reload")
        equal((code, out), (1, ""))
        lines = err.splitlines()
        equal(lines[0], "lua-fpmctl: reload: failed")
        matches("^%s:\\d+: nonsense: unknown key$" % d.file, lines[1])
        matches("^%s:\\d+: log_level: " % d.file, lines[2])
        d.expect(re.escape(lines[2]))


@test
def pool_commands():
    """scale, drain, resume and what is wrong with them"""
    with controlled(workers=TWO) as d:
        equal(ctl(d, "scale", "www", "3"), (0, "pool www: 3 workers\n", ""))
        d.wait_workers(3)
        code, out, err = ctl(d, "scale", "www", "9")
        equal((code, out), (1, ""))
        matches("scale www 9: failed\n.*from 1 to 3", err)
        equal(ctl(d, "drain", "www"), (0, "pool www: out of service\n", ""))
        equal(ctl(d, "resume", "www"), (0, "pool www: in service\n", ""))
        code, out, err = ctl(d, "drain", "nope")
        equal((code, out), (1, ""))
        matches("there is no pool nope", err)


@test
def stop():
    """stop waits until the daemon is gone"""
    with controlled() as d:
        equal(ctl(d, "stop"), (0, "stopped\n", ""))
        d.ended(0)
        d.check_log()
        equal(ctl(d, "ping")[0], 69)
        d.destroy()


# ---- what it shows ------------------------------------------------------------


@test
def status_of_a_daemon():
    """status and workers show what goes on, as tables and as JSON"""
    with controlled(pools={"www": {"workers": TWO}, "b": {"workers": ONE}}) \
            as d:
        until(lambda: sum(p["idle processes"] for p in json.loads(
            ctl(d, "status", "--json")[1])["pools"]) == 3, "all are idle")
        for _ in range(3):
            equal(d.fetch(uri="/once").status, 200)
        gate = d.gate()
        busy = Background(d.lua, gate.lua + "return text('x')",
                          uri="/busy?q=1")
        gate.wait()
        code, out, err = ctl(d, "status")
        equal((code, err), (0, ""))
        matches(r"^lua-fpm \S+  pid %d  running  up \d+\S+  2 pools  1/3 "
                r"workers busy\n" % d.pid, out)
        matches(r"(?m)^www +serving +1 +1 +0 +3 ", out)
        matches(r"(?m)^b +serving +0 +1 +0 +0 ", out)
        code, out, err = ctl(d, "workers", "www")
        equal((code, err), (0, ""))
        lines = out.splitlines()
        equal(len(lines), 3)
        matches(r"^POOL +PID +STATE +TIME +REQS +HEAP +RSS +REQUEST$",
                lines[0])
        matches(r"^www +\d+ +Running +\S+ +\d+ +\S+ +\S+ +GET /busy\?q=1$",
                lines[1])
        matches(r"^www +\d+ +Idle ", lines[2])
        equal({int(line.split()[1]) for line in lines[1:]},
              set(d.workers("www")))
        code, out, err = ctl(d, "status", "--json")
        equal((code, err), (0, ""))
        told = json.loads(out)
        equal(told["pid"], d.pid)
        equal(told["state"], "running")
        assert abs(told["start time"] - time.time()) < 100
        equal([p["pool"] for p in told["pools"]], ["www", "b"])
        equal([len(p["processes"]) for p in told["pools"]], [2, 1])
        equal(told["pools"][0]["active processes"], 1)
        one = json.loads(ctl(d, "status", "b", "--json")[1])
        equal([p["pool"] for p in one["pools"]], ["b"])
        equal(json.loads(ctl(d, "workers", "--json", "b")[1])["pools"][0]
              ["pool"], "b")
        for words in (("status", "nope"), ("workers", "nope"),
                      ("status", "nope", "--json"), ("top", "nope")):
            code, out, err = ctl(d, *words)
            equal((code, out), (1, ""), words)
            matches("there is no pool nope", err)
        equal(ctl(d, "pools"), (0, "www\nb\n", ""))
        gate.open()
        busy.result()


@test
def failed_pools():
    """a pool that cannot be opened at the start keeps no other down; status
    tells, and the next reload brings it"""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = "127.0.0.1:%d" % taken.getsockname()[1]
        d = controlled(pools={
            "www": {"workers": ONE},
            "port": {"workers": ONE, "listen": port},
            "socket": {"workers": ONE}, "log": {"workers": ONE}})
        d.set_pool("log", workers=ONE, logs={"access": d.dir + "/logs/a"})
        os.mkdir(d.address("socket"))
        d.expect("is left out")
        d.start()
    opened = r"pool %s: is left out until the next reload: .*%s"
    log = d.read_log()
    matches(opened % ("port", "Address already in use"), log)
    matches(opened % ("socket", "is not a socket"), log)
    matches(opened % ("log", "logs/a: No such file"), log)
    matches("ready: 1 of 4 pools serve", log)
    equal(d.fetch().status, 200)
    for name in ("port", "socket", "log"):
        matches(r"(?m)^%s +failed " % name, ctl(d, "status")[1])
        equal(ctl(d, "scale", name, "2")[0], 1)
        matches("could not be opened", ctl(d, "resume", name)[2])
    os.rmdir(d.address("socket"))
    os.mkdir(d.dir + "/logs")
    d.write_conf()
    equal(ctl(d, "reload"), (0, "reloaded: 4 of 4 pools serve\n", ""))
    for name in d.pools:
        matches(r"(?m)^%s +serving " % name, ctl(d, "status")[1])
        equal(d.fetch(name).status, 200)
    d.stop(leaks=False)  # it has three pools more than at the start


@test
def states_of_a_pool():
    """status tells what state a pool is in"""
    with controlled(pools={"www": {"workers": ONE}, "b": {"workers": ONE}}) \
            as d:
        def state(name):
            return next((p["state"] for p in json.loads(
                ctl(d, "status", "--json")[1])["pools"]
                if p["pool"] == name), None)
        gate = d.gate()
        busy = Background(d.lua, gate.lua + "return text('x')")
        gate.wait()
        drain = Background(ctl, d, "drain", "www")
        until(lambda: state("www") == "draining", "it drains")
        gate.open()
        busy.result()
        equal(drain.result()[0], 0)
        equal(state("www"), "drained")
        matches(r"(?m)^www +drained ", ctl(d, "status")[1])
        d.expect("broken", "before it was ready", "reload refused")
        d.write_app("error 'broken'")
        equal(ctl(d, "resume", "www")[0], 1)
        equal(state("www"), "starting")
        matches(r"(?m)^www +(failing|starting) ", ctl(d, "status")[1])
        equal(ctl(d, "reload"), (1, "", "lua-fpmctl: reload: failed\npool b: "
                                 "new workers do not come up, the old ones "
                                 "stay: %s/app.lua:1: broken\n" % d.dir))
        d.write_app(app_source("eval.lua"))
        d.drop_pool("www")
        d.write_conf()
        equal(ctl(d, "reload")[0], 0)
        until(lambda: state("www") is None, "it is gone")
        equal(state("b"), "serving")


@test(over=FCGI, because="no target of HTTP has such bytes")
def hostile_requests():
    """no byte of a request reaches the terminal as it is"""
    with controlled(workers=ONE) as d:
        equal(d.fetch(uri=NASTY, params={"REQUEST_METHOD": "GE\x1b[T"})
              .status, 200)
        for words in (("workers",), ("status",), ("top",),
                      ("status", "--json")):
            done = subprocess.run([LUA_FPMCTL, "-s", d.control, *words],
                                  capture_output=True, timeout=PATIENCE,
                                  stdin=subprocess.DEVNULL)
            equal(done.returncode, 0)
            allowed = "\xff" if "--json" in words else ""
            text = done.stdout.decode().replace(allowed, "")
            assert not re.search("[^ -~\n]", text), text
        matches(r"\\x1b\]0;owned\\x07", ctl(d, "workers")[1])


@test
def hostile_daemon():
    """nor does one of a daemon that was made to lie"""
    with Fake(status(pool_status("w\x1b[31m", [worker(
            1, "Run\x07", NASTY * 50, **{"request method": "\x9b"})],
            state="\x1b"))) as f:
        for words in (("workers",), ("status",), ("top",), ("pools",)):
            code, out, _ = ctl(f, *words)
            equal(code, 0)
            assert not re.search("[^ -~\n]", out), out


@test
def widths():
    """a table fits 80 columns, or what COLUMNS says"""
    long = "a" * 32
    many = [worker(10**6 + i, "Running", "/" + "x" * 300, 10**10,
                   requests=10**9, **{"lua heap": 10**9,
                                      "resident memory": 10**10})
            for i in range(50)]
    with Fake(status(pool_status(long, many, requests=10**12,
                                 **{"listen queue": 4096}))) as f:
        for columns in (None, "80", "60", "120", "200"):
            env = dict(os.environ)
            env.pop("COLUMNS", None)
            if columns:
                env["COLUMNS"] = columns
            for words in (("workers",), ("top",)):
                out = ctl(f, *words, env=env)[1]
                widest = max(map(len, out.splitlines()))
                assert widest <= int(columns or 80), (columns, widest)
                if columns == "200" and words == ("workers",):
                    assert widest == 200, "all of it is used"
        lines = ctl(f, "status")[1].splitlines()
        matches(r"^a{4,32} +serving +50 +0 +4096 +1000\.0G|1\.0T", lines[2])


@test
def top_without_a_terminal():
    """top prints once and ends where there is no terminal"""
    with Fake(status(pool_status("www", [worker(1, "Running", "/x")]))) as f:
        code, out, err = ctl(f, "top", stdin=subprocess.DEVNULL)
        equal((code, err), (0, ""))
        matches(r"(?s)^lua-fpm 0.1.0 .*\nwww +serving .*\n\nPOOL.*GET /x\n$",
                out)
        equal(len(f.asked), 1)


@test
def full_disk():
    """output that cannot be written is a failure"""
    with Fake(status(pool_status("www"))) as f, open("/dev/full", "w") as full:
        done = subprocess.run([LUA_FPMCTL, "-s", f.path, "status"],
                              stdout=full, stderr=subprocess.PIPE, text=True)
        equal(done.returncode, 74)
        matches("No space left", done.stderr)


# ---- completion ---------------------------------------------------------------


def complete(d, *words):
    """What bash completes the last of the words to."""
    line = " ".join("'%s'" % w for w in words)
    script = ("source '%s/conf/lua-fpmctl.bash'; COMP_WORDS=('%s' %s); "
              "COMP_CWORD=%d; _lua_fpmctl; printf '%%s\\n' "
              "\"${COMPREPLY[@]}\"" % (SRC, LUA_FPMCTL, line, len(words)))
    code, out, err = tool("--norc", "-c", script, program="/bin/bash",
                          cwd=d.dir)
    equal((code, err), (0, ""), words)
    return out.split()


@test
def completion():
    """bash completes commands, options, files and the names of pools"""
    with Fake(status(pool_status("www"), pool_status("wiki"),
                     pool_status("shop", timers=[
                         {"name": "clean"}, {"name": "count"},
                         {"name": "nightly"}]))) as d:
        s = ("-s", d.path)
        equal(complete(d, *s, "re"), ["reload", "reopen", "resume"])
        assert len(complete(d, "")) > 10
        equal(complete(d, "-"), ["-c", "-h", "-s", "-t", "-V"])
        equal(complete(d, *s, "drain", ""), ["www", "wiki", "shop"])
        for command in ("drain", "resume", "scale", "workers", "status",
                        "top"):
            equal(complete(d, *s, command, "w"), ["www", "wiki"], command)
        equal(complete(d, *s, "status", "--json", "s"), ["shop"])
        equal(complete(d, *s, "status", "-"), ["--json"])
        equal(complete(d, *s, "scale", "www", ""), [])
        equal(complete(d, *s, "ping", ""), [])
        equal(complete(d, *s, "run", "w"), ["www", "wiki"])
        equal(complete(d, *s, "run", "www", ""), [])
        equal(complete(d, *s, "run", "shop", "c"), ["clean", "count"])
        equal(complete(d, "-s", "con"), ["control.sock"])
        equal(complete(d, "-t", ""), [])
        equal(complete(d, "-t", "3s", *s, "drain", "s"), ["shop"])
        equal(complete(d, "-s", "/none", "drain", ""), [])


if __name__ == "__main__":
    run(needs=["bash"])

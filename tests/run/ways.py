#!/usr/bin/env python3
"""Ways to run: -t, -T, exit codes, a pool from the command line, one worker
on descriptor 0, detached."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

HELLO = "return { accept = function() return {}, 'hello' end }"
dir = scratch()
atexit.register(shutil.rmtree, dir, True)
USER = ("-u", pool_user()) if ROOT else ()


def conf(text="", app=HELLO, name="lua-fpm.conf", **pools):
    """A configuration file; its path."""
    d = Daemon(app=app, pools=pools or {"www": {}}, dir=dir)
    d.write_conf(d.configuration() + text)
    return d.file


def says(code, regex, *args, **how):
    """The program ends with that code and says something like that."""
    got, out, err = tool(*args, **how)
    equal(got, code, "exit code of %s: %s%s" % (args, out, err))
    matches(regex, out + err, "what %s says" % (args,))
    return out, err


@test
def version_and_help():
    """-V and -h answer on standard output with 0"""
    equal(says(0, r"^lua-fpm \d+\.\d+", "-V")[1], "")
    equal(says(0, r"(?s)usage:.*-c", "-h")[1], "")


@test
def usage():
    """wrong usage: 64, and how to do it on standard error"""
    for args in (("-x",), ("-c",), ("a.lua", "b.lua"),
                 ("-l", "/x.sock"), ("-n", "3"), ("-n", "0", "-l", "/x", "a"),
                 ("-t", "-R", "a.lua"), ("-t", "-n", "2", "a.lua"),
                 ("-l", "/x", "-c", "f", "a.lua"),
                 ("-n", "x", "-l", "/x", "a.lua"),
                 ("--timeout", "3s"), ("--timeout", "3s", "-c", "f"),
                 ("a.lua", "--timeout"), ("--tempo", "3s", "a.lua")):
        equal(says(64, r"lua-fpm", *args)[0], "", "standard output")


@test
def good():
    """-t of a good configuration: 0"""
    says(0, "", "-t", "-c", conf())


@test
def missing_file():
    """a configuration that cannot be read: 78, its name and the reason"""
    for args in (("-t",), ("-T",), ()):
        says(78, dir + r"/none\.conf.*No such file", *args, "-c",
             dir + "/none.conf")


@test
def syntax_error():
    """a syntax error: 78 with file and line"""
    write(dir + "/bad.conf", "log_level = \"notice\";\npools: {\n  = ;\n};\n")
    says(78, dir + r"/bad\.conf:3: ", "-t", "-c", dir + "/bad.conf")
    says(78, dir + r"/bad\.conf:3: ", "-c", dir + "/bad.conf")


@test
def all_faults_at_once():
    """every fault is reported in one go, each with file and line"""
    write(dir + "/faults.conf", """log_level = "loud";
nonsense = 1;
pools: {
  www: {
    app = 42;
    listen = "/run/x.sock";
    backlog = "many";
    workers: { mode = "magic"; maximum = 3; };
    timeouts: { stop = "5 parsecs"; };
    user = "no-such-user-here";
  };
  second: {
    listen = "/run/y.sock";
  };
};
""")
    _, err = says(78, "", "-t", "-c", dir + "/faults.conf")
    for line, word in ((1, "log_level"), (2, "nonsense"), (5, "app"),
                       (7, "backlog"), (8, "mode"), (8, "maximum"),
                       (9, "stop"), (10, "no-such-user-here"), (12, "app")):
        matches(r"(?m)^%s/faults.conf:%d: .*%s" % (dir, line, word), err)


@test
def applications_are_loaded():
    """-t loads every application: what is wrong with which, 78"""
    pools = {}
    for name, text in (("good", HELLO), ("syntax", "\n\nreturn {"),
                       ("raises", "\nerror('at load')"), ("number", "return 7"),
                       ("empty", "return {}"),
                       ("accept", "return { accept = 7 }")):
        write("%s/%s.lua" % (dir, name), text)
        pools[name] = {"app": "%s/%s.lua" % (dir, name)}
    pools["missing"] = {"app": dir + "/missing.lua"}
    _, err = says(78, "", "-t", "-c", conf(**pools))
    for what in (r"syntax\.lua:3: ", r"raises\.lua:2: at load",
                 r'%s:\d+: .*number.*' % "lua-fpm.conf",
                 r'lua-fpm.conf:\d+: .*"?empty"?.*accept',
                 r'lua-fpm.conf:\d+: .*"?accept"?', r"missing\.lua"):
        matches(what, err)
    assert "good" not in err, err


@test
def test_runs_as_the_user():
    """-t loads an application as the pool's user and does not start it"""
    text = ("local f = io.open('/proc/self/status') "
            "io.stderr:write(f:read('a'):match('Uid:%s+(%d+)'), ' is the uid"
            "\\n') return { accept = function() end, "
            "start = function() print('started') end }")
    out, err = says(0, "", "-t", "-c", conf(app=text))
    if ROOT:
        matches(r"%d is the uid" % pwd.getpwnam(pool_user()).pw_uid,
                out + err)
    assert "started" not in out + err, out + err


@test
def test_leaves_nothing():
    """-t binds no socket and leaves no file"""
    file = conf(app="io.open('%s/rw/x', 'w'):close() return "
                "{ accept = function() end }" % dir)
    says(0, "", "-t", "-c", file)
    assert not os.path.lexists(dir + "/www.sock")
    assert not os.path.lexists(dir + "/pid")


@test
def test_of_a_hanging_application():
    """-t ends though an application never ends to load"""
    began = time.monotonic()
    file = conf(www={"timeouts": {"start": "300ms"}},
                app="while true do end")
    says(78, "start", "-t", "-c", file)
    assert time.monotonic() - began < PATIENCE / 2


@test
def effective_configuration():
    """-T prints every key with its value, and what it prints reads back"""
    out, _ = says(0, "", "-T", "-c", conf(www={
        "timeouts": {"stop": "1500ms"}, "workers": {"max": 3},
        "backlog": 77}))
    for key in ("pid_file", "error_log", "log_level", "app", "listen",
                "listen_mode", "backlog", "mode", "max", "start", "min_spare",
                "max_spare", "spawn_rate", "idle_timeout", "read", "write",
                "keepalive", "stop", "head"):
        matches(r"(?m)^\s*#?\s*%s\s*[=:]" % key, out)
    matches(r"backlog\s*=\s*77\b", out)
    matches(r"1500ms", out)
    write(dir + "/again.conf", out)
    equal(says(0, "", "-T", "-c", dir + "/again.conf")[0], out)


@test
def exit_codes_of_applications():
    """70 if the application cannot be loaded or raises in start; its own code
    if start returns one"""
    for text, code, said in (
            ("return {", 70, r"app\.lua:1"), ("return 1", 70, "table"),
            ("return { accept = function() end, start = function() "
             "error('not today') end }", 70, "not today"),
            ("return { accept = function() end, start = function() "
             "return 101 end }", 101, "101")):
        write(dir + "/app.lua", text)
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(dir + "/zero.sock")
            s.listen()
            says(code, said, dir + "/app.lua", stdin=s)
        os.unlink(dir + "/zero.sock")


@test
def start_of_a_daemon_fails():
    """the daemon itself: no pool comes up, 70, and the log says why"""
    for text, said in (("return {", r"app\.lua:1"),
                       ("return { accept = function() end, start = function()"
                        " error('not today') end }", "not today"),
                       ("return { accept = function() end, start = function()"
                        " return 101 end }", "101")):
        d = Daemon(app=text)
        d.write_conf()
        d.spawn()
        code = d.wait_exit()
        assert code in (70, 101), code
        matches(said, d.read_log())
        d.check_gone()
        d.destroy()


@test
def command_line_pool():
    """-l ADDRESS -n N app.lua: a pool of N workers, without a file"""
    port = free_port()
    for n, address in (("3", dir + "/line.sock"),
                       ("1", "127.0.0.1:%d" % port)):
        d = Daemon(app=HELLO, listen=address)
        d.top["pid_file"] = d.dir + "/none"
        d.sockets = {address} if address.startswith("/") else set()
        d.start(args=("-l", spelt(address), "-n", n, *USER, d.dir + "/app.lua"))
        d.wait_workers(int(n))
        equal(fetch(address).body, b"hello")
        d.stop()


@test
def command_line_settings():
    """settings stand for keys where there is no file; the option wins over the
    variable, and the variable means nothing beside a file"""
    write(dir + "/app.lua", HELLO)
    own = {**os.environ, "LUA_FPM_TIMEOUT": "20s", "LUA_FPM_SLOW": "3s"}
    args = ("-T", "-l", dir + "/line.sock", *USER, "--timeout", "1m",
            "--memory", "64M", "--max-requests", "500", "--error-log",
            "line.log", dir + "/app.lua")
    out, _ = says(0, "", *args, env=own, cwd=dir)
    for line in ('request = "1m"', 'slow = "3s"', 'memory = "64M"',
                 "max_requests = 500", 'error_log = "%s/line.log"' % dir):
        matches(r"(?m)^\s*%s;" % line, out)
    out, _ = says(0, "", "-T", "-c", conf(), env=own)
    matches(r'(?m)^\s*request = "0"', out)


@test
def command_line_settings_at_fault():
    """a bad value of a setting: 78, the range, and a good example"""
    for way in (("-l", dir + "/line.sock", *USER), ("-t",), ()):
        where = (*way, dir + "/app.lua")
        says(78, r'command line: --timeout: expected a duration as "30s", '
             r'from 0 to 1d, found "5sec"', "--timeout", "5sec", *where)
        says(78, r'environment: LUA_FPM_MEMORY: expected a size as "128M", '
             r'from 0 to 1024G, found "much"', *where,
             env={**os.environ, "LUA_FPM_MEMORY": "much"})
        says(78, r"timeouts.request is below 100ms", "--timeout", "99ms",
             *where)


@test
def command_line_time_limit():
    """a pool without a file obeys --timeout, and has its log"""
    d = Daemon(listen="")
    d.top["pid_file"] = d.dir + "/none"
    address = d.dir + "/line.sock"
    d.sockets = {address}
    d.start(args=("-l", spelt(address), "-n", "1", *USER, "--timeout", "300ms",
                  "--error-log", "line.log", d.dir + "/app.lua"))
    equal(fetch(address, lua="while true do end").status, 408)
    equal(fetch(address).body, b"hello")
    standard, d.log = d.log, d.dir + "/line.log"
    d.wait_log(r"error \[pool main\] .*GET /.*exceeds timeouts\.request")
    d.log = standard
    d.stop()


@test
def command_line_needs_no_root():
    """a pool does not run as root unless one insists"""
    if not ROOT:
        raise Skip("not root")
    write(dir + "/app.lua", HELLO)
    says(78, "root", "-l", dir + "/root.sock", dir + "/app.lua")
    says(78, "root", "-c", conf(www={"user": None}))
    d = Daemon(user=None, app="return { accept = function() return {}, "
               "io.open('/proc/self/status'):read('a'):match('Uid:%s+(%d+)')"
               " end }")
    d.write_conf()
    with d.start(args=("-R", "-c", d.file)):
        equal(d.fetch().body, b"0")


@test
def descriptor_zero_is_none():
    """descriptor 0 is no listening socket, and who calls expects one: 64 and
    an explanation"""
    write(dir + "/app.lua", HELLO)
    name = dir + "/lua-simple-fcgi"
    os.symlink(LUA_FPM, name)
    for stdin in (subprocess.DEVNULL, subprocess.PIPE):
        says(64, "descriptor 0.*socket", dir + "/app.lua", stdin=stdin,
             program=name)


@test
def detached():
    """-D: returns when every pool is up, with 0; the daemon has a pid file"""
    d = Daemon()
    d.write_conf()
    d.top["error_log"] = d.log
    d.write_conf()
    code, out, err = tool("-D", "-c", d.file)
    equal((code, out), (0, ""), err)
    with open(d.dir + "/pid") as f:
        pid = int(f.read())
    try:
        equal(d.fetch().body, b"hello", "served at once")
        s = process_stat(pid)
        assert s[3] != os.getsid(0), "a session of its own"
        equal([link for n, link in fds(pid) if n < 3], ["/dev/null"] * 3)
    finally:
        kill(pid, signal.SIGTERM)
        until(lambda: not alive(pid), "the daemon is gone")
    until(lambda: not session(s[3]), "its workers are gone")
    for path in (d.dir + "/pid", d.address()):
        assert not os.path.lexists(path), path
    d.check_log()
    d.destroy()



@test
def start_in_vain():
    """who starts the daemon by hand is told which log says why it fails"""
    log = dir + "/vain.log"
    for what in ("pools: { www: { app = \"%s/missing.lua\"; listen = "
                 "\"%s/vain.sock\"; user = \"%s\"; }; };" %
                 (dir, dir, pool_user()),
                 "pid_file = \"%s/nowhere/pid\"; pools: { www: { app = \"x\"; "
                 "listen = \"%s/vain.sock\"; user = \"%s\"; }; };" %
                 (dir, dir, pool_user())):
        write(dir + "/vain.conf", "error_log = \"%s\";\n%s" % (log, what))
        for how in (("-D",), ()):
            code, out, err = tool(*how, "-c", dir + "/vain.conf")
            assert code in (70, 71), code
            equal((out, err), ("", "lua-fpm: the daemon does not come up: "
                               "%s says why\n" % log))


@test
def detached_failure():
    """-D: the failure's code and reason are those of the command"""
    d = Daemon(app="return {")
    d.write_conf()
    code, out, err = tool("-D", "-c", d.file)
    equal(code, 70, err)
    matches(r"app\.lua:1", err + d.read_log() if os.path.exists(d.log)
            else err)
    assert not os.path.lexists(d.dir + "/pid")
    d.destroy()


@test
def second_daemon():
    """a second daemon with the same pid file refuses and names the first"""
    with Daemon() as d:
        code, out, err = tool("-c", d.file)
        assert code not in (0, 70), code
        matches(r"%d" % d.pid, err)
        equal(d.fetch().status, 200, "the first still serves")


@test
def title():
    """ps shows which process is what"""
    def named(pid, text):
        return re.search(text, command_line(pid))

    with Daemon(pools={"www": {}}) as d:
        assert named(d.pid, "lua-fpm.*master")
        for pid in d.wait_workers(2):  # one of them may only begin
            until(lambda: named(pid, "lua-fpm.*pool www"), "its title")


run(120)

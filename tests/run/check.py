#!/usr/bin/env python3
"""-t: what it calls good starts, what would not start it says, and it leaves
no trace."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

ONE = {"mode": "static", "max": 1}


def everything(dir):
    """Each name below dir with its inode, owner, mode and times."""
    found = {}
    for place, dirs, files in os.walk(dir):
        for name in [*dirs, *files]:
            path = os.path.join(place, name)
            s = os.lstat(path)
            found[path] = (s.st_ino, s.st_uid, s.st_gid, s.st_mode, s.st_size,
                           s.st_mtime_ns, s.st_ctime_ns)
    return found


def check(d, code=0, said=""):
    """-t says so, and nothing in the directory has changed."""
    d.write_conf()
    before = everything(d.dir)
    got, out, err = tool("-t", "-c", d.file, cwd=d.dir)
    equal(got, code, err)
    matches(said, err)
    equal(everything(d.dir), before, "what -t leaves")
    return err


def start_fails(d, said):
    d.spawn()
    code = d.wait_exit()
    assert code in (71, 78), code
    matches(said, d.read_log())


@test
def missing_directories():
    """a directory that is missing: socket, control, pid file, error log, all
    faults in one run"""
    d = Daemon(workers=ONE)
    d.set_pool("www", workers=ONE, listen="/nowhere/www.sock")
    d.top.update(control="/nowhere/control.sock", pid_file="/nowhere/pid",
                 error_log="/nowhere/log")
    matches("error_log: cannot open /nowhere/log: No such", check(d, 78))
    del d.top["error_log"]
    err = check(d, 78)
    d.top["error_log"] = "stderr"
    for said in (":\\d+: pool www: listen /nowhere/www.sock: .*No such",
                 "control: .*/nowhere/control.sock: No such",
                 "pid_file: .*/nowhere/pid: No such"):
        matches(said, err)
    start_fails(d, "/nowhere/pid: No such")
    d.destroy()


@test
def bad_application_too():
    """a fault of the surroundings does not hide one of an application"""
    d = Daemon(workers=ONE, app="return {")
    d.top["control"] = "/nowhere/control.sock"
    err = check(d, 78)
    matches("control: ", err)
    matches("app.lua:1: ", err)
    d.destroy()


@test
def missing_applications():
    """applications that are missing, in the same round as faults of keys and
    of what keys say together; one that its user may not read"""
    d = Daemon(workers=ONE)
    d.set_pool("www", workers=ONE, nonsense=1, app=d.dir + "/none.lua")
    d.set_pool("two", workers=ONE, app="gone.lua")
    err = check(d, 78)
    for said in (r":\d+: pool www: nonsense: unknown key\n",
                 r":\d+: pool www: app: .*/none.lua: No such file",
                 r":\d+: pool two: app: .*/gone.lua: No such file"):
        matches(said, err)
    d.set_pool("www", workers=ONE)
    d.set_pool("two", workers=ONE, app="gone.lua", listen="9000")
    err = check(d, 78)
    matches("listen: not an address: 9000 .a port alone", err)
    matches("pool two: app: .*/gone.lua: No such file", err)
    d.set_pool("two", workers=ONE, app="shut.lua", user="nobody")
    d.write_app(app_source("eval.lua"), "shut.lua")
    os.chmod(d.dir + "/shut.lua", 0)
    if ROOT:
        matches(r"cannot open .*/shut.lua: Permission denied to the user "
                "nobody\n", check(d, 78))
    d.destroy()


@test
def one_application():
    """-t with an application alone: does it load?  The error of Lua with its
    line, and an exit code; no address is needed"""
    d = Daemon(workers=ONE)
    d.write_app(app_source("eval.lua"))
    d.write_app("return {\n\n)", "bad.lua")
    d.write_app("os.exit(3)", "leaves.lua")
    for app, code, said in (
            ("app.lua", 0, "^%s/app.lua: the application loads\n$" % d.dir),
            ("bad.lua", 78, "^%s/bad.lua:3: unexpected symbol" % d.dir),
            ("none.lua", 78, "^cannot open %s/none.lua: No such" % d.dir),
            ("leaves.lua", 78, "^%s/leaves.lua: left with exit code 3"
             % d.dir)):
        got, out, err = tool("-t", app, cwd=d.dir)
        equal((got, out), (code, ""), err)
        matches(said, err)
    d.destroy()


@test
def pools_of_files():
    """how many pools came from which files, and that a pattern of include has
    no match; a path in a message of Lua is never cut"""
    d = Daemon(workers=ONE)
    os.mkdir(d.dir + "/pools.d")
    d.top["include"] = "pools.d/*.conf"
    d.set_pool("two", workers=ONE)
    equal(check(d), "%s:%d: warning: include: no file matches pools.d/*.conf\n"
          "%s: 2 pools\nconfiguration is good, every application loads\n"
          % (d.file, len(d.top), d.file))
    write(d.dir + "/pools.d/3.conf", "pools = %s;\n" % libconfig(
        {"three": {**d.pools["two"], "listen": d.dir + "/three.sock"}}))
    equal(check(d), "%s: 2 pools\n%s/pools.d/3.conf: 1 pool\nconfiguration is "
          "good, every application loads\n" % (d.file, d.dir))
    d.top["include"] = "pool.d/*.conf"
    matches(r"include: pool.d/\*.conf: the directory is missing\n",
            check(d, 78))
    del d.top["include"]
    d.write_app("require 'not_there'")
    matches(r"module 'not_there' not found.*/loadall.so' no file "
            r"'./not_there.so'\n", check(d, 78))
    d.destroy()


@test
def no_permission():
    """a directory that the daemon's user may not write to"""
    if not ROOT:
        raise Skip("not root")
    d = Daemon(workers=ONE, user=None)
    d.set_pool("www", workers=ONE, user=None,
               listen=d.dir + "/rw/www.sock")
    d.top["pid_file"] = d.dir + "/rw/pid"
    d.write_conf()
    locked = d.dir + "/locked"
    os.mkdir(locked, 0o755)
    program, nobody = program_in(d.dir), pwd.getpwnam("nobody").pw_uid

    def as_nobody():
        return tool("-t", "-c", d.file, program=program, cwd="/", user=nobody)
    equal(as_nobody()[0], 0, as_nobody()[2])
    for key in ("control", "pid_file"):
        d.top[key] = locked + "/" + key
        d.write_conf()
        code, out, err = as_nobody()
        equal(code, 78, err)
        matches(key + ": .*%s/%s: Permission denied" % (locked, key), err)
        d.top[key] = d.dir + "/rw/" + key
    d.set_pool("www", workers=ONE, user=None, listen=locked + "/www.sock")
    d.write_conf()
    code, out, err = as_nobody()
    equal(code, 78, err)
    matches("www.sock: Permission denied", err)
    d.destroy()


@test
def other_files():
    """a file that is no socket at an address, no file as the pid file"""
    d = Daemon(workers=ONE)
    write(d.address(), "precious")
    check(d, 78, "www.sock exists and is not a socket")
    os.unlink(d.address())
    os.mkdir(d.dir + "/directory")
    d.top["pid_file"] = d.dir + "/directory"
    check(d, 78, "pid_file: .*directory exists and is not a file")
    d.destroy()


@test
def somebody_else_listens():
    """an address in use, unix and TCP: said, and whoever listens does not
    notice"""
    d = Daemon(workers=ONE)
    with socket.socket(socket.AF_UNIX) as s, socket.socket() as t:
        s.bind(d.address())
        s.listen()
        t.bind(("127.0.0.1", 0))
        t.listen()
        port = t.getsockname()[1]
        d.set_pool("tcp", workers=ONE, listen="127.0.0.1:%d" % port)
        d.set_pool("any", workers=ONE, listen="*:%d" % free_port())
        err = check(d, 78, "somebody listens on .*/www.sock already")
        matches("127.0.0.1:%d: Address already in use" % port, err)
        d.drop_pool("tcp")
        d.set_pool("any", workers=ONE, listen="*:%d" % port)
        check(d, 78, r"cannot listen on 0.0.0.0:%d: Address" % port)
        for listener in (s, t):
            listener.setblocking(False)
            try:
                listener.accept()
                raise AssertionError("-t has connected")
            except BlockingIOError:
                pass
    d.destroy()


@test
def stale_socket():
    """a socket that nobody serves is good, and is left alone"""
    d = Daemon(workers=ONE)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(d.address())
    check(d)
    d.start()
    d.stop()


@test
def running_daemon():
    """what the daemon holds that pid_file names, or without one the control
    socket leads to, is good, however it is written, and it serves on; of
    another daemon it is not"""
    port = free_port()
    d = Daemon(workers=ONE)
    d.top["control"] = d.dir + "/control.sock"
    d.set_pool("www", workers=ONE, listen=[d.dir + "/www.sock",
                                           "127.0.0.1:%d" % port])
    with d:
        # the log, which lives there too, is not touched either
        check(d)
        d.set_pool("www", workers=ONE, listen=[
            "%s/rw/../www.sock" % d.dir, "*:%d" % port])
        check(d)
        d.top["pid_file"] = d.dir + "/other"
        check(d, 78, "somebody listens on .*control.sock already")
        d.top["pid_file"] = ""
        check(d)
        d.top["control"] = ""
        check(d, 78, "somebody listens on .*www.sock already")
        d.top["pid_file"] = d.dir + "/pid"
        equal(fetch(d.dir + "/www.sock").status, 200)


@test
def two_spellings():
    """the same socket spelt in two ways belongs to one pool"""
    d = Daemon(workers=ONE)
    os.symlink(".", d.dir + "/here")
    port = free_port()
    for one, two in ((d.dir + "/a.sock", d.dir + "//a.sock"),
                     (d.dir + "/a.sock", d.dir + "/rw/../a.sock"),
                     (d.dir + "/a.sock", d.dir + "/here/a.sock"),
                     (d.dir + "/a.sock", "./a.sock"),
                     ("127.0.0.1:%d" % port, "*:%d" % port),
                     ("0.0.0.0:%d" % port, "127.0.0.1:%d" % port),
                     ("[::]:%d" % port, "[::1]:%d" % port)):
        d.set_pool("www", workers=ONE, listen=one)
        d.set_pool("two", workers=ONE, listen=two)
        check(d, 78, r"pool two: listen %s: belongs to pool www already, as "
              "%s" % (re.escape(two), re.escape(one)))
        start_fails(d, "belongs to pool www already")
    d.set_pool("two", workers=ONE)
    d.set_pool("www", workers=ONE, listen=d.dir + "/a.sock")
    d.top["control"] = d.dir + "/here/a.sock"
    check(d, 78, "control .*: belongs to pool www already, as .*a.sock")
    d.destroy()


@test
def two_protocols():
    """an address has one protocol, in one pool or in two"""
    d = Daemon(workers=ONE)
    port = free_port()
    file = re.escape(d.file)
    said = file + r":\d+: pool %s: %s %s: belongs to pool www already, as " \
        "%s: an address has one protocol"
    for place in (d.dir + "/a.sock", "127.0.0.1:%d" % port, "fd:3",
                  "systemd:www"):
        for one, two in ((place, "http:" + place), ("http:" + place, place)):
            got = re.escape(two), re.escape(one)
            d.set_pool("www", workers=ONE, listen=[one, two])
            check(d, 78, said % ("www", "listen", *got))
            d.set_pool("www", workers=ONE, listen=one, status_listen=two)
            check(d, 78, said % ("www", "status_listen", *got))
            d.set_pool("www", workers=ONE, listen=one)
            d.set_pool("two", workers=ONE, listen=two)
            check(d, 78, said % ("two", "listen", *got))
            d.drop_pool("two")
    d.set_pool("www", workers=ONE, listen=["127.0.0.1:%d" % port,
                                           "http:*:%d" % port])
    check(d, 78, "already, as 127.0.0.1:%d" % port)
    d.set_pool("www", workers=ONE, listen=d.dir + "/a.sock")
    d.top["control"] = d.dir + "/c.sock"
    d.set_pool("www", workers=ONE, listen="http:%s/c.sock" % d.dir)
    check(d, 78, "control .*: belongs to pool www already, as http:.*c.sock")
    d.destroy()


@test
def both_families():
    """IPv6 sockets are IPv6 only: both families have the port"""
    if not has_ipv6():
        raise Skip("no IPv6 here")
    port = free_port()
    d = Daemon(workers=ONE)
    d.set_pool("www", workers=ONE, listen="*:%d" % port)
    d.set_pool("six", workers=ONE, listen="[::]:%d" % port)
    check(d)
    d.start()
    equal(fetch("[::1]:%d" % port).status, 200)
    equal(fetch("127.0.0.1:%d" % port).status, 200)
    d.stop()


@test
def syslog_is_away():
    """syslog that is away is no fault: a warning, and the daemon starts"""
    if os.path.exists("/dev/log"):
        raise Skip("there is a syslog here")
    d = Daemon(workers=ONE, logs={"access": "syslog"})
    d.top["error_log"] = "syslog"
    d.write_conf()
    code, out, err = tool("-t", "-c", d.file)
    equal(code, 0, err)
    d.start()
    equal(d.fetch().status, 200)
    matches("warning .*syslog is not there", d.read_log())
    d.stop()


def background(d):
    """Lua that starts what goes on by itself, and the file that tells who."""
    path = d.dir + "/rw/pid"
    return "os.execute('sleep 1000 >&2 & echo $! > %s.new; mv %s.new %s')\n" \
        % (path, path, path), path


def is_gone(path):
    with open(path) as f:
        pid = int(f.read())
    os.unlink(path)
    until(lambda: not alive(pid), "what the application has started ends")


@test
def what_an_application_starts():
    """what an application starts ends with its trial, however that ends"""
    d = Daemon(workers=ONE, timeouts={"start": "1s"})
    start, path = background(d)
    for rest, code in ((app_source("eval.lua"), 0),
                       ("error('no')", 78), ("while true do end", 78),
                       ("os.execute('kill -9 $PPID')", 78)):
        d.write_app(start + rest)
        d.write_conf()
        equal(tool("-t", "-c", d.file, cwd=d.dir)[0], code, rest)
        is_gone(path)
    d.destroy()


@test
def a_fork():
    """a process that an application forks holds up nothing, and a trial that
    stops itself ends in time"""
    d = Daemon(workers=ONE, timeouts={"start": "1s"})
    module = c_module(d.dir, """
#include <signal.h>
#include <unistd.h>
int in_background(lua_State *L) {
    if (fork() == 0)
        for (;;)
            pause();
    return 0;
}
int stopped(lua_State *L) {
    raise(SIGSTOP);
    return 0;
}
""")
    for name, code in (("in_background", 0), ("stopped", 78)):
        d.write_app("assert(package.loadlib('%s', '%s'))()\n"
                    % (module, name) + app_source("eval.lua"))
        d.write_conf()
        equal(tool("-t", "-c", d.file, cwd=d.dir)[0], code, name)
    d.destroy()


@test
def killed():
    """if -t is killed, the trial ends with all that it has started"""
    d = Daemon(workers=ONE)
    start, path = background(d)
    d.write_app(start + "os.execute('sleep 1000')")
    d.write_conf()
    for signo in (signal.SIGINT, signal.SIGKILL):
        p = subprocess.Popen([LUA_FPM, "-t", "-c", d.file], cwd=d.dir,
                             start_new_session=True)
        until(lambda: os.path.exists(path), "the application loads")
        p.send_signal(signo)
        equal(p.wait(), -signo, "-t")
        is_gone(path)
        until(lambda: not session(p.pid), "nothing is left")
    d.destroy()


run(120, over=FCGI)

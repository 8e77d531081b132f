#!/usr/bin/env python3
"""The service under a real systemd, in a Debian that is booted for it: what
systemctl, the journal, the watchdog and sockets of systemd make of it."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *
import machine

UNIT, SOCKET = "lua-fpm.service", "lua-fpm@www.socket"
m = None


def pool(**keys):
    return {"app": "/srv/www/app.lua", "listen": "/run/lua-fpm/www.sock",
            "user": "www-data", "workers": {"mode": "static", "max": 2},
            **keys}


def configure(**pools):
    m.write(m.installed["etc"] + "/lua-fpm/lua-fpm.conf", "".join(
        "%s = %s;\n" % (k, libconfig(v)) for k, v in {
            "control": "/run/lua-fpm/control.sock", "pools": pools}.items()))


def begin(service="", **pools):
    """Stop what is left of another test; the next start is a first one."""
    m.call("systemctl", "stop", SOCKET, UNIT)
    m.call("systemctl", "reset-failed", SOCKET, UNIT)
    m.write("/etc/systemd/system/lua-fpm.service.d/test.conf",
            "[Service]\n" + service)
    m.good("systemctl", "daemon-reload")
    m.write("/srv/www/app.lua", app_source("eval.lua"))
    configure(**(pools or {"www": pool()}))
    m.mark()


def started(service="", **pools):
    """The pid of its master, as the machine counts."""
    begin(service, **pools)
    m.good("systemctl", "start", UNIT)
    return main_pid()


def main_pid():
    return int(m.show("MainPID"))


def address(path="/run/lua-fpm/www.sock"):
    return m.socket(path)


def lua(text, path="/run/lua-fpm/www.sock", **request):
    return fetch(address(path), lua=text, **request)


def worker():
    return int(lua("return text(pid())").body)


@test
def boots():
    """a %s is made, lua-fpm is installed in it, and it boots"""
    global m
    machine.can_be()
    m = machine.Machine()
    m.make()
    m.boot()
    diag(m.good("systemctl", "--version").splitlines()[0])


def booted(fn):
    """A test point that wants the machine."""
    def wrapped():
        if m is None or m.leader is None:
            raise Skip("there is no machine")
        fn()
    wrapped.__doc__, wrapped.__name__ = fn.__doc__, fn.__name__
    return test(wrapped)


@booted
def as_installed():
    """as make install leaves it, it starts and serves a page that says so"""
    m.good("systemctl", "enable", "--now", UNIT)
    equal(m.show("StatusText"), "1 of 1 pools serve")
    r = fetch(address())
    equal(r.status, 200)
    assert b"lua-fpm works" in r.body, r.body[:200]
    m.good("lua-fpmctl", "status")


@booted
def one_bad_application():
    """an application that does not load keeps only its own pool down, at a
    start and at a restart"""
    m.write("/srv/bad/app.lua", "this is not Lua")
    started(www=pool(), bad=pool(app="/srv/bad/app.lua",
                                 listen="/run/lua-fpm/bad.sock"))
    equal(m.show("StatusText"), "1 of 2 pools serve")
    equal(lua("return text('a')").body, b"a")
    m.good("systemctl", "restart", UNIT)
    equal(lua("return text('b')").body, b"b")
    m.wait_journal(r"/srv/bad/app\.lua:1: ")


@booted
def bad_configuration():
    """a bad configuration is said, and no start is tried again"""
    begin()
    configure(www=pool(nonsense=1))
    assert m.call("systemctl", "start", UNIT) != 0
    m.wait_journal(r"lua-fpm\.conf:\d+: .*nonsense")
    equal(m.show("ExecMainStatus"), "78")
    equal(m.show("ActiveState"), "failed")
    equal(m.show("NRestarts"), "0")


@booted
def reloads():
    """systemctl reload: a bad configuration and a bad application fail it and
    change nothing, a new application is there after it"""
    master = started()
    old = worker()
    configure(www=pool(nonsense=1))
    assert m.call("systemctl", "reload", UNIT) != 0
    m.wait_journal(r"lua-fpm\.conf:\d+: .*nonsense")
    configure(www=pool())
    m.write("/srv/www/app.lua", "return {\n\nnot lua")
    assert m.call("systemctl", "reload", UNIT) != 0
    m.wait_journal(r"app\.lua:3: ")
    equal(m.show("ActiveState"), "active")
    equal(lua("return text('a')").body, b"a")
    m.write("/srv/www/app.lua", "version = 'new'\n" + app_source("eval.lua"))
    with_load(lambda: m.good("systemctl", "reload", UNIT))
    until(lambda: lua("return text(version or 'old')").body == b"new",
          "the new application is there")
    assert worker() != old
    equal((main_pid(), m.show("NRestarts")), (master, "0"))


def with_load(fn):
    """No request fails meanwhile."""
    load = Load(address(), clients=2)
    load.more(20)
    fn()
    load.more(20)
    done, failures = load.stop()
    equal(failures, [], "%d requests" % done)


@booted
def upgrades():
    """USR2: the same main pid, other workers, and no request fails"""
    master, old = started(), worker()

    def upgrade():
        m.good("systemctl", "kill", "-s", "USR2", "--kill-whom=main", UNIT)
        m.wait_journal("^upgraded from ")
    with_load(upgrade)
    until(lambda: worker() > old, "workers are new")
    equal((main_pid(), m.show("ActiveState"), m.show("NRestarts")),
          (master, "active", "0"))
    m.good("systemctl", "reload", UNIT)
    equal(main_pid(), master)


@booted
def notify_reload():
    """Type=notify-reload (systemd 253) gets an end to each reload, a good one
    and one that is refused, before and after an upgrade"""
    version = int(re.search(r"systemd (\d+)", m.good("systemctl",
                                                     "--version"))[1])
    if version < 253:
        # This systemd knows the notifications only.
        master = started()
        m.good("systemctl", "kill", "-s", "HUP", "--kill-whom=main", UNIT)
        until(lambda: m.show("ActiveState") == "active", "the reload ends")
        equal(main_pid(), master)
        diag("no notify-reload in systemd %d" % version)
        return
    master = started("Type=notify-reload\nExecReload=\n")
    for _ in range(2):
        old = worker()
        m.write("/srv/www/app.lua", app_source("eval.lua") +
                "-- after worker %d\n" % old)
        m.good("systemctl", "reload", UNIT)
        until(lambda old=old: worker() > old, "workers are new")
        configure(www=pool(nonsense=1))
        m.good("systemctl", "reload", UNIT)
        matches("reload refused: .*nonsense", m.show("StatusText"))
        configure(www=pool())
        m.good("systemctl", "kill", "-s", "USR2", "--kill-whom=main", UNIT)
        m.wait_journal("^upgraded from ")
        m.mark()
    equal((main_pid(), m.show("ActiveState"), m.show("NRestarts")),
          (master, "active", "0"))


@booted
def journal_fields():
    """entries about a request have the pool, the request, its method and its
    URI as fields, a traceback is one entry, and levels are priorities"""
    master = started()
    equal(lua("error('it went wrong')", method="POST", uri="/a?b").status,
          500)
    e = m.wait_journal("it went wrong")
    equal((e["PRIORITY"], e["SYSLOG_IDENTIFIER"], e["LUA_FPM_POOL"],
           e["LUA_FPM_METHOD"], e["LUA_FPM_URI"], e["_SYSTEMD_UNIT"]),
          ("3", "lua-fpm", "www", "POST", "/a?b", UNIT))
    assert "\nstack traceback:" in e["MESSAGE"], e["MESSAGE"]
    assert e["LUA_FPM_REQUEST_ID"], e
    equal(int(e["LUA_FPM_PID"]) == master, False)
    e = m.wait_journal("^ready: 1 of 1 pools")
    equal((e["PRIORITY"], e["_PID"]), ("5", str(master)))
    lua("print('printed') return text('')")
    equal(m.wait_journal("^printed$")["LUA_FPM_POOL"], "www")


@booted
def confined():
    """an application finds what it lives with, and not what the service
    denies: processes of others, system calls of containers and debuggers"""
    master = started(www=pool(), jail=pool(
        chroot="/srv", app="/www/app.lua", listen="/run/lua-fpm/jail.sock",
        listen_owner="www-data"))
    status = lua("return text(io.open('/proc/self/status'):read('a'))").body
    for line in (rb"NoNewPrivs:\s1", rb"Seccomp:\s2", rb"CapBnd:\s0+\n"):
        assert re.search(line, status), (line, status)
    seen = lua("return text(io.popen('echo /proc/[0-9]*'):read('a'))").body
    seen = {int(pid) for pid in re.findall(rb"/proc/(\d+)", seen)}
    assert seen and not seen & {1, master}, seen
    equal(lua("local name = os.tmpname() local f = io.open(name, 'w') "
              "f:write('x') f:close() os.remove(name) "
              "return text(tostring(os.execute('true')))").body, b"true")
    r = lua("return text(io.popen('unshare --user true 2>&1; "
            "echo $?'):read('a'))")
    matches("Operation not permitted\n1\n", r.body.decode())
    equal(lua("return text(tostring(io.open('/www/app.lua') ~= nil))",
              "/run/lua-fpm/jail.sock").body, b"true", "chroot")
    # The master sees its workers all the same.
    m.good("systemctl", "reload", UNIT)
    m.good("lua-fpmctl", "workers", "www")


@booted
def logs_are_rotated():
    """the rotation that is installed: what follows is in the new file; with
    the service stopped it says nothing and does not fail"""
    started(www=pool(logs={"access": "/var/log/lua-fpm/www.access.log"}))
    path = m.tree + "/var/log/lua-fpm/www.access.log"
    with open(m.tree + m.installed["etc"] + "/logrotate.d/lua-fpm") as f:
        script = re.search(r"(?s)postrotate\n(.*?)\tendscript", f.read())[1]
    lua("return text('')", uri="/before")
    os.rename(path, path + ".1")
    equal(m.good("sh", "-c", script), "")
    until(lambda: os.path.exists(path), "the log is opened anew")

    def in_new_file():
        lua("return text('')", uri="/after")
        with open(path) as f:
            return "/after" in f.read()
    until(in_new_file, "lines are in the new file")
    with open(path + ".1") as f:
        assert "/before" in f.read()
    m.good("systemctl", "stop", UNIT)
    equal(m.good("sh", "-c", script), "")


@booted
def stops_after_the_request():
    """systemctl stop waits for a request that runs, whose client gets its
    answer; nothing of the service is left but its directory"""
    started()
    gate = m.gate()
    held = Background(lua, gate.lua + "return text('a')")
    gate.wait()
    m.good("systemctl", "stop", "--no-block", UNIT)
    until(lambda: m.show("ActiveState") == "deactivating", "it stops")
    gate.open()
    equal(held.result().body, b"a")
    until(lambda: m.show("ActiveState") == "inactive", "it has stopped")
    equal((m.show("Result"), m.show("NRestarts")), ("success", "0"))
    equal(m.good("ls", "/run/lua-fpm"), "")


@booted
def watchdog():
    """a master that hangs is killed and started again by systemd, while its
    workers answer until then"""
    old = started("WatchdogSec=2\n")
    m.good("systemctl", "kill", "-s", "STOP", "--kill-whom=main", UNIT)
    equal(lua("return text('a')").body, b"a")
    m.wait_journal("[Ww]atchdog timeout")
    until(lambda: main_pid() not in (0, old), "another master")
    until(lambda: m.show("ActiveState") == "active", "it is up again")
    equal(m.show("NRestarts"), "1")
    equal(lua("return text('b')").body, b"b")


@booted
def dead_master():
    """a master that is killed is started again, and no process of the old one
    is left"""
    old = started()
    before = set(m.good("cat", "/sys/fs/cgroup/%ssystem.slice/%s/cgroup.procs"
                        % (hierarchy(), UNIT)).split())
    assert str(old) in before and len(before) == 3, before
    m.good("systemctl", "kill", "-s", "KILL", "--kill-whom=main", UNIT)
    until(lambda: main_pid() not in (0, old), "another master")
    until(lambda: m.show("ActiveState") == "active", "it is up again")
    equal(lua("return text('b')").body, b"b")
    for pid in before:
        assert m.call("test", "-e", "/proc/" + pid) == 1, pid


def hierarchy():
    return "unified/" if os.path.isdir(
        "/proc/%d/root/sys/fs/cgroup/unified" % m.leader) else ""


@booted
def sockets_of_systemd():
    """a socket of systemd: the first client starts the service, clients wait
    while it is started again, also after its death, and find it again after a
    stop"""
    path = "/run/lua-fpm-www.sock"
    begin(www=pool(listen="systemd:www"))
    m.good("systemctl", "start", SOCKET)
    equal(m.good("stat", "-c", "%a %U %G", path), "660 www-data www-data\n")
    equal(m.show("ActiveState"), "inactive")
    equal(lua("return text('a')", path).body, b"a")
    until(lambda: m.show("ActiveState") == "active", "it is active")
    load = Load(address(path), clients=4)
    load.more(20)
    old = main_pid()
    m.good("systemctl", "restart", UNIT)
    assert main_pid() != old
    load.more(20)
    done, failures = load.stop()
    equal(failures, [], "%d requests" % done)
    old = main_pid()
    m.good("systemctl", "kill", "-s", "KILL", "--kill-whom=main", UNIT)
    until(lambda: main_pid() != old and m.show("SubState") in
          ("auto-restart", "running"), "what the old one left is killed")
    equal(lua("return text('b')", path).body, b"b")
    assert main_pid() not in (0, old)
    m.good("systemctl", "stop", UNIT)
    equal(lua("return text('c')", path).body, b"c")


@booted
def socket_of_a_bad_configuration():
    """clients of a service whose configuration is bad are refused in the end;
    a start of the service starts the socket, too, that is enabled, whose file
    is gone when it is closed"""
    path = "/run/lua-fpm-www.sock"
    begin(www=pool(listen="systemd:www", nonsense=1))
    m.good("systemctl", "enable", "--now", SOCKET)
    waiting = Background(lua, "return text('a')", path)
    until(lambda: m.show("ActiveState", SOCKET) == "failed", "it gives up")
    assert not waiting.result().complete
    configure(www=pool(listen="systemd:www"))
    m.good("systemctl", "reset-failed", UNIT)
    m.good("systemctl", "start", UNIT)
    equal(lua("return text('b')", path).body, b"b")
    m.good("systemctl", "disable", "--now", SOCKET)
    assert m.call("test", "-e", path) == 1, "a socket nobody listens on"


EAT = "local t = {} while true do t[#t + 1] = ('x'):rep(2^20) end"


@booted
def killed_for_memory():
    """a worker that the kernel kills for its memory is replaced; the master
    and the other workers stay"""
    master = started(www=pool(limits={"memory": 0}))
    if m.show("MemoryCurrent").isdigit():
        m.good("systemctl", "set-property", "--runtime", UNIT,
               "MemoryMax=64M", "MemorySwapMax=0")
        r = lua(EAT)
    else:
        r = in_memory_group()
    assert not r.complete, r
    m.wait_journal("killed by signal 9")
    until(lambda: lua("return text('a')").body == b"a", "others serve")
    equal((main_pid(), m.show("ActiveState"), m.show("NRestarts")),
          (master, "active", "0"))


def in_memory_group():
    """The memory controller is not systemd's: a group of 32 MB for a worker
    that waits, and then eats."""
    if "memory" not in m.groups:
        raise Skip("no memory controller")
    diag("the memory controller is of version 1: systemd does not see it")
    gate = m.gate()
    held = Background(lua, "local f = io.open('/srv/rw/eater', 'w') "
                      "f:write(pid()) f:close() " + gate.lua + EAT)
    gate.wait()
    with open(m.tree + "/srv/rw/eater") as f:
        eater = m.outside(int(f.read()))
    m.limit_memory(eater, 32 << 20)
    gate.open()
    return held.result()


@booted
def reboots():
    """enabled, it is there after a reboot, also if an application of another
    pool does not load"""
    begin(www=pool(), bad=pool(app="/srv/bad/app.lua",
                               listen="/run/lua-fpm/bad.sock"))
    m.good("systemctl", "enable", "--now", UNIT)
    m.call("systemctl", "reboot")
    equal(m.wait_end(), 133, "what systemd-nspawn says of a reboot")
    m.boot()
    equal(m.show("StatusText"), "1 of 2 pools serve")
    equal((lua("return text('a')").body, m.show("NRestarts")), (b"a", "0"))


boots.__doc__ %= machine.SUITE
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
run(180 if machine.is_kept() else 900, machine.NEEDS)

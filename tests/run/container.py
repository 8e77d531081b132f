#!/usr/bin/env python3
"""The daemon as process 1 of a container: a read-only file system, a user
without account and rights, logs into pipes, and the signals, orphans and exit
codes of a first process."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from contained import *

ADDRESS = "http:127.0.0.1:8080"
WRITABLE = ("", "/run/lua-fpm", "size=1m,mode=1777,nosuid,nodev,noexec")
FILE = "/etc/lua-fpm/lua-fpm.conf"
c = None


def image_configuration(**changes):
    """That of the image; changes: regex -> text."""
    with open(SRC + "/conf/container/lua-fpm.conf") as f:
        text = f.read()
    for key, value in changes.items():
        text, n = re.subn(r"(?m)^(\s*)%s = [^;]*;" % key,
                          r"\g<1>%s = %s;" % (key, value) if value else "",
                          text)
        assert n == 1, key
    return text


def container(app=None, text=None, writable=True, **how):
    can_be()
    dir = scratch()
    config_map(dir + "/conf", {
        "lua-fpm.conf": image_configuration() if text is None else text})
    config_map(dir + "/www", {"app.lua": app or app_source("eval.lua")})
    made = Container([(dir + "/conf", "/etc/lua-fpm", "ro"),
                      (dir + "/www", "/srv/www", "ro"),
                      *([WRITABLE] if writable else []),
                      *([(dir + "/rw", "/srv/rw", "rw")]
                        if writable else [])], dir=dir, **how)
    made.own_dir = True
    return made


def started(*args, **how):
    made = container(*args, **how).start("lua-fpm", "-c", FILE)
    made.wait_line("ready: 1 of 1 pools serve")
    return made


def gate(c):
    held = Gate(c)
    held.lua = held.lua.replace(c.dir, "/srv")
    return held


def lua(c, text, **q):
    return c.fetch(ADDRESS, lua=text, **q)


def running(fn):
    """A test point that wants the container that the first one starts."""
    def wrapped():
        if c is None:
            raise Skip("there is no container")
        fn()
    wrapped.__doc__, wrapped.__name__ = fn.__doc__, fn.__name__
    return test(wrapped)


@test
def serves():
    """the configuration of the image serves, as process 1, with nothing to
    write to but the directory of the control socket"""
    global c
    begun = time.monotonic()
    c = started(env={"GREETING": "hello"})
    diag("ready after %.0f ms" % ((time.monotonic() - begun) * 1e3))
    status = c.good("cat", "/proc/1/status")
    matches(r"Name:\tlua-fpm\n", status)
    matches(r"Uid:\t10001\t10001\t10001\t10001\n", status)
    for name in ("CapPrm", "CapEff", "CapBnd"):
        matches(name + r":\t0+\n", status)
    equal(lua(c, "return text(os.getenv('GREETING'))").body, b"hello",
          "the container's environment")
    for place in ("/srv/www/x", "/etc/x", "/tmp/x", "/x"):
        code, _, err = c.call("touch", place)
        assert code != 0 and "Read-only" in err, (place, err)


@running
def looked_at():
    """the health check of the image, ping over HTTP and the metrics say that
    it lives"""
    with open(SRC + "/conf/container/Containerfile") as f:
        check = re.search(r'HEALTHCHECK.*?CMD \[(.*?)\]', f.read(), re.S)[1]
    c.good(*re.findall(r'"(.*?)"', check))
    equal(c.fetch(ADDRESS, uri="/fpm-ping").body, b"pong")
    r = c.fetch("http:127.0.0.1:9253", uri="/fpm-status?openmetrics=")
    matches(r'(?m)^lua_fpm_workers_limit{pool="www"} 4$', r.body.decode())
    equal(c.good("lua-fpmctl", "pools"), "www\n")


@running
def log_streams():
    """standard output has a line for each request but pings, standard error
    the error log, what the application prints and its errors"""
    since = c.mark()
    lua(c, "print('said') error('wrong')", uri="/asked")
    c.wait_line("GET /asked", "stdout")
    c.wait_line(r"\] said$", since=since)
    c.wait_line("wrong", since=since)
    assert "fpm-ping" not in c.read("stdout")
    assert "asked HTTP" not in c.read("stderr", since)


@running
def orphans():
    """processes that an application has left behind, and that became children
    of process 1, are reaped when they end"""
    lua(c, "os.execute('for i in 1 2 3 4 5 6 7 8 9 10; do "
           "setsid sh -c \"sleep 60 & sleep 60 & sleep 60 &\" & done; wait') "
           "return text('')")

    def orphaned():
        return [p for p in children(c.pid) if comm(p) == "sleep"]
    until(lambda: len(orphaned()) == 30, "they are process 1's")
    for pid in orphaned():
        kill(pid, signal.SIGKILL)
    until(lambda: not orphaned() and not zombies(c.pid), "they are reaped")


@running
def reloads():
    """a changed ConfigMap, whose files are links that are replaced at once,
    counts at lua-fpmctl reload and at HUP, and a bad one changes nothing"""
    config_map(c.dir + "/www", {"app.lua": "version = 2\n" +
                                app_source("eval.lua")})
    c.good("lua-fpmctl", "reload")
    equal(lua(c, "return text(version)").body, b"2")
    config_map(c.dir + "/conf", {"lua-fpm.conf": "nonsense = 1;"})
    code, _, err = c.call("lua-fpmctl", "reload")
    equal(code, 1)
    matches("lua-fpm.conf:1: ", err)
    config_map(c.dir + "/conf", {"lua-fpm.conf": image_configuration(
        ping_path='"/alive"')})
    c.kill(signal.SIGHUP)
    until(lambda: c.fetch(ADDRESS, uri="/alive").body == b"pong", "it counts")
    equal(lua(c, "return text(version)").body, b"2")


@running
def other_signals():
    """USR1 keeps the streams, and USR2 makes a new image of process 1, with
    the same sockets"""
    c.kill(signal.SIGUSR1)
    since = c.mark("stdout")
    until(lambda: lua(c, "return text('')", uri="/after").status == 200 and
          "/after" in c.read("stdout", since), "the access log goes on")
    since = c.mark()
    with c.network():
        kept = Conn(ADDRESS)
    with kept:
        equal(kept.ask(keep=True).status, 200)
        c.kill(signal.SIGUSR2)
        c.wait_line("upgraded from ", since=since)
        equal(kept.ask().status, 200)
    equal(lua(c, "return text('')").status, 200)


@running
def stops():
    """TERM: what runs is finished, who comes then is refused, and the exit
    code is 0"""
    held = gate(c)
    with c.network():
        answer = Conn(ADDRESS)
    answer.send(request(lua=held.lua + "return text('finished')",
                        protocol=HTTP))
    held.wait()
    c.kill(signal.SIGTERM)
    c.wait_line("stopping")

    def refused():
        with contextlib.suppress(ConnectionRefusedError), c.network():
            Conn(ADDRESS).close()
            return False
        return True
    until(refused, "nobody listens")
    held.open()
    equal(answer.response().body, b"finished")
    c.ended(0)


@test
def gets_over_time():
    """what has not ended at timeouts.stop is ended, in time for who waits
    longer than that, and the exit code is 0 still"""
    with started(text=image_configuration(stop='"1s"')) as slow:
        held = gate(slow)
        with slow.network():
            lost = Conn(ADDRESS)
        lost.send(request(lua=held.lua + "return text('')", protocol=HTTP))
        held.wait()
        begun = time.monotonic()
        slow.kill(signal.SIGTERM)
        slow.wait_line("does not leave in time: killed")
        slow.ended(0)
        assert time.monotonic() - begun >= 0.9


@test
def stopped_while_it_starts():
    """TERM while the application is still being loaded ends it, too"""
    held = container(app="local f = io.open('/srv/rw/gate1.in', 'w') "
                     "f:close() io.open('/srv/rw/gate1'):read('a')",
                     text=image_configuration(stop='"1s"'))
    with held:
        os.mkfifo(held.dir + "/rw/gate1")
        held.start("lua-fpm", "-c", FILE)
        until(lambda: os.path.exists(held.dir + "/rw/gate1.in"), "it loads")
        held.kill(signal.SIGTERM)
        held.ended(0)


@test
def interrupted():
    """INT and QUIT, as a terminal sends them to process 1, end it too"""
    for signo in (signal.SIGINT, signal.SIGQUIT):
        with started() as one:
            one.stop(signo)


@test
def writes_nowhere():
    """without a control socket it needs no directory that can be written to;
    with one it says which, and ends with 71 or 78"""
    with started(writable=False,
                 text=image_configuration(control=None)) as bare:
        equal(lua(bare, "return text('bare')").body, b"bare")
    for args, expected in ((("-t",), 78), ((), 71)):
        with container(writable=False) as bad:
            bad.launch("lua-fpm", *args, "-c", FILE)
            bad.wait_line("/run/lua-fpm/control.sock: No such file")
            bad.ended(expected)


@test
def exit_codes():
    """a bad configuration ends with 78 and an application that does not load
    with 70, which say why, also into a log that is a pipe"""
    for how, expected, line in (
            ({"text": "pools: {"}, 78, "lua-fpm.conf:"),
            ({"app": "not Lua"}, 70, r"app\.lua:1: ")):
        with container(**how) as bad:
            bad.launch("lua-fpm", "-c", FILE)
            bad.wait_line(line)
            bad.ended(expected)


@test
def from_the_command_line():
    """without a configuration: lua-fpm -l http:*:8080 app.lua"""
    with container().start("lua-fpm", "-l", "http:*:8080",
                           "/srv/www/app.lua") as one:
        one.wait_line("ready")
        equal(lua(one, "return text('hello')").body, b"hello")


run(needs=NEEDS, over=FCGI)

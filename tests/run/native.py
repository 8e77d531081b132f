#!/usr/bin/env python3
"""What C libraries of an application do to its worker: they close descriptors
that are not theirs, and they fork."""

import json
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

ONE = {"mode": "static", "max": 1}
MODULE = r"""
#include <sys/wait.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int
closer(lua_State *L)
{
	lua_pushinteger(L, close((int)luaL_checkinteger(L, 1)));
	return 1;
}

/* Another file in its place. */
int
replacer(lua_State *L)
{
	int null = open("/dev/null", O_RDWR);

	dup2(null, (int)luaL_checkinteger(L, 1));
	close(null);
	return 0;
}

int
forker(lua_State *L)
{
	lua_pushinteger(L, fork());
	return 1;
}

/* A program, as a library that knows nothing of signals starts it. */
int
runner(lua_State *L)
{
	pid_t pid = fork();

	if (pid == 0) {
		execlp("sleep", "sleep", "100", (char *)NULL);
		_exit(127);
	}
	lua_pushinteger(L, pid);
	return 1;
}

int
waiter(lua_State *L)
{
	int status;

	waitpid((pid_t)luaL_checkinteger(L, 1), &status, 0);
	lua_pushinteger(L, status);
	return 1;
}
"""
APP = """
local function from_c(name)
  return assert(package.loadlib("%s", name))
end
close_fd, replace_fd = from_c("closer"), from_c("replacer")
fork, run, wait = from_c("forker"), from_c("runner"), from_c("waiter")
"""


def native(change=lambda text: text, **how):
    """A daemon whose application, eval.lua as changed, has the functions of
    MODULE."""
    d = Daemon(**{"workers": ONE, **how})
    d.write_app(APP % c_module(d.dir, MODULE) +
                change(app_source("eval.lua")))
    return d


def vital(pid):
    """What it has besides the standard three and its logs, of which the error
    log is a pipe: (number, what)."""
    return [(fd, link) for fd, link in fds(pid) if fd > 2 and
            not link.startswith(("/", "pipe:"))]


# ---- descriptors ------------------------------------------------------------


@test
def lost():
    """whichever descriptor of its own a worker loses, closed or replaced: it
    says so, leaves and is replaced, without spinning"""
    d = native()
    d.set_pool("www", workers=ONE,
               listen=[d.dir + "/www.sock", "127.0.0.1:%d" % free_port()])
    with d:
        d.expect("has lost its")
        count = len(vital(d.wait_ready(1)[0]))
        assert count >= 7, count
        for call in ("close_fd", "replace_fd"):
            for n in range(count):
                worker = d.wait_ready(1)[0]
                until(lambda: len(vital(worker)) == count,
                      "the last connection is closed")
                fd, link = vital(worker)[n]
                mark = d.log_mark()
                got = d.lua("%s(%d) return text('done')" % (call, fd))
                equal(got.body, b"done", link)
                d.wait_log(r"error \[pool www\] \[pid %d\] has lost its "
                           % worker, mark)
                until(lambda: not alive(worker), "%s: it leaves" % link)
                until(lambda: d.workers() and worker not in d.workers(),
                      "a new worker")
            equal(d.fetch().body, b"hello")


@test
def lost_dictionary():
    """one by which others see that it lives, while it uses what they share"""
    d = native()
    d.set_pool("www", workers=ONE, shared={"d": "4K"})
    with d:
        d.expect("has lost its shared dictionary")
        worker = d.wait_ready(1)[0]
        fd, = [fd for fd, link in fds(worker) if "lua-fpm-shared" in link]
        d.lua("require('fpm').shared.d:set('a', 'kept') close_fd(%d) "
              "return text('done')" % fd)
        d.wait_log(r"\[pid %d\] has lost its shared dictionary" % worker)
        until(lambda: d.workers() and worker not in d.workers(),
              "a new worker")
        equal(d.lua("return text(require('fpm').shared.d:get('a'))").body,
              b"kept")


@test
def lost_at_start():
    """one lost while the application starts: it does not come up"""
    d = native(lambda text: text.replace("starts = starts + 1", """
        for fd = 3, 64 do
          local f <close> = io.open("/proc/self/fdinfo/" .. fd)
          if f and f:read("a"):find("tfd:") then close_fd(fd) end
        end"""))
    d.write_conf()
    d.spawn()
    equal(d.wait_exit(), 70)
    matches(r"error \[pool www\] .*has lost its means to wait while the "
            r"application started", d.read_log())
    d.check_gone()
    d.destroy()


# ---- processes --------------------------------------------------------------


@test
def comes_back():
    """a forked process that returns into the worker's code ends, says so, and
    has touched neither connection nor log nor count"""
    d = native(status_path="/status")
    d.set_pool("www", workers=ONE, status_path="/status",
               logs={"access": d.dir + "/access.log",
                     "access_format": "%r"})
    with d:
        worker = d.wait_ready(1)[0]
        ways = {
            "local p = fork() return text(p == 0 and 'child' or 'parent')":
                b"parent",
            "local n, p = 0 return text(function() n = n + 1 if n == 2 then "
            "p = fork() end if n < 4 then return p == 0 and 'c' or 'p' end "
            "end)":
                b"ppp",
            "fork() error('x')": None,
            "local p = fork() if p == 0 then env.input:read('a') end "
            "return text(p == 0 and 'child' or env.input:read('a'))":
                b"body",
        }
        for n, (code, body) in enumerate(ways.items()):
            mark = d.log_mark()
            if body is None:
                d.expect("app.lua.*: x|request:1: x")
            with d.connect() as c:
                c.send(request(lua=code, body="body", keep=True))
                got = c.response()
                if body is not None:
                    equal(got.body, body, code)
                equal(got.status, 200 if body else 500, code)
                equal(c.ask(keep=True).body, b"hello", "in step")
            line = d.wait_log(r"\[pool www\] .*process (\d+) was forked by "
                              r"the application", mark)
            until(lambda: not alive(int(line[1])), "it ends")
            equal(d.read_log(mark).count("was forked"), 1)
        equal(d.workers(), [worker])
        until(lambda: len(open(d.dir + "/access.log").readlines()) >=
              2 * len(ways), "the access log")
        seen = json.loads(d.fetch(uri="/status?json").body)
        equal(seen["accepted conn"], 2 * len(ways) + 1)


@test
def comes_back_from_restart():
    """the same from restart, between requests"""
    with native(lambda text: text.replace("restarts = restarts + 1",
                                          "fork()")) as d:
        worker = d.wait_ready(1)[0]
        kill(worker, signal.SIGHUP)
        d.wait_log("was forked by the application")
        equal(d.fetch().body, b"hello")
        equal(d.workers(), [worker])


@test
def signals():
    """what a library forks ends by TERM, as a program that was started from
    anywhere else"""
    with native() as d:
        for signo in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT,
                      signal.SIGUSR1, signal.SIGPIPE):
            pid = int(d.lua("return text(tostring(run()))").body)
            until(lambda: open("/proc/%d/comm" % pid).read() == "sleep\n",
                  "it runs")
            os.kill(pid, signo)
            equal(d.lua("return text(tostring(wait(%d)))" % pid).body,
                  b"%d" % signo)
            equal(d.fetch().body, b"hello")


run(limit=180)

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
    """What it has besides the standard three and its logs: (number, what)."""
    return [(fd, link) for fd, link in fds(pid) if fd > 2 and
            not link.startswith("/")]


def cpu(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


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
                equal(len(vital(worker)), count)
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


run(limit=180)

#!/usr/bin/env python3
"""fpm.log and fpm.worker: what the library knows of the daemon."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

FACTS = ("local w = require('fpm').worker return {}, table.concat({ w.pool, "
         "w.index, w.generation, w.requests, w.pid }, ' ')")


@test
def worker():
    """pool, index, generation, requests and pid; reloads count"""
    with Daemon(workers={"mode": "static", "max": 2}) as d:
        def facts():
            pool, *numbers = d.lua(FACTS).body.decode().split()
            return [pool] + [int(n) for n in numbers]

        first = facts()
        equal(first[0], "www")
        equal(first[2], 1)
        assert first[1] >= 1 and first[4] in d.workers(), first
        by_pid = {}
        for _ in range(50):
            pool, index, _, requests, pid = facts()
            assert by_pid.setdefault(pid, index) == index
            assert requests >= 1
        equal(len(set(by_pid.values())), len(by_pid))
        d.set_pool("www", workers={"mode": "static", "max": 1})
        d.write_conf()
        d.reload()
        until(lambda: facts()[2] == 2, "the second generation serves")
        before = facts()[3]
        equal(facts()[3], before + 1)
        d.kill(signal.SIGUSR2)
        until(lambda: facts()[2] == 3, "the third generation serves")


@test
def worker_is_read_only():
    """a field that is set is an error; an unknown one is nil"""
    with Daemon() as d:
        d.expect("fpm.worker.pool cannot be set")
        equal(d.lua("require('fpm').worker.pool = 'x'").status, 500)
        equal(d.lua("local w = require('fpm').worker "
                    "return {}, tostring(w.nothing) .. tostring(w.log)").body,
              b"nilnil")


@test
def worker_while_loading():
    """known in the file itself; under -t there is no index"""
    with Daemon(app="local w = require('fpm').worker "
                "local line = table.concat({ w.pool, tostring(w.index), "
                "tostring(w.generation) }, ' ') "
                "return { accept = function() return {}, line end }",
                workers={"mode": "static", "max": 1}) as d:
        equal(d.fetch().body, b"www 1 1")
        r = subprocess.run([LUA_FPM, "-t", "-c", d.dir + "/lua-fpm.conf"],
                           capture_output=True, text=True)
        equal(r.returncode, 0, r.stderr)


@test
def log():
    """a line of each level, about the request; below log_level nothing, and no
    tostring"""
    with Daemon(top={"log_level": "info"}) as d:
        d.expect("this is bad", "of after", " warning ")
        d.lua("local log = require('fpm').log "
              "log.debug(setmetatable({}, { __tostring = error })) "
              "log.info('a ', 1, nil, true) log.notice('two\\nlines') "
              "log.warning() log.error('this is bad') "
              "env:after(function() log.error('of after') end) return {}, 'x'",
              uri="/here?x")
        d.wait_log(r" info \[pool www\] .*GET /here\?x: a 1niltrue$")
        d.wait_log(r" notice \[pool www\] .*GET /here\?x: two\\nlines$")
        d.wait_log(r" warning \[pool www\] .*GET /here\?x: $")
        d.wait_log(r" error \[pool www\] \[pid \d+\] \[request \S+\] "
                   r"GET /here\?x: this is bad$")
        d.wait_log(r" error \[pool www\] .*\[request \S+\] GET /here\?x: of "
                   r"after$")


@test
def log_outside_of_requests():
    """without a request the line has none"""
    with Daemon(app="local log = require('fpm').log return { "
                "start = function() log.warning('starting') end, "
                "accept = function() return {}, '' end }") as d:
        d.wait_log(r" warning \[pool www\] \[pid \d+\] starting$")


run()

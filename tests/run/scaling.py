#!/usr/bin/env python3
"""Every command of lua-fpm-scaling(7) does what the page says, and its Lua
program prints what stands there."""

import os
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), p)
                for p in ("..", "../web")]
from harness import *
import page

PAGE = SRC + "/man/lua-fpm-scaling.7"
SECTIONS = ("DESCRIPTION", "WORKERS", "THE KERNEL'S LIMITS", "SEVERAL HOSTS",
            "DEPLOYING", "WHAT TO WATCH")
BLOCKS = [text for section in SECTIONS
          for text in page.literals(section, PAGE)]
COMMANDS = [re.sub(r"^[$#] ", "", text) for block in BLOCKS
            if re.match(r"[$#] ", block)
            for text in re.split(r"\n(?=[$#] )", block.rstrip("\n"))]
APP = """return {
    accept = function(env) return {}, "hello" end,
    setup = function() end,
}"""
port = free_port()
d = Daemon(app=APP, pools={"shop": {"status_listen": [
    "http:127.0.0.1:%d" % port], "workers": {"mode": "static", "max": 2}}})
done = set()


def command(word):
    """The one of the page with that in it, which is then run."""
    (text,) = [c for c in COMMANDS if word in c]
    done.add(text)
    return text


def sh(word, **env):
    """Run it here: its standard output."""
    text = command(word).replace("127.0.0.1:9100", "127.0.0.1:%d" % port)
    text = text.replace("/etc/lua-fpm/lua-fpm.conf", d.file)
    if not os.path.exists("/sys/fs/cgroup/%s/memory.events" %
                          env.get("GROUP", "")):
        text = text.replace("/sys/fs/cgroup", d.dir)
    code, out, err = tool("-c", text, program="sh", env={
        **os.environ, "PATH": d.dir + "/bin:" + os.environ["PATH"],
        "no_proxy": "*", "LC_ALL": "C", **env})
    equal(code, 0, text + ": " + err)
    return out


@test
def starts():
    """with the key that the page wants, a pool shop is there"""
    equal(BLOCKS[0], 'status_listen = "http:127.0.0.1:9100";\n')
    d.top["control"] = d.dir + "/control"
    d.sockets.add(d.top["control"])
    os.mkdir(d.dir + "/bin")
    for name, text in (("lua-fpm", 'exec "%s" "$@"' % LUA_FPM),
                       ("lua-fpmctl", 'exec "%s" -s "%s" "$@"' % (
                           LUA_FPMCTL, d.top["control"]))):
        write("%s/bin/%s" % (d.dir, name), "#!/bin/sh\n%s\n" % text)
        os.chmod("%s/bin/%s" % (d.dir, name), 0o755)
    d.start()
    for _ in range(20):
        equal(d.fetch("shop").body, b"hello")


@test
def little():
    """rate, time and busy workers are those of the status"""
    rate, each, busy = map(float, matches(
        r"^([\d.]+) a second, ([\d.]+) s each: ([\d.]+) busy\n$",
        until(lambda: (lambda said: "inf" not in said and said)(
            sh("latency sum")), "a second has passed")).groups())
    assert rate > 0 and busy < 2, (rate, each, busy)


@test
def erlang():
    """the program prints what stands in it"""
    (text,) = [b for b in BLOCKS if "-->" in b]
    code, out, err = tool("-", program="lua5.4", input=text)
    equal((code, err), (0, ""))
    equal(out.splitlines(), re.findall(r"^--> (.*)$", text, re.M))


@test
def machine():
    """processors, memory and limits are told"""
    if not ROOT:
        raise Skip("who is not root sees no other's memory")
    assert int(sh("nproc")) >= 1
    worker = str(d.workers("shop")[0])
    assert 100 < int(sh("smaps_rollup", PID=worker)) < 200000
    assert worker in sh("lua-fpmctl workers")
    assert int(sh("somaxconn")) > 0
    matches("(?m)^listen queue: +0$", sh("grep '^listen queue'"))
    matches(r"open files +\d", sh("open files", PID=worker))
    write(d.dir + "/memory.events", "low 0\noom 0\noom_kill 0\n")
    matches(r"^oom \d+\noom_kill \d+\n", sh("memory.events", GROUP="."))


@test
def deploying():
    """tried, reloaded, looked at and upgraded under load; none fails"""
    load = Load(d.address("shop"), clients=2, keep=True)
    load.more(20)
    sh("lua-fpm -t")
    old = d.workers("shop")
    d.write_app(APP + "-- new\n")
    sh("lua-fpmctl reload shop")
    until(lambda: not set(old) & set(d.workers("shop")), "new workers")
    matches("shop +serving", sh("lua-fpmctl status shop"))
    old = d.workers("shop")
    sh("lua-fpmctl upgrade")
    until(lambda: not set(old) & set(d.workers("shop")), "new workers")
    load.more(20)
    load.stop()
    equal(load.failures, [])


@test
def refused():
    """a version that does not load changes nothing"""
    d.expect("app.lua", "nothing has changed", "exited with code 70")
    old = d.workers("shop")
    d.write_app("error('bad')")
    code, _, err = tool("-s", d.top["control"], "reload", "shop",
                        program=LUA_FPMCTL)
    assert code != 0 and err, (code, err)
    equal(d.workers("shop"), old)
    d.write_app(APP)


@test
def drained():
    """out of service and back"""
    sh("lua-fpmctl drain shop")
    until(lambda: "drained" in tool("-s", d.top["control"], "status",
                                    program=LUA_FPMCTL)[1], "drained")
    sh("lua-fpmctl resume shop")
    equal(d.fetch("shop").body, b"hello")


@test
def watched():
    """Prometheus gets the metric of the page; no command is left out"""
    found = sh("openmetrics")
    with open(PAGE, encoding="utf-8") as f:
        name = re.search(r"rate\((\w+)", f.read())[1]
    assert "\n%s{" % name in found, name
    if ROOT:
        equal(done, set(COMMANDS))


run(60, needs=("curl", "lua5.4", "awk", "nproc"), over=FCGI)

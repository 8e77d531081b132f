#!/usr/bin/env python3
"""The hosts that tests of several hosts stand on."""

from topology import *

APP = """return { accept = function(env)
    return {}, os.getenv "NAME"
end }"""


def host(lan, name, number):
    return Host(lan, name, number, app=APP, listen=["fcgi:*:9000",
                                                    "http:*:8080"],
                allowed_clients=["10.0.0.0/24"], environment={"NAME": name})


@test
def hosts():
    """three hosts at the same ports answer each for itself, over both
    protocols; one is cut off, and comes back; one is killed, and starts again"""
    lan = Lan()
    hosts = [host(lan, "web%d" % n, 10 + n) for n in (1, 2, 3)]
    for h in hosts:
        h.start()
    for h in hosts:
        for at in ("fcgi:%s:9000", "http:%s:8080"):
            equal(fetch(at % h.ip).body.decode(), h.name)
        matches("lua-fpm .*running", h.ctl("ping"))
    one = hosts[0]
    one.cut()
    try:
        socket.create_connection((one.ip, 8080), 0.2).close()
        raise AssertionError("a host that is cut off takes a connection")
    except OSError:
        pass
    matches("lua-fpm .*running", one.ctl("ping"))
    one.heal()
    equal(fetch("http:%s:8080" % one.ip).status, 200)
    one.kill(signal.SIGKILL)
    one.wait_exit()
    until(lambda: not session(one.pid), "its workers leave")
    one.start()
    one.usr2()
    equal(fetch("http:%s:8080" % one.ip).status, 200)
    for h in hosts:
        h.stop()


run(60, needs=NEEDS, over=FCGI)

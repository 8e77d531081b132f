#!/usr/bin/env python3
"""HAProxy with the configuration of lua-fpm-servers(7)."""

from matrix import *


class HAProxy(Front):
    title = "HAProxy"
    program = "/usr/sbin/haproxy", "-v", r"version ([\d.]+)"
    section = "HAPROXY"
    waiting = AT_ONCE
    stop_signal = signal.SIGUSR1
    places = {"bind :80": "bind 127.0.0.1:%(port)d",
              "/run/lua-fpm/shop.sock": "%(socket)s"}

    def configure(self):
        text = self.block()
        if not ROOT:
            text = re.sub(r"^\s*(user|group) .*\n", "", text, flags=re.M)
        # A connection that stalls would keep it until its timeouts.
        write(self.dir + "/haproxy.cfg", "global\n\thard-stop-after 1s\n" +
              text)
        self.launch(["/usr/sbin/haproxy", "-db", "-f",
                     self.dir + "/haproxy.cfg"])


check(HAProxy, {
    "/a/../b": ("as is", "HAProxy does not normalize paths"),
    "//a//b": ("as is", "HAProxy does not normalize paths"),
    "204, 304": ("closes", "HAProxy ends the connection after a 204", "3.0"),
    "QUERY_STRING without ?": ("nil", "HAProxy sends none"),
    "POST that is not read": ("stalls", "HAProxy forgets the client whose "
                              "request is over before its body"),
    "chunked POST of 1 MB": ("400", "no chunked bodies above a buffer"),
    "  its CONTENT_LENGTH": ("-", "no chunked bodies above a buffer"),
    "  40 KB, no limit": ("502", "more than a buffer"),
    "             1 MB": ("held", "HAProxy keeps back no more than a buffer"),
}, needs=[
    ("pass-header authorization", "Authorization", "nil"),
])
run(180, needs=("/usr/sbin/haproxy", "curl"))

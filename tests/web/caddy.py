#!/usr/bin/env python3
"""Caddy with the block of lua-fpm-servers(7)."""

from matrix import *


class Caddy(Front):
    title = "Caddy"
    program = "/usr/bin/caddy", "version", r"([\d.]+)"
    section = "CADDY"
    waiting = AT_ONCE
    places = {"shop.example.org {": ":%(port)d {\n\tbind 127.0.0.1",
              "/run/lua-fpm/shop.sock": "%(socket)s"}

    def configure(self):
        write(self.dir + "/Caddyfile", "{\n\tadmin off\n}\n" + self.block())
        self.launch(["/usr/bin/caddy", "run", "--config",
                     self.dir + "/Caddyfile", "--adapter", "caddyfile"],
                    env={**os.environ, "HOME": self.dir,
                         "XDG_CONFIG_HOME": self.dir,
                         "XDG_DATA_HOME": self.dir})


check(Caddy, {
    "/a/b: SCRIPT_NAME": ('""', "Caddy puts the path into PATH_INFO"),
    "/a/b: PATH_INFO": ("/a/b", "Caddy puts the path into PATH_INFO"),
    "POST of 80 MB": ("413", "request_body"),
    "/a/../b": ("as is", "Caddy does not normalize paths"),
    "//a//b": ("as is", "Caddy does not normalize paths"),
    "  its CONTENT_LENGTH": ("nil", "Caddy sends -1, which is no number"),
    "cut, no length known": ("unseen", "Caddy ends the response"),
    "  later": ("unseen", "Caddy ends the response"),
}, needs=[
    ("flush_interval -1", "pieces come as made", "late"),
    ("flush_interval -1", "client leaves: 20 B", "never"),
    ("buffer_requests", "slow upload: 1 KB", "held"),
])
run(180, needs=("/usr/bin/caddy", "curl"))

#!/usr/bin/env python3
"""Apache with mod_proxy_fcgi and the block of lua-fpm-servers(7)."""

from matrix import *
from apache_main import ETC, Apache


class Proxy(Apache):
    title = "Apache"
    section = "APACHE WITH MOD_PROXY_FCGI"
    modules = ("proxy", "proxy_fcgi")
    places = {"*:80": "127.0.0.1:%(port)d",
              "/run/lua-fpm/shop.sock": "%(socket)s"}


wants(ETC)
check(Proxy, {
    "/a%2Fb": ("as is", "AllowEncodedSlashes NoDecode"),
    "  its CONTENT_LENGTH": ("nil", "Apache streams the body"),
    "                  14 KB": ("500", "Apache takes 8 KB"),
    "  40 KB, no limit": ("500", "Apache takes 8 KB"),
    "slow upload: 1 KB": ("held", "Apache streams the body"),
    "             1 MB": ("held", "Apache streams the body"),
}, needs=[
    ("CGIPassAuth On", "Authorization", "nil"),
    ("AllowEncodedSlashes NoDecode", "/a%2Fb", "404"),
    (" flushpackets=on", "pieces come as made", "late"),
])
run(180, needs=("/usr/sbin/apache2", "curl"))

#!/usr/bin/env python3
"""Apache with mod_fcgid, which starts the workers itself, and the block of
lua-fpm-servers(7)."""

from matrix import *
from apache_main import ETC, Apache

MODULE = "/usr/lib/apache2/modules/mod_fcgid.so"


class Fcgid(Apache):
    title = "fcgid"
    section = "APACHE WITH MOD_FCGID"
    alone = True
    workers = 16
    modules = ("fcgid",)
    # Files of its own, as many workers as a row wants, and a second where it
    # would wait for three before it replaces one.
    main = """FcgidIPCDir %(dir)s/rw/fcgid
FcgidProcessTableFile %(dir)s/rw/fcgid_shm
FcgidMaxProcessesPerClass %(workers)d
FcgidErrorScanInterval 1
FcgidZombieScanInterval 1
"""
    places = {"*:80": "127.0.0.1:%(port)d",
              "/usr/sbin/lua-fpm": "%(program)s",
              "60s": "%(timeout)s",
              "/srv/shop/app.lua": "%(app)s",
              "/srv/shop/public": "%(dir)s/rw"}

    @classmethod
    def version(cls):
        with open(MODULE, "rb") as f:
            return matches(r"mod_fcgid/([\d.]+)",
                           f.read().decode("latin-1"))[1]


wants(ETC, MODULE)
check(Fcgid, {
    "/a%2Fb": ("as is", "AllowEncodedSlashes NoDecode"),
    "/a/b: SCRIPT_NAME": ("/a", "the path is split where no file is"),
    "/a/b: PATH_INFO": ("/b", "the path is split where no file is"),
    "POST of 80 MB": ("500", "FcgidMaxRequestLen"),
    "                  14 KB": ("500", "mod_fcgid takes 8 KB"),
    "cut, no length known": ("unseen", "mod_fcgid ends the response"),
    "  later": ("unseen", "mod_fcgid ends the response"),
}, needs=[
    ("FcgidPassHeader Authorization", "Authorization", "nil"),
    ("AllowEncodedSlashes NoDecode", "/a%2Fb", "404"),
    ("FcgidMaxRequestLen 67108864", "POST of 50 MB", "500"),
    ("FcgidOutputBufferSize 0", "pieces come as made", "late"),
])
run(180, needs=("/usr/sbin/apache2", "curl"))

#!/usr/bin/env python3
"""lighttpd with the blocks of lua-fpm-servers(7): in front of a socket, and
as the one that starts the workers (bin-path)."""

from matrix import *


class Lighttpd(Front):
    """Configured as by Debian."""
    title = "lighty"
    program = "/usr/sbin/lighttpd", "-v", r"lighttpd/([\d.]+)"
    section = "LIGHTTPD"
    waiting = AT_ONCE
    stop_signal = signal.SIGINT
    places = {"/run/lua-fpm/shop.sock": "%(socket)s"}
    paths = {"server.document-root": '"%(dir)s"',
             "server.upload-dirs": '( "%(dir)s/rw" )',
             "server.errorlog": '"%(dir)s/rw/error.log"',
             "server.pid-file": '"%(dir)s/lighttpd.pid"',
             "server.port": "%(port)d"}

    def main(self):
        with open("/etc/lighttpd/lighttpd.conf") as f:
            text = f.read()
        for key, here in self.paths.items():
            text = re.sub("(?m)^%s *=.*" % re.escape(key),
                          "%s = %s" % (key, here % self.facts), text)
        if not ROOT:
            text = re.sub(r"(?m)^server\.(user|group)name.*\n", "", text)
        return re.sub(r"(?m)^include.*(use-ipv6|conf-enabled).*\n", "", text)

    def configure(self):
        write(self.dir + "/lighttpd.conf", self.main() +
              'server.bind = "127.0.0.1"\nserver.max-connections = 2048\n' +
              self.block())
        self.launch(["/usr/sbin/lighttpd", "-D", "-f",
                     self.dir + "/lighttpd.conf"])


class BinPath(Lighttpd):
    title = "bin"
    section = "LIGHTTPD WITH BIN-PATH"
    alone = True
    workers = 4
    places = {"/run/lighttpd/shop.sock": "%(dir)s/rw/shop.sock",
              "/usr/sbin/lua-fpm": "%(program)s",
              '"60s"': '"%(timeout)s"',
              "/srv/shop/app.lua": "%(app)s",
              '"max-procs" => 4': '"max-procs" => %(workers)d'}


DIFFERS = {
    "paths": ("/a~", "url.access-deny of Debian"),
    "cut, no length known": ("varies", "what it has whole, it gives a length"),
    "/a/b: SCRIPT_NAME": ('""', "fix-root-scriptname"),
    "/a/b: PATH_INFO": ("/a/b", "fix-root-scriptname"),
}
wants("/etc/lighttpd/lighttpd.conf")
check(Lighttpd, DIFFERS, needs=[
    ("server.stream-response-body = 1", "pieces come as made", "late"),
    ("server.stream-response-body = 1", "client leaves: 20 B", "never"),
])
check(BinPath, DIFFERS)
run(180, needs=("/usr/sbin/lighttpd", "curl"))

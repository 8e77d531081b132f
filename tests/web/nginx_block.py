#!/usr/bin/env python3
"""nginx with the block of lua-fpm-servers(7), with that of README.md and with
conf/nginx.conf.example."""

from matrix import *
from nginx_main import MAIN


class Nginx(Front):
    title = "nginx"
    program = "/usr/sbin/nginx", "-v", r"nginx/([\d.]+)"
    section = "NGINX"
    stop_signal = signal.SIGQUIT
    waiting = AT_ONCE
    places = {"listen 80;": "listen 127.0.0.1:%(port)d;",
              "/run/lua-fpm/shop.sock": "%(socket)s"}

    def configure(self):
        os.symlink("/etc/nginx/fastcgi_params", self.dir + "/fastcgi_params")
        write(self.dir + "/shop.conf", self.block())
        self.write("nginx.conf", MAIN)
        self.launch(["/usr/sbin/nginx", "-p", self.dir, "-c",
                     self.dir + "/nginx.conf", "-e", self.dir + "/error.log"])


class Readme(Nginx):
    """A location, in a server of somebody's own."""
    title = "README.md"
    places = {"/run/lua-fpm/shop.sock": "%(socket)s"}

    def block(self):
        return "server {\nlisten 127.0.0.1:%d;\n%s}\n" % (self.port,
                                                         super().block())

    @staticmethod
    def shown():
        return page.readme("nginx")


class Example(Nginx):
    title = "nginx.conf.example"
    places = {"listen 80;": "listen 127.0.0.1:%(port)d;",
              "\tlisten [::]:80;\n": "",
              "/run/lua-fpm/www.sock": "%(socket)s",
              "/srv/www/public": "%(dir)s/rw"}

    @staticmethod
    def shown():
        return page.example()


DIFFERS = {
    "POST of 80 MB": ("413", "client_max_body_size"),
    "  40 KB, no limit": ("502", "more than fastcgi_buffer_size"),
    "               computes": ("seen", "nginx closes the connection as soon "
                                "as its client has gone"),
}


def killed(b):
    """the client notices that a worker was killed: seen"""
    for length in None, 4096:
        equal(CURL[curl(b, "short", "os.execute('kill -9 ' .. pid())", length,
                        False)], "seen")


wants("/etc/nginx/fastcgi_params")
check(Nginx, DIFFERS, more=[killed], needs=[
    ("client_max_body_size 64m;", "POST of 50 MB", "413"),
    ("fastcgi_buffer_size 16k;", "response header of 7 KB", "502"),
])
check(Readme, DIFFERS, some=[r for r in ROWS if "cut" in r or "later" in r])
check(Example, DIFFERS, some=[])
run(180, needs=("/usr/sbin/nginx", "curl"))

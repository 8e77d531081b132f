#!/usr/bin/env python3
"""Access control by the application, behind the servers and with the blocks of
lua-fpm-servers(7)."""

from matrix import *
from apache_main import ETC, Apache
from nginx_main import MAIN

APP, APACHE, LIGHTTPD, NGINX = page.literals("ACCESS CONTROL")
COOKIE = {"Cookie": "session=sesame"}


def make_site(dir):
    """What is served: one file for all and a private one."""
    os.makedirs(dir + "/public/private", exist_ok=True)
    write(dir + "/public/index.html", "for all\n")
    write(dir + "/public/private/page.html", "private\n")


class Authnz(Apache):
    modules = ("authnz_fcgi",)
    places = {"*:80": "127.0.0.1:%(port)d",
              "/srv/shop/public": "%(dir)s/public",
              "127.0.0.1:9000": "%(socket)s"}
    shown = staticmethod(lambda: APACHE)

    def configure(self):
        make_site(self.dir)
        self.main = 'CustomLog %(dir)s/access.log "%%U %%u"\n'
        super().configure()


class Lighttpd(Front):
    program = "/usr/sbin/lighttpd", "-v", r"lighttpd/([\d.]+)"
    stop_signal = signal.SIGINT
    places = {"/run/lua-fpm/shop.sock": "%(socket)s",
              "/srv/shop/public": "%(dir)s/public"}
    shown = staticmethod(lambda: LIGHTTPD)

    def configure(self):
        make_site(self.dir)
        self.write("lighttpd.conf", """server.modules = ( "mod_fastcgi" )
server.document-root = "%(dir)s/public"
server.port = %(port)d
server.bind = "127.0.0.1"
server.errorlog = "%(dir)s/error.log"
index-file.names = ( "index.html" )
""" + self.block().replace("%", "%%"))
        self.launch(["/usr/sbin/lighttpd", "-D", "-f",
                     self.dir + "/lighttpd.conf"])


class Nginx(Front):
    program = "/usr/sbin/nginx", "-v", r"nginx/([\d.]+)"
    stop_signal = signal.SIGQUIT
    places = {"listen 80;": "listen 127.0.0.1:%(port)d;",
              "/run/lua-fpm/shop.sock": "%(socket)s",
              "/srv/shop/public": "%(dir)s/public"}
    shown = staticmethod(lambda: NGINX)

    def configure(self):
        make_site(self.dir)
        os.symlink("/etc/nginx/fastcgi_params", self.dir + "/fastcgi_params")
        write(self.dir + "/shop.conf", self.block())
        self.write("nginx.conf", MAIN)
        self.launch(["/usr/sbin/nginx", "-p", self.dir, "-c",
                     self.dir + "/nginx.conf", "-e", self.dir + "/error.log"])


tcp = "127.0.0.1:%d" % free_port()
d = Daemon(APP, listen=[])
d.set_pool("www", listen=[d.dir + "/www.sock", tcp],
           workers={"mode": "static", "max": 1})


@test
def starts():
    """the application of the page serves both roles"""
    d.start()
    equal(d.fetch().body, b"a page\n")
    equal(tool("-r", "authorizer", "-p", "HTTP_COOKIE=session=sesame",
               d.address(), program=LUA_FCGI)[0], 0)
    equal(tool("-r", "authorizer", d.address(), program=LUA_FCGI)[0], 4)


def guards(front, refusal, address=None):
    """What is private is for who has the cookie, whatever the method and a
    body."""
    if not shutil.which(front.program[0]):
        raise Skip("no " + front.program[0])
    with front(address or d.address()) as s:
        log = s.dir + "/access.log"
        equal(http(s.port)[::2], (200, b"for all\n"))
        for _ in range(3):
            for how in ({}, {"method": "POST", "body": b"x" * 20000}):
                status, _, body = http(s.port, path="/private/page.html",
                                       **how)
                equal(status, 403)
                assert refusal in body, body
            status, headers, body = http(s.port, path="/private/page.html",
                                         headers=COOKIE)
            equal((status, body), (200, b"private\n"))
        status, _, _ = http(s.port, "HEAD", "/private/page.html",
                            headers=COOKIE)
        equal(status, 200)
        status, _, _ = http(s.port, "HEAD", "/private/page.html")
        equal(status, 403)
        if address:
            until(lambda: "/private/page.html ada" in open(log).read(), log)
        return headers


@test
def apache():
    """Apache with mod_authnz_fcgi, over TCP; the user is in its log"""
    if not os.path.exists(ETC):
        raise Skip("no " + ETC)
    guards(Authnz, b"", tcp)


@test
def lighttpd():
    """lighttpd with an authorizer: the refusal is the application's"""
    guards(Lighttpd, b"not for you")


@test
def nginx():
    """nginx with auth_request: what is refused is a page of nginx, and the
    user is handed on"""
    headers = guards(Nginx, b"403 Forbidden")
    equal(headers["X-User"], "ada")


run(90)

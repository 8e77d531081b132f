"""HAProxy and nginx on a host of their own, as lua-fpm-hosts(7) has them."""

import csv
import io

from topology import *
from harness import Server
import page

PAGE = SRC + "/man/lua-fpm-hosts.7"
# What is shorter here, so that a test need not wait for it.
SOONER = () if SANITIZED else (
    (r"inter 1s", "inter 200ms"), (r"timeout check 2s", "timeout check 1s"),
    (r"(timeout server|_read_timeout) 60s", r"\1 4s"),
    (r"(timeout connect|_connect_timeout) 2s", r"\1 500ms"),
    (r"fail_timeout=5s", "fail_timeout=1s"))


def shown(section, place=0):
    return page.literals(section, PAGE)[place]


class Balancer(Server):
    """In front of the hosts of the page, at its own address."""

    def __init__(self, lan, protocol):
        super().__init__()
        self.machine = Machine(lan, "front", 10)
        self.host, self.port, self.protocol = self.machine.ip, 80, protocol
        text = self.configuration()
        for pattern, sooner in SOONER:
            text = re.sub(pattern, sooner, text)
        self.configure(text)

    def enter(self, *command):
        self.launch([*self.machine.inside, "--wd=" + self.dir, *command])

    def destroy(self):
        super().destroy()
        self.machine.destroy()


class HAProxy(Balancer):
    stop_signal = signal.SIGUSR1
    program = "/usr/sbin/haproxy"

    def configuration(self):
        text = shown("HAPROXY")
        if self.protocol == FCGI:
            text = text.partition("\nbackend shop\n")[0] + "\n" + shown("HAPROXY", 1)
        return text.replace("global\n", "global\n\thard-stop-after 1s\n")

    def configure(self, text):
        self.machine.run("mkdir", "/run/haproxy")
        write(self.dir + "/haproxy.cfg", text)
        self.enter(self.program, "-db", "-f", self.dir + "/haproxy.cfg")

    def servers(self):
        """Name -> what HAProxy says of it."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(PATIENCE)
            s.connect(self.machine.root + "/run/haproxy/admin.sock")
            s.sendall(b"show stat\n")
            with s.makefile() as f:
                text = f.read().lstrip("# ")
        return {row["svname"]: row for row in csv.DictReader(io.StringIO(text))
                if row["pxname"] == "shop"}

    def has_out(self, name):
        return self.servers()[name]["status"].startswith("DOWN")


class NginxBalancer(Balancer):
    stop_signal = signal.SIGQUIT
    program = "/usr/sbin/nginx"

    def configuration(self):
        text = shown("NGINX")
        if self.protocol == FCGI:
            text = re.sub(r"\tlocation / \{\n.*?\n\t\}\n",
                          lambda _: shown("NGINX", 1), text, flags=re.S)
            text = text.replace(":8080", ":9000")
        return text

    def configure(self, text):
        temp = "".join("%s_temp_path %s/%s;\n" % (k, self.dir, k) for k in (
            "client_body", "fastcgi", "proxy", "scgi", "uwsgi"))
        text = text.replace("include fastcgi_params",
                            "include /etc/nginx/fastcgi_params")
        write(self.dir + "/nginx.conf", """
user %s; worker_processes 2; daemon off; pid %s/pid;
error_log %s/error.log;
events { worker_connections 768; }
http { access_log off; %s %s }
""" % (pool_user(), self.dir, self.dir, temp, text))
        self.enter(self.program, "-p", self.dir, "-c",
                   self.dir + "/nginx.conf", "-e", self.dir + "/error.log")

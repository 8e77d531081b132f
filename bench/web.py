"""The servers that speak HTTP, each as a process tree of its own."""

import os
import shutil

import applications
import contenders

LISTENER = "http:127.0.0.1:%d"

NGINX = """
%(modules)s
%(user)s
worker_processes %(workers)d;
daemon off;
pid %(base)s.pid;
error_log %(base)s.log warn;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path %(base)s.body;
  fastcgi_temp_path %(base)s.fastcgi;
  proxy_temp_path %(base)s.proxy;
  uwsgi_temp_path %(base)s.uwsgi;
  scgi_temp_path %(base)s.scgi;
  %(upstream)s
  server {
    listen 127.0.0.1:%(port)d backlog=511;
    default_type text/html;
    location / {
      %(location)s
    }
  }
}
"""

# As conf/nginx.conf.example has it, and /etc/nginx/fastcgi_params.
FASTCGI = """
      fastcgi_pass %s;
      fastcgi_param SCRIPT_FILENAME %s.php;
      fastcgi_param QUERY_STRING $query_string;
      fastcgi_param REQUEST_METHOD $request_method;
      fastcgi_param CONTENT_TYPE $content_type;
      fastcgi_param CONTENT_LENGTH $content_length;
      fastcgi_param SCRIPT_NAME $fastcgi_script_name;
      fastcgi_param REQUEST_URI $request_uri;
      fastcgi_param DOCUMENT_URI $document_uri;
      fastcgi_param DOCUMENT_ROOT $document_root;
      fastcgi_param SERVER_PROTOCOL $server_protocol;
      fastcgi_param REQUEST_SCHEME $scheme;
      fastcgi_param GATEWAY_INTERFACE CGI/1.1;
      fastcgi_param SERVER_SOFTWARE nginx/$nginx_version;
      fastcgi_param REMOTE_ADDR $remote_addr;
      fastcgi_param REMOTE_PORT $remote_port;
      fastcgi_param SERVER_ADDR $server_addr;
      fastcgi_param SERVER_PORT $server_port;
      fastcgi_param SERVER_NAME $server_name;
"""

MODULES = "/usr/lib/nginx/modules"


def nginx():
    return shutil.which("nginx", path=contenders.SBIN)


def nginx_lua():
    """nginx if it has the module for Lua."""
    found = os.path.exists(MODULES + "/ngx_http_lua_module.so")
    return nginx() if found else None


class LuaFpm(contenders.LuaFpm):
    """Its own listener."""

    over_http = True

    def listen(self, base, port):
        return LISTENER % port


class Uwsgi(contenders.Uwsgi):
    """The quickest of its ways: a worker serves a connection to its end, and
    the application has to tell the length of its answer for that."""

    over_http = True

    def sockets(self, base, port):
        return ["--http-socket-modifier1", "6", "--http11-socket",
                "127.0.0.1:%d" % port]


class Nginx(contenders.Kind):
    """Answers itself."""

    over_http = True

    def configure(self, base, spec, port, location, modules="", upstream=""):
        user, group = contenders.ordinary_user()
        contenders.write(base + ".nginx", NGINX % {
            "base": base, "workers": spec.workers, "port": port,
            "user": "user %s %s;" % (user, group) if user else "",
            "location": location, "modules": modules, "upstream": upstream})
        return [self.program, "-c", base + ".nginx"]

    def prepare(self, base, spec, port):
        return [self.configure(base, spec, port, 'return 200 "%s";' %
                               applications.HELLO.decode().replace(
                                   "\n", "\\n"))]


class NginxLua(Nginx):
    """With Lua in its workers."""

    def prepare(self, base, spec, port):
        load = "".join("load_module %s/%s.so;" % (MODULES, name) for name in (
            "ndk_http_module", "ngx_http_lua_module"))
        return [self.configure(
            base, spec, port, "content_by_lua_block { %s }" % spec.source(
                applications.NGINX), load)]


class Behind(Nginx):
    """Another kind, which speaks FastCGI, behind nginx.  keep: connections
    that each worker of nginx keeps to it."""

    def __init__(self, name, title, program, other, keep=0):
        super().__init__(name, title, program and other.program and program)
        self.other, self.keep = other, keep

    def prepare(self, base, spec, port):
        socket = "unix:%s.sock" % base
        location = FASTCGI % ("other" if self.keep else socket, base)
        upstream = ""
        if self.keep:
            upstream = "upstream other { server %s; keepalive %d; }" % (
                socket, self.keep)
            location += "fastcgi_keep_conn on;"
        return [*self.other.prepare(base, spec, port),
                self.configure(base, spec, port, location,
                               upstream=upstream)]

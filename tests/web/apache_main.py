"""Apache as Debian configures it, in a scratch directory, around a block of
lua-fpm-servers(7)."""

from matrix import *

ETC = "/etc/apache2/mods-available"
# What Debian enables, and the modules of the block.
MODULES = ("access_compat", "alias", "auth_basic", "authn_core", "authn_file",
           "authz_core", "authz_host", "authz_user", "autoindex", "deflate",
           "dir", "env", "filter", "mime", "mpm_event", "negotiation",
           "reqtimeout", "setenvif", "status")
MAIN = """ServerRoot %(dir)s
PidFile %(dir)s/apache.pid
ErrorLog %(dir)s/error.log
DefaultRuntimeDir %(dir)s
ServerName localhost
Listen 127.0.0.1:%(port)d
"""
ACCESS = """<Directory />
	Options FollowSymLinks
	AllowOverride None
	Require all denied
</Directory>
"""


class Apache(Front):
    program = "/usr/sbin/apache2", "-v", r"Apache/([\d.]+)"
    waiting = 100  # of MaxRequestWorkers, which are 150
    modules = ()
    main = ""

    def configure(self):
        text = MAIN + ACCESS
        if ROOT:
            text += "User %(user)s\nGroup %(group)s\n"
        for module in sorted([*MODULES, *self.modules]):
            for kind in ("load", "conf"):
                name = "%s/%s.%s" % (ETC, module, kind)
                if os.path.exists(name):
                    text += "Include %s\n" % name
        if self.pool.startswith("short"):  # see below CUT
            text += "KeepAliveTimeout 100ms\n"
        self.write("main.conf", text + self.main)
        write(self.dir + "/shop.conf", self.block())
        with open(self.dir + "/main.conf", "a") as f:
            f.write("Include %s/shop.conf\n" % self.dir)
        self.launch(["/usr/sbin/apache2", "-D", "FOREGROUND", "-f",
                     self.dir + "/main.conf"],
                    env={**os.environ, "APACHE_RUN_DIR": self.dir,
                         "APACHE_LOG_DIR": self.dir,
                         "APACHE_LOCK_DIR": self.dir,
                         "APACHE_PID_FILE": self.dir + "/apache.pid"})

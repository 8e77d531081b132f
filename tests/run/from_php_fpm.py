#!/usr/bin/env python3
"""--from-php-fpm: a configuration of php-fpm as one of ours, which -t calls good
once an application is named; for what has no counterpart a comment."""

import atexit
import glob
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

# As such files are published: images, distributions, applications, hosters.
FILES = {
    "image": """
[global]
error_log = /proc/self/fd/2
; https://github.com/docker-library/php/pull/725
log_limit = 8192
daemonize = no
[www]
access.log = /proc/self/fd/2
clear_env = no
; Ensure worker stdout and stderr are sent to the main error log.
catch_workers_output = yes
decorate_workers_output = no
user = www-data
group = www-data
listen = 9000
pm = dynamic
pm.max_children = 5
pm.start_servers = 2
pm.min_spare_servers = 1
pm.max_spare_servers = 3
""",
    "fedora": """
[www]
; RPM: apache user chosen to provide access to the same directories as httpd
user = apache
group = apache
listen = /run/php-fpm/www.sock
listen.acl_users = apache,nginx
;listen.acl_groups =
listen.allowed_clients = 127.0.0.1
pm = dynamic
pm.max_children = 50
pm.start_servers = 5
pm.min_spare_servers = 5
pm.max_spare_servers = 35
slowlog = /var/log/php-fpm/www-slow.log
php_admin_value[error_log] = /var/log/php-fpm/www-error.log
php_admin_flag[log_errors] = on
php_value[session.save_handler] = files
php_value[session.save_path]    = /var/lib/php/session
php_value[soap.wsdl_cache_dir]  = /var/lib/php/wsdlcache
""",
    "alpine": """
[global]
pid = run/php-fpm.pid
error_log = log/php82/error.log
process.max = 128
[www]
user = nobody
group = nobody
listen = 127.0.0.1:9000
pm = ondemand
pm.max_children = 5
pm.process_idle_timeout = 10s;
pm.max_requests = 500
chdir = /
""",
    "cloud": """
[nextcloud]
user = www-data
group = www-data
listen = "/run/php/nextcloud.sock"
listen.owner = www-data
listen.group = www-data
listen.mode = 0660
pm = dynamic
pm.max_children = 120
pm.start_servers = 12
pm.min_spare_servers = 6
pm.max_spare_servers = 18
pm.max_requests = 1000
env[HOSTNAME] = $HOSTNAME
env[PATH] = /usr/local/bin:/usr/bin:/bin
env[TMP] = /tmp
php_admin_value[memory_limit] = 512M
php_value[upload_max_filesize] = 16G
php_admin_value[opcache.interned_strings_buffer] = 16
""",
    "blog": """
[blog.example.org]
user = blog
group = blog
listen = /var/run/$pool.sock
listen.owner = nginx
listen.group = nginx
listen.mode = 0660
listen.backlog = -1
pm = static
pm.max_children = 10
pm.max_requests = 200
request_terminate_timeout = 60s
request_slowlog_timeout = 5s
request_slowlog_trace_depth = 30
slowlog = /var/log/php/$pool.slow.log
security.limit_extensions = .php
php_admin_value[open_basedir] = "/srv/blog:/tmp"
php_admin_value[disable_functions] = exec,passthru,shell_exec,system
""",
    "hoster": """
[web1]
listen = /var/lib/php/web1.sock
listen.owner = web1
listen.group = www-data
listen.mode = 0660
user = web1
group = client1
pm = ondemand
pm.max_children = 10
pm.process_idle_timeout = 10s
pm.max_requests = 0
chdir = /
env[HOSTNAME] = $HOSTNAME
env[TMP] = /var/www/clients/client1/web1/tmp
php_admin_value[open_basedir] = /var/www/clients/client1/web1/web:/tmp
php_admin_value[session.save_path] = /var/www/clients/client1/web1/tmp
php_admin_value[sendmail_path] = "/usr/sbin/sendmail -t -i -f webmaster@x.org"
php_admin_flag[allow_url_fopen] = off
""",
    "shop": """
; two pools in one file: the shop, and its administration with more memory
[global]
emergency_restart_threshold = 10
emergency_restart_interval = 1m
process_control_timeout = 10s
rlimit_files = 65535
events.mechanism = epoll
syslog.facility = daemon
syslog.ident = php-fpm
log_level = warning
systemd_interval = 10
process.priority = -5
[shop]
user = shop
listen = localhost:9001
pm = dynamic
pm.max_children = 200
pm.start_servers = 20
pm.min_spare_servers = 10
pm.max_spare_servers = 40
pm.max_spawn_rate = 64
pm.status_path = /status
ping.path = /ping
ping.response = OK
rlimit_files = 256
rlimit_core = unlimited
process.priority = 5
process.dumpable = yes
access.log = /var/log/$pool.access.log
access.format = "%R - %u %t \\"%m %r%Q%q\\" %s %f %{milli}d %{kilo}M %C%%"
access.suppress_path[] = /ping
access.suppress_path[] = /health.php
php_admin_value[memory_limit] = 2G
[admin]
user = shop
listen = [::]:9002
pm = ondemand
pm.max_children = 8
request_terminate_timeout = 1h
request_terminate_timeout_track_finished = yes
php_value[memory_limit] = -1
""",
    "jail": """
[jail]
prefix = /srv/jail
user = jail
group = jail
listen = sock/php.sock
chroot = $prefix
chdir = /htdocs
pm = static
pm.max_children = 4
slowlog = log/slow.log
access.log = log/access.log
apparmor_hat = jail
listen.setfib = 1
pm.status_listen = 127.0.0.1:9003
""".replace("$prefix", "/srv/jail"),
    "monitored": """
[api]\r
user=www-data\r
listen=0.0.0.0:9004   ; behind a balancer\r
listen.allowed_clients=10.0.0.1, 10.0.0.2,::1\r
pm=dynamic\r
pm.max_children=16\r
pm.start_servers=4\r
pm.min_spare_servers=2\r
pm.max_spare_servers=8\r
pm.status_path=/fpm-status\r
pm.status_listen=127.0.0.1:9005\r
ping.path='/fpm-ping'\r
request_slowlog_timeout=10\r
request_terminate_timeout=10\r
slowlog=/dev/stderr\r
""",
}


def translate(path, code=0):
    got, out, err = tool("--from-php-fpm", path)
    equal(got, code, err)
    return out if code == 0 else err


def fit(d, text):
    """The configuration with users, places and ports that are here, and an
    application."""
    def place(m):
        name = "root" if m[1] in ("chroot", "directory") else \
            os.path.basename(m[2])
        return '%s = "%s/rw/%s"' % (m[1], d.dir, name)
    user = pool_user() or pwd.getpwuid(os.getuid()).pw_name
    group = grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name
    text = text.replace("fpm.log", "log")
    text, n = re.subn(r'# name the application\n\s*app = ".*"',
                      'app = "%s/app.lua"' % d.dir, text)
    assert n == text.count("\tapp = ") > 0, text
    text = re.sub(r'((?:user|owner) = )".*"', r'\1"%s"' % user, text)
    text = re.sub(r'(acl_users = ).*;', r'\1"%s";' % user, text)
    text = re.sub(r'((?<=[_\t])group = )".*"', r'\1"%s"' % group, text)
    text = re.sub(r"\t\tchroot = .*\n", "", text)
    text = re.sub(r'\b(pid_file|error_log|listen|access|slow|directory) = '
                  r'"(/[^"]*)"', place, text)
    return re.sub(r'(?<=[.*\]]):9\d\d\d"',
                  lambda m: ':%d"' % free_port(), text)


def passes(text):
    """-t calls it good, and so does it what -T prints of it."""
    d = Daemon()
    os.makedirs(d.dir + "/rw/root", exist_ok=True)
    d.write_conf(fit(d, text))
    code, out, err = tool("-T", "-c", d.file, cwd=d.dir)
    equal(code, 0, "%s\n%s" % (err, text))
    d.destroy()
    return out


def published(name):
    path = "%s/%s.conf" % (scratch, name)
    write(path, FILES[name])
    return translate(path)


def has(text, *lines):
    for line in lines:
        assert re.search(r"(?m)^\s*%s$" % re.escape(line), text), \
            "no %s in %s" % (line, text)


scratch = tempfile.mkdtemp(prefix="lua-fpm-test-")
atexit.register(shutil.rmtree, scratch)


@test
def debian():
    """www.conf as the package php-fpm installs it; and with each directive
    that is a comment there"""
    paths = glob.glob("/etc/php/*/fpm/pool.d/www.conf")
    if not paths:
        raise Skip("no php-fpm here")
    out = translate(paths[0])
    has(out, 'user = "www-data";', 'mode = "dynamic";', "max = 5;",
        "max_spare = 3;", 'listen_owner = "www-data";')
    assert out.count("# ") == 2, out
    passes(out)
    with open(paths[0]) as f:
        text = re.sub(r"(?m)^;([a-z_.]+(\[\w*\])? *=)", r"\1", f.read())
    write(scratch + "/all.conf", text)
    out = translate(scratch + "/all.conf")
    for word in ("no directive", "not taken over"):
        assert word not in out, out
    for name in re.findall(r"(?m)^([a-z_.]+)(?:\[\w*\])? *=", text):
        assert len(re.findall(r"# %s[ []" % re.escape(name), out)) <= 4, name
    has(out, "max_requests = 500;", 'memory = "32M";', "slow_depth = 20;",
        'access = "/path/to/pools/www/log/www.access.log";')
    passes(out)
    main = paths[0].replace("pool.d/www.conf", "php-fpm.conf")
    has(translate(main), 'listen_owner = "www-data";')
    matches('(?m)^pid_file = "/run/php/', translate(main))


@test
def of_images():
    """descriptors as logs, a port alone, an environment that is kept"""
    out = published("image")
    has(out, 'error_log = "stderr";', 'listen = "*:9000";',
        "clear_environment = false;", 'access = "stderr";',
        "# daemonize = no: the option -D",
        "# log_limit = 8192: lines are logged whole",
        "# catch_workers_output = yes: what workers print is always in the "
        "error log")
    passes(out)
    out = published("alpine")
    has(out, "process_max = 128;", 'mode = "ondemand";',
        'idle_timeout = "10s";',
        "# pid = run/php-fpm.pid: not taken over: it is below the prefix "
        "that php-fpm was built with, and a full path is needed")
    passes(out)


@test
def of_distributions():
    """lists of access, settings of PHP"""
    out = published("fedora")
    has(out, 'listen_acl_users = ( "apache", "nginx" );', "max_spare = 35;",
        'slow = "/var/log/php-fpm/www-slow.log";',
        "# php_value[session.save_handler] = files: a setting of PHP")
    passes(re.sub(r"\s*listen_acl.*", "", out))


@test
def of_applications():
    """$pool, environment, names with dots, memory_limit"""
    out = published("cloud")
    has(out, 'memory = "512M";', 'environment = { HOSTNAME = "${HOSTNAME}"; '
        'PATH = "/usr/local/bin:/usr/bin:/bin"; TMP = "/tmp"; };')
    passes(out)
    out = published("blog")
    has(out, "blog_example_org:", 'listen = "/var/run/blog.example.org.sock";',
        "backlog = 65535;", 'request = "1m";', 'slow = "5s";',
        "# [blog.example.org]: a name here begins with a letter and has "
        "letters, digits, '_' and '-'")
    passes(out)


@test
def of_hosters():
    """a pool for each customer, ondemand; in a root of its own"""
    out = published("hoster")
    has(out, 'group = "client1";', "max_requests = 0;", 'directory = "/";')
    passes(out)
    out = published("jail")
    has(out, 'listen = "/srv/jail/sock/php.sock";', 'chroot = "/srv/jail";',
        'slow = "/srv/jail/log/slow.log";',
        "# apparmor_hat = jail: AppArmorProfile= of the service")
    passes(out)


@test
def of_many_pools():
    """a file with [global] and two pools, and every kind of value"""
    out = published("shop")
    has(out, 'log_level = "warning";', 'listen = "127.0.0.1:9001";',
        "# listen = localhost:9001: names are not looked up: this is "
        "127.0.0.1 now", "spawn_rate = 64;", "dumpable = true;",
        'core = "unlimited";', 'ping_response = "OK";', 'memory = "2G";',
        'access_suppress = ( "/ping", "/health.php" );',
        'access_format = "%R - %u %t \\"%m %r%Q%q\\" %s %f %{milli}d '
        '%{kilo}M %C%%";', 'listen = ( "[::]:9002", "*:9002" );',
        "# php_value[memory_limit] = -1: a setting of PHP")
    equal(out.count("memory ="), 1, "limits")
    if not has_ipv6():
        raise Skip("no IPv6 here")
    passes(out)


@test
def windows_lines():
    """carriage returns, quotes, comments after values; a slow log that could
    never come"""
    out = published("monitored")
    has(out, 'listen = "0.0.0.0:9004";', 'ping_path = "/fpm-ping";',
        'allowed_clients = ( "10.0.0.1", "10.0.0.2", "::1" );',
        'slow = "stderr";', "# not taken over: timeouts.slow = 10s: it is "
        "not below timeouts.request")
    passes(out)


@test
def what_is_wrong():
    """a file that php-fpm refuses is told with its line; values that are none
    here become comments, and control characters are escaped"""
    for text, said in (
            ("[www]\nnonsense\n", r":2: neither \[section\] nor name = value"),
            ("[www\n", ":1: neither"), ("\n= 3\n", ":2: neither"),
            ('[www]\nuser = "x\n', ":2: neither"),
            ("env[X = 3\n", ":1: neither"),
            ("include = none.d/*.conf\n", ":1: No such file"),
            ("include = none.conf\n", "none.conf: No such file"),
            ("include = bad.conf\n", "files include each other too deeply"),
            ("user = \0\n", ": a NUL byte")):
        write(scratch + "/bad.conf", text)
        matches(said, translate(scratch + "/bad.conf", 78))
    matches("No such file", translate(scratch + "/none.conf", 78))
    equal(tool("--from-php-fpm", "a", "b")[0], 64)
    write(scratch + "/odd.conf", """
user = nobody
[1.a]
pm.max_children = 20000
pm = sometimes
group = nogroup
rlimit_files = 8
env[A-B] = x
env[C] = "first"
env[D] = "it\\"s \\\\ $HOME"
env[C] = again
listen = 127.0.0.1:1
listen = php.sock
pm.status_path = status
ping.path = /x
access.suppress_path[] = /y
access.suppress_path[] = y
listen.allowed_clients = any, 10.0.0.1
php_admin_value[memory_limit] = 1K
access.format = "%y"
catch_workers_output = \x1b[2J
unheard_of = 1
[1_a]
listen = 127.0.0.1:9000
[www]
listen = 127.0.0.1:9001
[1_a]
user = root
""")
    out = translate(scratch + "/odd.conf")
    has(out, "p1_a:", "p1_a_2:",
        "# user = nobody: no directive of php-fpm",
        "# pm.max_children = 20000: not taken over: workers.max: expected an "
        "integer as 8, from 1 to 10000",
        '# pm = sometimes: not taken over: workers.mode: expected one of '
        '"static", "dynamic", "ondemand"',
        "# not taken over: group = nogroup: there is no user",
        "# not taken over: limits.files: it is below 64",
        "# not taken over: limits.memory: it is below 256K",
        'environment = { D = "it\\"s \\\\ $HOME"; C = "again"; };',
        "# not taken over: status_path = status: it does not begin with '/'",
        'ping_path = "/x";',
        "# listen.allowed_clients = any, 10.0.0.1: not taken over: any is no "
        "address", 'allowed_clients = "10.0.0.1";',
        r"# catch_workers_output = \x1b[2J: what workers print is always in "
        "the error log", "# unheard_of = 1: no directive of php-fpm")
    matches("# not taken over: logs.access_format: ", out)
    equal(out.count('user = "root";'), 1, "the section goes on")
    assert "status_path =" not in re.sub("#.*", "", out), out
    assert "sock" in out and "\tlisten = \"php" not in out, out


@test
def included():
    """files that it includes, in pools that go on after them; a pool that is
    in two files"""
    os.mkdir(scratch + "/pool.d")
    write(scratch + "/pool.d/b.conf", "[two]\nlisten = 127.0.0.1:2\n")
    write(scratch + "/pool.d/a.conf", "[one]\nlisten = 127.0.0.1:1\n")
    write(scratch + "/main.conf", "[first]\nlisten = 127.0.0.1:3\n"
          "include=pool.d/*.conf\nuser = root\n")
    out = translate(scratch + "/main.conf")
    equal(re.findall(r"(?m)^\t(\w+):$", out), ["first", "one", "two"])
    matches(r'(?s)first:.*user = "root";.*one:', out)


run(60)

"""The servers that are compared, each as a process tree of its own."""

import contextlib
import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time

import applications
import machine

LUA_CONFIG = """
error_log = "%(base)s.log";
pools: {
  bench: {
    app = "%(base)s.lua";
    listen = "%(listen)s";
    listen_mode = "0666";
    %(user)s
    workers: { mode = "static"; max = %(workers)d; };
    logs: { access = "%(access)s"; };
  };
};
"""

PHP_CONFIG = """
[global]
error_log = %(base)s.log
log_level = warning
daemonize = no
[bench]
listen = %(base)s.sock
listen.mode = 0666
%(user)s
pm = static
pm.max_children = %(workers)d
"""

SBIN = os.environ.get("PATH", "") + ":/usr/sbin"
PATIENCE = 20  # seconds


class Failure(Exception):
    """The comparison cannot be made; the text says why."""


def php_fpm():
    names = ("php-fpm8.2", "php-fpm8.3", "php-fpm8.4", "php-fpm")
    found = (shutil.which(name, path=SBIN) for name in names)
    return next((program for program in found if program), None)


def uwsgi():
    """By the name that Debian's package of the plugin for LuaJIT gives it."""
    return shutil.which("uwsgi_luajit")


def ordinary_user():
    """Whom workers run as if we are root, else None; and the group."""
    if os.getuid() != 0:
        return None, None
    for name in ("www-data", "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            return name, grp.getgrgid(user.pw_gid).gr_name
    raise Failure("there is neither a user www-data nor nobody")


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, 0o644)
    hour_ago = time.time() - 3600  # opcache leaves new files alone
    os.utime(path, (hour_ago, hour_ago))


class Kind:
    """How servers of a kind are started; see Server.

    prepare writes what belongs to a server and returns its commands, of which
    each starts a master with spec.workers children.  base is the path of all
    its files, up to the suffix, size that of the answer "large", and port one
    of TCP that is free.
    """

    over_http = False

    def __init__(self, name, title, program):
        self.name, self.title, self.program = name, title, program

    def prepare(self, base, spec, port):
        raise NotImplementedError

    def client_options(self, base):  # pylint: disable=unused-argument
        return []


class LuaFpm(Kind):
    def __init__(self, name, title, program, logs=False):
        super().__init__(name, title, program)
        self.logs = logs

    def listen(self, base, port):  # pylint: disable=unused-argument
        return base + ".sock"

    def prepare(self, base, spec, port):
        user, _ = ordinary_user()
        write(base + ".lua", spec.source(applications.LUA))
        write(base + ".conf", LUA_CONFIG % {
            "base": base, "workers": spec.workers,
            "listen": self.listen(base, port),
            "access": base + ".access" if self.logs else "",
            "user": 'user = "%s";' % user if user else ""})
        return [[self.program, "-c", base + ".conf"]]


class LibFcgi(Kind):
    def prepare(self, base, spec, port):
        command = [self.program, base + ".sock", str(spec.workers)]
        if spec.answer != "hello":
            command.append(str(spec.size or "length"))
        return [command]


class Ceiling(Kind):
    def prepare(self, base, spec, port):
        command = [self.program, base + ".sock", str(spec.workers)]
        if spec.keep:
            command.insert(1, "-k")
        if spec.size:
            command.append(str(spec.size))
        return [command]


class PhpFpm(Kind):
    def prepare(self, base, spec, port):
        user, group = ordinary_user()
        write(base + ".php", spec.source(applications.PHP))
        write(base + ".conf", PHP_CONFIG % {
            "base": base, "workers": spec.workers,
            "user": "user = %s\ngroup = %s" % (user, group) if user else ""})
        return [[self.program, "-F", "-y", base + ".conf", "-d",
                 "expose_php=0", "-d", "opcache.enable=1"] +
                ["-R"] * bool(user)]

    def client_options(self, base):
        return ["-s", base + ".php"]


class Uwsgi(Kind):
    def sockets(self, base, port):  # pylint: disable=unused-argument
        return ["--fastcgi-modifier1", "6", "--fastcgi-socket", base + ".sock",
                "--chmod-socket=666"]

    def prepare(self, base, spec, port):
        user, group = ordinary_user()
        write(base + ".lua", spec.source(applications.UWSGI))
        command = [self.program, "--plugin", "lua", *self.sockets(base, port),
                   "--lua", base + ".lua", "--master", "--die-on-term",
                   "--processes", str(spec.workers), "--listen", "511",
                   "--disable-logging"]
        if user:
            command += ["--master-as-root", "--uid", user, "--gid", group]
        return [command]


class Spec:
    """Which server of a kind: what it answers and with how many workers."""

    def __init__(self, answer, workers, size=0, upload=0, keep=False):
        self.answer, self.workers, self.size = answer, workers, size
        self.upload, self.keep = upload, keep

    def source(self, of):
        return applications.source(of, self.answer, self.size)

    def expected(self, kind):
        """The body of a right answer."""
        if self.size:
            return b"x" * self.size
        if self.answer == "length" and not isinstance(kind, Ceiling):
            return b"%d" % self.upload
        return applications.HELLO

    def server(self, kind):
        """A name for the server, by all that it depends on."""
        keep = "-kept" if self.keep and isinstance(kind, Ceiling) else ""
        return "%s-%s%s-%d%s" % (kind.name, self.answer, self.size or "",
                                 self.workers, keep)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """One that was started; ends with the block that it is used in."""

    def __init__(self, kind, spec, directory):
        self.kind = kind
        self.workers = []  # pids
        self.base = os.path.join(directory, spec.server(kind))
        self.out = self.base + ".out"
        self.port = free_port()
        commands = kind.prepare(self.base, spec, self.port)
        self.size = spec.workers * len(commands)
        with open(self.out, "wb") as out:
            self.masters = [
                subprocess.Popen(command, stdout=out, stderr=out,
                                 start_new_session=True)
                for command in commands]

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.end()
        for master in self.masters:
            try:
                master.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(master.pid, signal.SIGKILL)
                master.wait()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.base + ".sock")

    def end(self):
        """Tell it to end, without waiting for that."""
        for master in self.masters:
            if master.poll() is None:
                master.terminate()

    def failure(self, why=b""):
        with open(self.out, encoding="utf-8", errors="replace") as f:
            return Failure("%s: %s %s" % (
                os.path.basename(self.base), f.read()[-1000:] or "no answer",
                why.decode(errors="replace")))

    def _find_workers(self):
        self.workers = [
            pid for master in self.masters
            for pid, parent in machine.session(master.pid).items()
            if parent == master.pid]

    def wait(self, client, spec, expected):
        """Until all workers are there and it answers as it should."""
        deadline = time.monotonic() + PATIENCE
        while True:
            body, said = client.ask(spec, self)
            self._find_workers()
            if body == expected and len(self.workers) >= self.size:
                return
            time.sleep(0.02)
            if any(master.poll() is not None for master in self.masters):
                raise self.failure()
            if time.monotonic() > deadline:
                raise self.failure((body or b"")[:100] + said)

    def cpu_times(self):
        """By thread; a process that has ended took its own with it."""
        try:
            return machine.cpu_times(
                [master.pid for master in self.masters] + self.workers)
        except OSError as e:
            raise self.failure(b"a process has ended") from e

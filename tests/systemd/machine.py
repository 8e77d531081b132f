"""A Debian that systemd-nspawn boots, with lua-fpm installed as make install
does it, or bare; what it leaves on the machine outside is nothing.

SUITE names the release, by default that of this machine.  What debootstrap
has made is kept where DEBIAN_CACHE says (tests/full/tree)."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
import harness
from harness import BUILD, PATIENCE, ROOT, SRC, Gate, Skip, equal, until

PROGRAMS = ("lua-fpm", "lua-fpmctl", "lua-fcgi")
NEEDS = ("systemd-nspawn", "nsenter", "unshare", "debootstrap", "apt-get")
LIFE = 200  # seconds after which what was booted ends, whatever happens here

# Alone with its mounts and processes: a machine that is killed takes all along.
BOOT = """
mount -t tmpfs tmpfs /run &&
exec systemd-nspawn -q -b --register=no --keep-unit --private-network \
    -M lua-fpm-test -D "$1" systemd.unit=multi-user.target
"""


def release():
    """The code name of Debian here."""
    with open("/etc/os-release") as f:
        found = re.search(r"(?m)^VERSION_CODENAME=(\w+)", f.read())
    return found[1] if found else "bookworm"


SUITE = os.environ.get("SUITE") or release()
# With the libraries of lua-fpm that have one name everywhere.
PACKAGES = "systemd-sysv,dbus,liblua5.4-0,libacl1,libjansson4,libncurses6"


def is_kept():
    """Is there a tree that needs no debootstrap?"""
    return os.path.exists("%s/%s-%s.tar" % (
        os.environ.get("DEBIAN_CACHE"), SUITE, PACKAGES))


def control_groups():
    """name -> directory of this process, for the hierarchies in which systemd
    keeps its groups, and for the memory controller of version 1."""
    own = {}
    with open("/proc/self/cgroup") as f:
        for line in f:
            _, name, path = line.rstrip("\n").split(":", 2)
            own[name] = path
    groups = {}
    with open("/proc/self/mounts") as f:
        for line in f:
            _, place, kind, options = line.split()[:4]
            names = [""] if kind == "cgroup2" else options.split(",") \
                if kind == "cgroup" else []
            for name in ("", "name=systemd", "memory"):
                if name in names and name in own:
                    groups[name] = place + own[name]
    return groups


class Machine:
    def __init__(self):
        self.process = self.leader = None
        self.groups = {}
        self.dir = tempfile.mkdtemp(prefix="lua-fpm-systemd-", dir="/tmp")
        self.tree = self.dir + "/tree"
        self.log = self.dir + "/log"
        harness._live.append(self)

    def tail(self):
        """The end of the journal, or of the log if nothing is booted."""
        if self.leader is not None:
            self.call("journalctl", "-q", "--no-pager", "-n", "15")
            return self.said
        with open(self.log, errors="replace") as f:
            return "".join(f.readlines()[-15:])

    def launch(self, *command, **how):
        """On the machine outside, into the log, and so that destroy() ends
        it."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, **how)

    def wait_end(self):
        code = self.process.wait()
        self.process = self.leader = None
        return code

    def run(self, *command, **how):
        self.launch(*command, **how)
        return self.wait_end()

    # -- making

    def make_bare(self):
        """What Debian's own packages need and find."""
        if self.run("unshare", "--mount", "--pid", "--fork", "--kill-child",
                    SRC + "/tests/full/tree", SUITE, self.tree,
                    PACKAGES) != 0:
            raise Skip("no tree of %s can be made: %s" %
                       (SUITE, (self.tail().splitlines() or [""])[-1]))
        self.installed = {"sbin": "/usr/sbin", "bin": "/usr/bin",
                          "etc": "/etc"}
        os.makedirs(self.tree + "/srv/rw")
        os.chmod(self.tree + "/srv/rw", 0o777)

    def make(self):
        self.make_bare()
        environment = {k: v for k, v in os.environ.items()
                       if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
        equal(self.run("make", "-C", BUILD, "install", "DESTDIR=" + self.tree,
                       env=environment), 0, self.tail())
        self.installed = {name: self.inside(path) for name, path in
                          self.directories().items()}
        self.take_libraries()

    def directories(self):
        out = subprocess.run(
            ["./config.status", "-q", "--file=-"], cwd=BUILD, text=True,
            input="prefix=@prefix@\nexec_prefix=@exec_prefix@\n"
            "sbin=@sbindir@\nbin=@bindir@\netc=@sysconfdir@\n",
            capture_output=True, check=True).stdout
        found = dict(line.split("=", 1) for line in out.splitlines())

        def whole(text):
            return re.sub(r"\$\{(\w+)\}", lambda m: whole(found[m[1]]), text)
        return {name: whole(text) for name, text in found.items()}

    def inside(self, path):
        assert os.path.isdir(self.tree + path), path
        return path

    def take_libraries(self):
        """Programs of this machine find theirs there: those that the tree has
        not are this machine's."""
        os.makedirs(self.tree + "/usr/local/lib", exist_ok=True)
        for name in PROGRAMS:
            out = subprocess.run(["ldd", os.path.join(BUILD, name)],
                                 text=True, capture_output=True).stdout
            for library, path in re.findall(r"(\S+) => (/\S+)", out):
                if not any(os.path.exists(self.tree + d + "/" + library)
                           for d in (os.path.dirname(path), "/usr/lib",
                                     "/usr" + os.path.dirname(path),
                                     "/usr/local/lib")):
                    shutil.copy(path, self.tree + "/usr/local/lib")
        equal(self.run("ldconfig", "-r", self.tree), 0, self.tail())
        if self.run("chroot", self.tree, self.installed["sbin"] + "/lua-fpmctl",
                    "-V") != 0:
            raise Skip("programs of this machine do not run on %s: %s" %
                       (SUITE, self.tail().splitlines()[-1]))

    # -- life

    def make_groups(self):
        """Groups of its own, so that two of these share none."""
        for name, place in control_groups().items():
            path = "%s/lua-fpm-test-%d" % (place, os.getpid())
            try:
                os.mkdir(path)
            except OSError as e:
                raise Skip("no control group can be made: %s" % e) from None
            self.groups[name] = path

    def enter_groups(self):
        for name, path in self.groups.items():
            if name != "memory":
                with open(path + "/cgroup.procs", "w") as f:
                    f.write("0")

    def boot(self):
        if not self.groups:
            self.make_groups()
        self.launch("timeout", "-s", "KILL", str(LIFE), "unshare", "--mount",
                    "--pid", "--fork", "--kill-child", "--mount-proc", "sh",
                    "-c", BOOT, "sh", self.tree,
                    preexec_fn=self.enter_groups)
        self.leader = until(self.find_leader, "systemd is started")
        until(lambda: self.call("systemctl", "is-active", "-q",
                                "multi-user.target") == 0,
              "systemd is up", 60)

    def find_leader(self):
        if self.process.poll() is not None:
            raise Skip("systemd-nspawn does not work here: " +
                       self.tail().strip()[-200:])
        pid = self.process.pid
        for name in ("unshare", "systemd-nspawn", "systemd"):
            found = [p for p in harness.children(pid) if comm(p) == name[:15]]
            if not found:
                return None
            pid = found[0]
        return pid

    def stop(self):
        """As its own systemctl poweroff does it."""
        try:
            if self.process is not None:
                self.call("systemctl", "poweroff")
                equal(self.wait_end(), 0, self.tail())
        finally:
            self.destroy()
        equal([p for p in self.groups.values() if os.path.exists(p)], [])

    def destroy(self):
        if self in harness._live:
            harness._live.remove(self)
        if self.process is not None:
            for pid in harness.session(self.process.pid):
                harness.kill(pid, signal.SIGKILL)
            self.process.wait()
            self.process = None
        for path in self.groups.values():
            until(lambda path=path: remove_group(path), "its groups are empty")
        shutil.rmtree(self.dir, ignore_errors=True)

    # -- inside

    def start_inside(self, *command, **how):
        return subprocess.Popen(
            ["nsenter", "-t", str(self.leader), "-a", "env", "-i",
             "LC_ALL=C", "PATH=%s:%s:/usr/sbin:/usr/bin" % (
                 self.installed["sbin"], self.installed["bin"]), *command],
            stdin=subprocess.DEVNULL, text=True, **how)

    def call(self, *command):
        """A command's exit code; what it says is in self.said."""
        process = self.start_inside(*command, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT)
        try:
            self.said = process.communicate(timeout=60)[0]
        finally:
            process.kill()
            process.wait()
        return process.returncode

    def good(self, *command):
        equal(self.call(*command), 0, "%s: %s" % (command, self.said))
        return self.said

    def write(self, path, text):
        os.makedirs(os.path.dirname(self.tree + path), exist_ok=True)
        harness.write(self.tree + path, text)

    def socket(self, path):
        """A unix socket in there, for a client out here."""
        return "/proc/%d/root%s" % (self.leader, path)

    def outside(self, pid):
        """The number that a process in there has out here."""
        own = os.readlink("/proc/%d/ns/pid" % self.leader)
        for name in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if os.readlink("/proc/%s/ns/pid" % name) == own:
                    with open("/proc/%s/status" % name) as f:
                        numbers = re.search(r"NSpid:(.*)", f.read())[1]
                    if numbers.split()[-1] == str(pid):
                        return int(name)
        raise AssertionError("no process %d" % pid)

    def limit_memory(self, pid, bytes):
        """By a controller of version 1: pid as out here."""
        group = self.groups["memory"] + "/limited"
        os.mkdir(group)
        with open(group + "/memory.limit_in_bytes", "w") as f:
            f.write(str(bytes))
        with open(group + "/cgroup.procs", "w") as f:
            f.write(str(pid))

    def gate(self):
        gate = Gate(self.Outside(self.tree + "/srv"))
        gate.lua = gate.lua.replace(self.tree, "")
        return gate

    class Outside:
        def __init__(self, path):
            self.dir = path

    def show(self, name, unit="lua-fpm.service"):
        return self.good("systemctl", "show", "--value", "-p", name,
                         unit).strip()

    def journal(self, *filters):
        """What the service and systemd about it have written, as objects."""
        out = self.good("journalctl", "-q", "--no-pager", "-o", "json", "-u",
                        "lua-fpm", *filters)
        return [json.loads(line) for line in out.splitlines()]

    def mark(self):
        """What the journal has now is behind it."""
        self.good("journalctl", "--sync")
        self.cursor = self.journal()[-1:]

    def wait_journal(self, regex):
        """The first new entry of this text."""
        after = ["--after-cursor=" + e["__CURSOR"] for e in self.cursor]

        def found():
            for entry in self.journal(*after):
                text = entry["MESSAGE"]
                if isinstance(text, str) and re.search(regex, text):
                    return entry
            return None
        return until(found, "journal: " + regex)


def comm(pid):
    try:
        with open("/proc/%d/comm" % pid) as f:
            return f.read().strip()
    except OSError:
        return ""


def remove_group(path):
    """True if it and all below it are gone."""
    for place, _, _ in os.walk(path, topdown=False):
        try:
            os.rmdir(place)
        except OSError:
            return False
    return True


def can_be():
    """Skip with a reason if no machine can be booted here."""
    if not ROOT:
        raise Skip("not root")
    if harness.SANITIZED:
        raise Skip("sanitizers do not work under the service's filters")

"""Several hosts on one machine: network namespaces on a bridge.

    lan = Lan()                        # this process now stands on the bridge
    a = Host(lan, "web1", 11, app=...) # at 10.0.0.11: a Daemon, not started
    a.start()
    a.ctl("drain", "www")              # lua-fpmctl, on that host
    a.cut(), a.heal()                  # its cable is pulled, and plugged in
    Machine(lan, "front", 10)          # a host without lua-fpm
    machine.run("ip", "addr")          # a program there, to its end

Nothing of it touches the network that the machine has: the script itself
leaves that for a namespace of its own, the bridge is in there, and all of them
vanish with the last process that is in them.  Each host has a network, and a
/run of its own; /tmp, with the scratch directories, is the same for all.  The
script has the address Lan.HOME, where databases for the hosts may listen."""

import ctypes
import os
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", d)
                for d in (".", "web")]
from harness import *
from harness import _live
from upgraded import Upgraded

NEEDS = ("ip", "nsenter", "unshare", "mount")
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
# What a host mounts for itself: what is written there is its own.
OWN = ("/run",)


def _ip(*args):
    code, _, err = tool(*args, program="ip")
    assert code == 0, "ip %s: %s" % (" ".join(args), err)


class Lan:
    """The network.  Of one process there is one, made before any thread is."""

    HOME = "10.0.0.254"
    made = False

    def __init__(self):
        if not Lan.made:
            self._leave()
            Lan.made = True
            _ip("link", "set", "lo", "up")
            _ip("link", "add", "lan", "type", "bridge")
            _ip("addr", "add", self.HOME + "/24", "dev", "lan")
            _ip("link", "set", "lan", "up")

    @staticmethod
    def _leave():
        """Let this process leave the network and the mounts that it found."""
        if not ROOT:
            raise Skip("namespaces of the network are root's")
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNS | CLONE_NEWNET) == -1:
            raise Skip("no namespaces here: " +
                       os.strerror(ctypes.get_errno()))
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)


class Machine:
    """A host: a process that keeps the namespaces, until its standard input
    ends."""

    def __init__(self, lan, name, number):
        self.name, self.ip = name, "10.0.0.%d" % number
        mounts = " && ".join("mount -t tmpfs -o mode=755 lan %s" % d
                             for d in OWN)
        self.keeper = subprocess.Popen(
            ["unshare", "-n", "-m", "sh", "-c",
             mounts + " && echo there && exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            start_new_session=True)
        _live.append(self)
        equal(self.keeper.stdout.readline(), b"there\n", "a host's mounts")
        self.inside = ("nsenter", "-t", str(self.keeper.pid), "-n", "-m")
        self.root = "/proc/%d/root" % self.keeper.pid
        _ip("link", "add", name, "type", "veth", "peer", "name", "eth0",
            "netns", str(self.keeper.pid))
        _ip("link", "set", name, "master", "lan", "up")
        for words in (["addr", "add", self.ip + "/24", "dev", "eth0"],
                      ["link", "set", "eth0", "up"],
                      ["link", "set", "lo", "up"]):
            self.run("ip", *words)

    def run(self, program, *args, code=0, timeout=None):
        """Run a program there to its end, and return what it printed."""
        got, out, err = tool(*self.inside[1:], program, *args,
                             program=self.inside[0], timeout=timeout)
        equal(got, code, "%s: %s %s: %s" % (self.name, program,
                                            " ".join(args), out + err))
        return out + err

    def cut(self):
        """Pull its cable: nothing goes in or out, and nobody is told."""
        _ip("link", "set", self.name, "nomaster")

    def heal(self):
        _ip("link", "set", self.name, "master", "lan")

    def slow(self, delay="100ms"):
        """Let all that it sends be so late; Skip where the kernel cannot."""
        code, _, err = tool(*self.inside[1:], "tc", "qdisc", "add", "dev",
                            "eth0", "root", "netem", "delay", delay,
                            program=self.inside[0])
        if code != 0:
            raise Skip("tc netem: " + err.strip())

    def quick(self):
        self.run("tc", "qdisc", "del", "dev", "eth0", "root")

    def tail(self):
        return ""

    def stop(self):
        self.destroy()

    def destroy(self):
        if self in _live:
            _live.remove(self)
            self.keeper.stdin.close()
            self.keeper.wait(PATIENCE)
            self.keeper.stdout.close()
            tool("link", "del", self.name, program="ip")


class Host(Upgraded):
    """A daemon on a host of its own, with a control socket.  What is said of
    a Daemon holds; its pools listen at addresses of the host."""

    def __init__(self, lan, name, number, **daemon):
        self.machine = Machine(lan, name, number)
        self.name, self.ip = name, self.machine.ip
        super().__init__(**daemon)
        self.inside = (*self.machine.inside, "--wd=" + self.dir)
        self.top["control"] = self.dir + "/control.sock"
        self.sockets.add(self.top["control"])
        self.cut, self.heal = self.machine.cut, self.machine.heal
        self.slow, self.quick = self.machine.slow, self.machine.quick
        self.run = self.machine.run

    def ctl(self, *words, **how):
        """lua-fpmctl, to its end: what it printed."""
        return self.run(LUA_FPMCTL, "-c", self.file, *words, **how)

    def destroy(self):
        super().destroy()
        self.machine.destroy()

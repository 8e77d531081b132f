"""A daemon that is upgraded in place, to itself or to another build."""

from harness import *

NEXT = os.path.join(BUILD, "tests/upgrade/lua-fpm-next")
APART = os.path.join(BUILD, "tests/upgrade/lua-fpm-apart")


def install(program, path):
    """As a package manager does it: a new file under the old name."""
    shutil.copy2(program, path + ".new")
    os.rename(path + ".new", path)


class Upgraded(Daemon):
    """A daemon whose binary is a file of its own in the scratch directory."""

    def spawn(self, args=None, program=None, **how):
        self.program = self.dir + "/lua-fpm"
        install(LUA_FPM, self.program)
        return super().spawn(args, self.program, **how)

    def usr2(self):
        """Upgrade and wait until only new workers are left."""
        old, mark = set(self.workers()), self.log_mark()
        self.kill(signal.SIGUSR2)
        self.wait_log(" upgraded from ", mark)
        self.wait_log(" ready: ", mark)
        n = sum(p["workers"]["max"] for p in self.pools.values()
                if p["workers"]["mode"] == "static")
        until(lambda: len(self.workers()) == n and
              not old & set(self.workers()), "the old workers are gone")
        return mark

    def refused(self, reason):
        """USR2 changes nothing, and the log says why."""
        old, mark = self.workers(), self.log_mark()
        self.expect("upgrade refused")
        self.kill(signal.SIGUSR2)
        self.wait_log(" error .*upgrade refused: .*" + reason, mark)
        self.wait_log("upgrade refused: nothing has changed", mark)
        equal(self.workers(), old)
        equal(self.fetch().status, 200)

#include "master/upgrade.h"

#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/inherit.h"
#include "master/notify.h"
#include "master/probe.h"

static struct {
	const struct upgrade_world *world;
	struct probe probe;
	bool due; /* at the end of this turn */
} self;

/* The absolute path of the binary, to be freed; NULL: it is not known.  It is
 * found by the name that the daemon was called by: that may be a link which
 * will point to another version. */
static char *
find_binary(const char *name)
{
	char path[PATH_MAX], *directory, *whole = NULL;
	ssize_t n;

	if (name[0] == '/')
		return strdup(name);
	if (strchr(name, '/') == NULL) {
		n = readlink("/proc/self/exe", path, sizeof(path) - 1);
		return n == -1 ? NULL : strndup(path, (size_t)n);
	}
	directory = getcwd(NULL, 0);
	if (directory == NULL || asprintf(&whole, "%s/%s", directory, name) ==
	    -1)
		whole = NULL;
	free(directory);
	return whole;
}

static void
refuse(const char *reason)
{
	log_error("upgrade refused: %s", reason);
	outcome_add(&self.world->pools->outcome, "upgrade refused", "%s",
	    reason);
}

static void
probed(bool good)
{
	self.world->raise(good ? EVENT_GOOD : EVENT_BAD);
}

void
upgrade_init(const struct upgrade_world *world)
{
	self.world = world;
	self.probe = (struct probe){ .argv = world->argv,
		.binary = find_binary(world->argv[0]), .loop = world->loop,
		.said = refuse, .over = probed };
	world->pools->stranger = probe_reap;
}

void
upgrade_try(const struct conf *conf)
{
	outcome_clear(&self.world->pools->outcome);
	if (self.probe.binary == NULL)
		refuse("the place of the binary is not known");
	else if (probe_begin(&self.probe, conf) == -1)
		refuse(strerror(errno));
	else {
		log_notice("upgrading: trying %s", self.probe.binary);
		return;
	}
	probed(false);
}

void
upgrade_begin(void)
{
	self.due = true;
}

void
upgrade_turn(void)
{
	if (!self.due)
		return;
	self.due = false;
	self.world->own->version = PACKAGE_VERSION;
	log_flush(); /* what it has counted is lost over exec(3) */
	notify_hand_on();
	inherit_leave();
	if (handover_leave(self.world->pools, self.world->own) == 0)
		execv(self.probe.binary, self.probe.argv);
	refuse(strerror(errno));
	handover_revoke();
	inherit_revoke();
	notify_take_back();
	probed(false);
}

void
upgrade_cancel(void)
{
	probe_cancel();
}

#include "worker/process/vitals.h"

#include <sys/stat.h>

#include <stdatomic.h>
#include <stdlib.h>

#include "worker/net/hub_client.h"
#include "worker/net/poller.h"

struct vital {
	int fd;
	const char *name;
	dev_t device;
	ino_t inode;
};

static struct {
	struct vital *vital;
	size_t n;
	int wait_set, signals;
	const char *_Atomic found;
} self;

static int
add(int fd, const char *name)
{
	struct vital *more;
	struct stat st;

	if (fd == -1)
		return 0;
	more = realloc(self.vital, (self.n + 1) * sizeof(*more));
	if (more == NULL)
		return -1;
	self.vital = more;
	if (fstat(fd, &st) == -1)
		return -1;
	self.vital[self.n++] = (struct vital){ fd, name, st.st_dev, st.st_ino };
	return 0;
}

int
vitals_init(const struct worker_args *args, int wait_set, int signals)
{
	int result;

	self.wait_set = wait_set;
	self.signals = signals;
	result = add(args->channel, "channel to the master");
	for (int i = 0; i < 2; i++)
		result |= add(args->exchange[i], "exchange with its siblings");
	result |= add(args->door, "door of its hub");
	for (size_t i = 0; i < args->nlisteners; i++)
		result |= add(args->listeners[i], "listening socket");
	/* By which others see that it lives (ipc/shared_lock.h). */
	for (size_t i = 0; i < args->nshared; i++)
		result |= add(args->shared[i], "shared dictionary");
	return result;
}

/* Sockets and pipes are known by their inodes.  The descriptors of the poller
 * share one inode, so the wait set is asked whether it still has them. */
const char *
vitals_lost(void)
{
	struct stat st;

	for (const struct vital *v = self.vital; v < self.vital + self.n; v++)
		if (fstat(v->fd, &st) == -1 || st.st_dev != v->device ||
		    st.st_ino != v->inode)
			return v->name;
	if (!hub_client_is_whole())
		return "connection to its hub";
	if (!poller_is_whole(self.wait_set))
		return "means to wait";
	return poller_has(self.wait_set, self.signals) ? NULL : "signals";
}

void
vitals_lose(const char *name)
{
	if (atomic_load(&self.found) == NULL)
		atomic_store(&self.found, name);
}

const char *
vitals_found(void)
{
	return atomic_load(&self.found);
}

bool
vitals_check(void)
{
	const char *lost = vitals_lost();

	if (lost != NULL)
		vitals_lose(lost);
	if (vitals_found() == NULL)
		return false;
	poller_interrupt();
	return true;
}

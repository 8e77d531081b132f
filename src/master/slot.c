#include "master/slot.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"

static void
close_channel(struct slot *slot)
{
	if (slot->channel != -1)
		loop_unwatch(slot->loop, slot->channel);
	fd_close(&slot->channel);
}

/* A worker that closes its end is about to end: reaping tells the rest. */
void
slot_hear(struct slot *slot)
{
	char word;
	ssize_t n = -1;

	while (slot->channel != -1 &&
	    (n = recv(slot->channel, &word, 1, MSG_DONTWAIT)) == 1)
		slot->heard(slot->arg, slot, (enum birth_word)word);
	if (n == 0 || (n == -1 && errno != EAGAIN))
		close_channel(slot);
}

static void
channel_ready(void *arg, int fd, short revents)
{
	(void)fd;
	(void)revents;
	slot_hear(arg);
}

int
slot_fork(struct slot *slot, const struct spawn_order *order, int64_t limit,
    void (*heard)(void *arg, struct slot *slot, enum birth_word word),
    void *arg)
{
	struct spawned child;

	if (spawn_worker(order, &child) == -1)
		return -1;
	memset(slot, 0, sizeof(*slot));
	slot->state = SLOT_STARTING;
	slot->pid = child.pid;
	slot->channel = child.channel;
	slot->born = clock_ms();
	slot->due = slot->born + limit;
	slot->loop = order->loop;
	slot->heard = heard;
	slot->arg = arg;
	/* Without memory for a watch the worker would be deaf and dumb: it is
	 * killed, and its death judged like any other. */
	if (catch_open(&slot->output, order->loop, child.output,
		order->birth.pool->name, child.pid) == -1 ||
	    loop_watch(order->loop, slot->channel, POLLIN, channel_ready,
		slot) == -1) {
		slot_log(slot, LEVEL_ERROR, "cannot be watched: %s: killed",
		    strerror(errno));
		slot_kill(slot);
	}
	return 0;
}

void
slot_tell_leave(struct slot *slot, int64_t limit)
{
	int64_t due = clock_ms() + limit;

	if (slot->state == SLOT_FREE || slot->killed)
		return;
	if (slot->state != SLOT_LEAVING)
		slot->due = -1;
	slot->state = SLOT_LEAVING;
	if (slot->due == -1 || due < slot->due)
		slot->due = due;
	kill(slot->pid, SIGTERM);
}

void
slot_kill(struct slot *slot)
{
	if (slot->state == SLOT_FREE)
		return;
	slot->killed = true;
	slot->due = -1;
	/* Its group, and itself should it not have made one yet. */
	kill(-slot->pid, SIGKILL);
	kill(slot->pid, SIGKILL);
}

void
slot_log(const struct slot *slot, enum log_level level, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_relay(level, slot->output.pool, slot->pid, text, strlen(text));
}

void
slot_bury(struct slot *slot)
{
	catch_close(&slot->output);
	close_channel(slot);
	slot->state = SLOT_FREE;
	slot->pid = 0;
	slot->due = -1;
	slot->succeeds = NULL;
	slot->wish = false;
}

const char *
slot_end_text(int status, char *out, size_t n)
{
	if (WIFSIGNALED(status))
		snprintf(out, n, "was killed by signal %d (%s)",
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(out, n, "exited with code %d", WEXITSTATUS(status));
	return out;
}

#include "master/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/title.h"

static int
ascending(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

/*
 * Close everything but the standard three and what the worker was given: a
 * copy of another worker's channel would hide the master's death from it, a
 * copy of the pid file's lock would outlive the master.
 */
static void
close_others(const struct birth *b)
{
	int spared[b->nlisteners + b->report.nlisteners + 4 + SINK_COUNT];
	size_t n = 0;
	unsigned from = STDERR_FILENO + 1;

	for (size_t i = 0; i < b->nlisteners; i++)
		spared[n++] = b->listeners[i];
	for (size_t i = 0; i < b->report.nlisteners; i++)
		spared[n++] = b->report.listeners[i];
	spared[n++] = b->channel;
	spared[n++] = b->exchange[0];
	spared[n++] = b->exchange[1];
	spared[n++] = log_fd();
	for (int id = 0; id < SINK_COUNT; id++)
		spared[n++] = b->sinks[id].out.fd;
	qsort(spared, n, sizeof(spared[0]), ascending);
	for (size_t i = 0; i < n; i++) {
		if (spared[i] < (int)from)
			continue;
		if (spared[i] > (int)from)
			close_range(from, (unsigned)spared[i] - 1, 0);
		from = (unsigned)spared[i] + 1;
	}
	close_range(from, UINT_MAX, 0);
}

static void
redirect(int output)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null != -1)
		dup2(null, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
}

static _Noreturn void
become_worker(const struct spawn_order *order, int channel, int output)
{
	struct birth birth = order->birth;

	birth.channel = channel;
	/* A group of its own: who hangs is killed with what it has started. */
	setpgid(0, 0);
	score_born(birth.score, birth.slot, getpid());
	loop_leave(order->loop);
	log_identity(birth.pool->name);
	log_share(score_repeats(birth.score, birth.slot));
	redirect(output);
	close_others(&birth);
	title_set("lua-fpm: %s %s", birth.report.on != NULL ? "status of" :
	    "pool", birth.pool->name);
	order->worker(&birth);
}

int
spawn_worker(const struct spawn_order *order, struct spawned *out)
{
	int channel[2] = { -1, -1 }, output[2] = { -1, -1 }, error;

	if (fd_pair(channel) == -1 || fd_pipe(output) == -1)
		goto fail;
	fflush(NULL); /* or the child would write it once more */
	score_born(order->birth.score, order->birth.slot, 0);
	out->pid = fork();
	if (out->pid == 0)
		become_worker(order, channel[1], output[1]);
	if (out->pid == -1) {
		error = errno;
		score_dead(order->birth.score, order->birth.slot);
		errno = error;
		goto fail;
	}
	close(channel[1]);
	close(output[1]);
	out->channel = channel[0];
	out->output = output[0];
	return 0;
fail:
	error = errno;
	for (int i = 0; i < 2; i++) {
		fd_close(&channel[i]);
		fd_close(&output[i]);
	}
	errno = error;
	return -1;
}

#include "master/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

struct ends {
	int channel[2], output[2], orders;
};

static void
redirect(int output)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null != -1)
		dup2(null, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
}

static int
prepare(struct worker_orders *args, struct board *board, struct ends *ends)
{
	struct board_lease lease;

	if (fd_pair(ends->channel) == -1 || fd_pipe(ends->output) == -1 ||
	    board_lease(board, args->number, &lease) == -1)
		return -1;
	args->channel = ends->channel[1];
	args->head = lease.head;
	args->slot = lease.slot;
	ends->orders = worker_args_prepare(args);
	return ends->orders == -1 ? -1 : 0;
}

/*
 * The child gets a process group of its own, so that a kill reaches what it has
 * started too.  It runs in our memory until it is another program, while we
 * wait: a copy of the page tables of many pools for each child would cost more
 * than all the rest.  So it writes to nothing but its own variables.
 */
static pid_t
give_birth(const struct worker_orders *args, const struct ends *ends)
{
	pid_t pid;

	pid = vfork();
	if (pid == 0) {
		setpgid(0, 0);
		redirect(ends->output[1]);
		worker_args_become(args, ends->orders);
	}
	if (pid != -1)
		setpgid(pid, pid); /* by both, as either may be first */
	return pid;
}

static void
close_all(struct ends *ends)
{
	for (int i = 0; i < 2; i++) {
		fd_close(&ends->channel[i]);
		fd_close(&ends->output[i]);
	}
	fd_close(&ends->orders);
}

int
spawn(const struct spawn_order *order, struct spawned *out)
{
	struct ends ends = { { -1, -1 }, { -1, -1 }, -1 };
	struct worker_orders args = order->args;
	int error;

	args.level = log_level_now();
	out->pid = -1;
	if (prepare(&args, order->board, &ends) == 0)
		out->pid = give_birth(&args, &ends);
	if (out->pid == -1) {
		error = errno;
		board_dead(order->board, args.number);
		close_all(&ends);
		errno = error;
		return -1;
	}
	board_born(order->board, args.number, out->pid);
	out->channel = ends.channel[0];
	out->output = ends.output[0];
	ends.channel[0] = ends.output[0] = -1;
	close_all(&ends);
	return 0;
}

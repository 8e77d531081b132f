#include "worker/process/standalone.h"

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "conf/conf_single.h"
#include "ipc/variables.h"
#include "ipc/worker_args.h"
#include "worker/process/worker.h"

/* Move the listening socket away from descriptor 0, where the application
 * would read from it and its children would inherit it.  Its new number, or
 * -1. */
static int
take_listener(void)
{
	int listening = 0, fd, null;
	socklen_t len = sizeof(listening);

	if (getsockopt(STDIN_FILENO, SOL_SOCKET, SO_ACCEPTCONN, &listening,
		&len) == -1 || !listening)
		return -1;
	fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	null = open("/dev/null", O_RDWR);
	if (fd == -1 || null == -1 || fd_nonblock(fd, true) == -1)
		return -1;
	dup2(null, STDIN_FILENO);
	/* spawn-fcgi(1) may have closed the other two. */
	if (fcntl(STDERR_FILENO, F_GETFD) == -1)
		dup2(null, STDERR_FILENO);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	if (null > STDERR_FILENO)
		close(null);
	return fd;
}

_Noreturn void
standalone_main(const char *app)
{
	static struct sink sinks[SINK_COUNT] = { { .out.fd = -1 },
		{ .out.fd = -1 } };
	static struct worker_args args = { .kind = WORKER_KIND_APP,
		.channel = -1,
		.exchange = { -1, -1 },
		.sinks = sinks };
	struct conf_faults faults = { 0 };
	struct conf *conf;
	int listener = take_listener();
	struct why why;

	if (listener == -1) {
		log_error("descriptor 0 is no listening socket: give one with "
			  "spawn-fcgi(1), or an address with -l");
		exit(EX_USAGE);
	}
	log_alone();
	conf = conf_single(app, "fd:0", 1, NULL, &faults);
	args.score = score_alone();
	if (conf == NULL || args.score == NULL ||
	    variables_inherited(&conf->pools[0], &args.inherited) != 0 ||
	    identity_find(&args.identity, &conf->pools[0], &why) == -1) {
		log_error("%s", faults.n > 0 ? faults.item[0].text :
					       strerror(errno));
		exit(EX_OSERR);
	}
	if (geteuid() == 0)
		log_warning("the application runs as root");
	args.pool = &conf->pools[0];
	args.listeners = &listener;
	args.nlisteners = 1;
	worker_main(&args);
}

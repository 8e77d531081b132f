#include "worker/process/standalone.h"

#include <sys/prctl.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/image.h"
#include "base/log.h"
#include "base/log_pipe.h"
#include "base/log_target.h"
#include "base/path.h"
#include "ipc/variables.h"
#include "ipc/worker_args.h"
#include "net/sock.h"
#include "worker/process/worker.h"

static struct {
	char *const *argv;
	char **variables;
	char *directory;
	int listener;
} self;

/* Move the listening socket away from descriptor 0, where the application
 * would read from it and its children would inherit it.  Its new number, or
 * -1. */
static int
take_listener(void)
{
	int fd, null;

	if (!sock_is_listening(STDIN_FILENO))
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

static struct conf *
configure(const struct conf_single *single)
{
	struct conf_faults faults = { 0 };
	struct conf *conf = conf_single(single, &faults);
	char text[CONF_FAULT_TEXT];

	if (conf != NULL)
		return conf;
	for (size_t i = 0; i < faults.n; i++) {
		conf_fault_text(&faults.item[i], text, sizeof(text));
		log_error("%s", text);
	}
	exit(EX_CONFIG);
}

static _Noreturn void
fail(const char *why)
{
	log_error("%s", why);
	exit(EX_OSERR);
}

/* A file becomes stderr, so that it gets what the application prints too. */
static void
open_logs(const struct conf *conf, struct sink *slow)
{
	const char *path = log_target_path(conf->error_log);
	struct why why;
	int fd = -1;

	if (path == NULL && strcmp(conf->error_log, "stderr") != 0) {
		log_error("without a master the error log is a file or "
			  "stderr, not %s", conf->error_log);
		exit(EX_CONFIG);
	}
	if (path != NULL && (fd = path_open_log(path, &why)) == -1) {
		log_error("cannot open %s: %s", path, why.text);
		exit(EX_OSERR);
	}
	if (fd != -1) {
		dup2(fd, STDERR_FILENO);
		dup2(fd, STDOUT_FILENO);
		close(fd);
	}
	log_alone();
	if (conf->pools[0].timeouts.slow > 0 &&
	    sink_open(slow, "stderr", &why) == -1)
		fail(why.text);
}

/* What the process was started with, which the application may change. */
static int
remember(char *const *argv, const struct conf_list *variables)
{
	self.argv = argv;
	self.directory = getcwd(NULL, 0);
	self.variables = calloc(variables->n + 1, sizeof(*self.variables));
	if (self.variables == NULL || self.directory == NULL)
		return -1;
	for (size_t i = 0; i < variables->n; i++)
		self.variables[i] = variables->item[i];
	return 0;
}

/* worker_args.again.  Clients wait meanwhile in the queue of the listener, and
 * signals that the worker blocks until the fresh one waits for them. */
static void
again(void)
{
	int log = log_pipe();

	if (chdir(self.directory) == -1 ||
	    dup2(self.listener, STDIN_FILENO) == -1 ||
	    dup2(log, STDOUT_FILENO) == -1 || dup2(log, STDERR_FILENO) == -1)
		return;
	image_again(self.argv, self.variables);
}

_Noreturn void
standalone_main(const struct conf_single *single, char *const *argv)
{
	static struct sink sinks[SINK_COUNT] = { { .out.fd = -1 },
		{ .out.fd = -1 } };
	static enum sock_protocol protocol = SOCK_FCGI;
	static struct worker_args args = { .kind = WORKER_KIND_APP,
		.channel = -1,
		.exchange = { -1, -1 }, .door = -1,
		.sinks = sinks,
		.listeners = &self.listener,
		.protocols = &protocol,
		.nlisteners = 1,
		.generation = 1,
		.again = again };
	struct conf *conf = configure(single);
	struct why why;

	self.listener = take_listener();
	if (self.listener == -1) {
		log_error("descriptor 0 is no listening socket: give one with "
			  "spawn-fcgi(1), or an address with -l");
		exit(EX_USAGE);
	}
	open_logs(conf, &sinks[SINK_SLOW]);
	args.pool = &conf->pools[0];
	args.score = score_alone();
	if (args.score == NULL ||
	    variables_inherited(args.pool, &args.inherited) != 0 ||
	    remember(argv, &args.inherited) == -1)
		fail(strerror(errno));
	if (identity_find(&args.identity, args.pool, &why) == -1)
		fail(why.text);
	if (geteuid() == 0)
		log_warning("the application runs as root");
	/* The kernel names what it executes by descriptor after its number. */
	prctl(PR_SET_NAME, program_invocation_short_name);
	worker_main(&args);
}

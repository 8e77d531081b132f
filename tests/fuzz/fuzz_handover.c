/*
 * What an image of the daemon leaves to the next one, but for the
 * configurations (fuzz_recall): whatever it says, what comes of it can be
 * given back, and each descriptor that was left open is closed then, once.
 */

#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/sealed.h"
#include "conf/conf_read.h"
#include "fuzz.h"
#include "master/worker_output.h"
#include "master/control.h"
#include "master/generation_impl.h"
#include "master/handover.h"
#include "master/listen.h"
#include "ipc/score_page.h"

#define CHILD 4711 /* the one child that the process has */

/* The numbers of what was left open. */
enum { HEAD = 100, HEAD_READ, SLOT, OTHER_SLOT, LISTENER, EXCHANGE_IN,
	EXCHANGE_OUT, CHANNEL, OUTPUT, CLIENT, END };

int __wrap_waitid(idtype_t type, id_t id, siginfo_t *info, int options);
int __wrap_kill(pid_t pid, int signo);
int __wrap_unlinkat(int dir, const char *name, int flags);
int __real_close(int fd);
int __wrap_close(int fd);

static bool running;

int
__wrap_waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	(void)info;
	must(type == P_PID && (options & WNOHANG) != 0);
	errno = ECHILD;
	return id == CHILD ? 0 : -1;
}

int
__wrap_kill(pid_t pid, int signo)
{
	must(signo == SIGKILL && (pid == CHILD || pid == -CHILD));
	return 0;
}

/* What files are called in there is nobody's here. */
int
__wrap_unlinkat(int dir, const char *name, int flags)
{
	(void)dir;
	(void)name;
	(void)flags;
	return 0;
}

/* Whoever closes one that is closed might have closed somebody else's. */
int
__wrap_close(int fd)
{
	int result = __real_close(fd);

	must(!running || result == 0 || errno != EBADF);
	return result;
}

/* ---- what is left open ----------------------------------------------------- */

static void
put(int fd, int number)
{
	must(dup2(fd, number) == number);
	close(fd);
}

static void
put_memory(int number, size_t size)
{
	int fd = sealed_room("fuzz", size);

	must(fd != -1);
	put(fd, number);
}

static void
put_pair(int type, int number)
{
	int pair[2];

	must(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) == 0);
	put(pair[0], number);
	if (number == EXCHANGE_IN)
		put(pair[1], EXCHANGE_OUT);
	else
		close(pair[1]);
}

static void
leave_open(void)
{
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int pipe[2];

	must(listener != -1 && listen(listener, 1) == 0);
	put(listener, LISTENER);
	put_memory(HEAD, score_head_size(2));
	must((listener = fd_open_again(HEAD, O_RDONLY)) != -1);
	put(listener, HEAD_READ);
	put_memory(SLOT, sizeof(struct score_memory));
	put_memory(OTHER_SLOT, sizeof(struct score_memory));
	put_pair(SOCK_SEQPACKET, EXCHANGE_IN);
	put_pair(SOCK_SEQPACKET, CHANNEL);
	put_pair(SOCK_STREAM, CLIENT);
	must(fd_pipe(pipe) == 0);
	put(pipe[0], OUTPUT);
	close(pipe[1]);
}

static int
lowest_free(void)
{
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	close(fd);
	return fd;
}

/* ---- the next image -------------------------------------------------------- */

static struct conf *
configuration(void)
{
	static const char text[] = "pools: { www: { app = \"/dev/null\"; "
	    "listen = \"fd:104\"; workers: { max = 1; }; }; };";
	struct conf *conf = conf_recall(text, sizeof(text) - 1);

	must(conf != NULL && conf->npools == 1);
	return conf;
}

static void
nobody_asks(struct control_client *client, char *line)
{
	(void)client;
	(void)line;
}

static struct loop *
set_up(void)
{
	struct loop *loop = loop_new();

	must(loop != NULL);
	log_set_level(LEVEL_ALERT);
	control_init(loop, nobody_asks);
	return loop;
}

/* As if every worker had ended. */
static void
bury(struct generation *g)
{
	for (unsigned i = 0; i < g->nslots; i++) {
		if (g->slots[i].state == SLOT_FREE)
			continue;
		must(g->slots[i].pid == CHILD);
		slot_ended(&g->slots[i]);
		slot_bury(&g->slots[i]);
	}
	if (status_server_lives(&g->status_server))
		slot_bury(&g->status_server.slot);
	if (timer_process_lives(&g->timer_process))
		must(timer_process_reap(&g->timer_process, CHILD, 9));
}

static void
give_back(struct pools *pools, struct handover_own *own)
{
	for (struct generation *g = pools->first; g != NULL; g = g->next)
		bury(g);
	pools_free(pools);
	listen_sweep();
	control_close();
	worker_output_finish();
	fd_close(&own->pidfile);
	free(own->pid_path);
	if (strcmp(own->version, "?") != 0)
		free((char *)(uintptr_t)own->version);
}

static bool
is_to_be_run(const struct record *all)
{
	struct record source;

	return record_is_whole(all) && !record_find(all, "source", &source);
}

FUZZ(handover)
{
	static struct loop *loop;
	struct handover_own own = { 0 };
	struct handover handover = { 0 };
	struct pools pools = { 0 };
	int unused;

	if (loop == NULL)
		loop = set_up();
	buf_add(&handover.text, data, size);
	handover.all = (struct record){ .value = handover.text.data,
		.len = handover.text.len };
	if (!is_to_be_run(&handover.all)) {
		buf_free(&handover.text);
		return;
	}
	unused = lowest_free();
	/* What the fuzzer has open was left by nobody. */
	close_range(STDERR_FILENO + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC);
	leave_open();
	pools.options.loop = loop;
	pools.options.quota = &pools.quota;
	must(pools_adopt(&pools, configuration()) == 0);
	running = true;
	handover_revive(&handover, &pools, &own);
	give_back(&pools, &own);
	running = false;
	close(LISTENER); /* which the daemon was given, and keeps */
	for (int fd = HEAD; fd < END; fd++)
		must(fcntl(fd, F_GETFD) == -1);
	must(lowest_free() == unused);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		must(fcntl(fd, F_GETFD) == 0);
}

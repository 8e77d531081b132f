#ifndef TESTS_FORKED_WORKER_H
#define TESTS_FORKED_WORKER_H

/*
 * A worker without Lua.  It takes one connection at a time, answers with its
 * pid and is busy until the client closes.  The last part of the pool's `app`
 * says how it differs:
 *   good     says "restarted" to HUP
 *   stateful would have to be replaced instead
 *   broken   exits with 70 before it is ready; so does any of pool NAME while
 *            there is a file NAME.broken in the working directory
 *   gated    is ready once somebody has written to the FIFO "gate"
 *   mute     never becomes ready
 *   parent   the same, and neither does a child that it has
 *   hander   hands on the first connection that it takes and is busy until
 *            that is served
 *   half     as gated and then broken, but for the first of its kind
 *   lingers  is gone only once somebody has written to the FIFO "gate"
 *   deaf     does not leave
 *   crash    dies by SIGSEGV when it has answered
 *   leaver   leaves of its own accord with code 3 when it has answered
 *   flood    writes without end when it has answered
 *   curious  says what descriptors it has
 *   eager    asks for a successor as soon as it is ready
 *   hasty    is ready late and leaves well at once
 *   liar     says that it is stuck when it has answered, and stays
 *   sleeper  hangs when it is to restart
 *   dreamer  says without end that it has just begun to restart
 *   absent   does so when it is asked what a HUP would make of it
 *   coward   says that it leaves before it is ready, and does so well
 */

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipc/channel.h"
#include "ipc/worker_args.h"

#define LISTENERS_MOST 4

static const struct worker_args *born; /* this process's, in a worker */
static bool shut;		 /* as yet */

static inline bool
worker_is(const char *manner)
{
	const char *slash = strrchr(born->pool->app, '/');

	return strcmp(slash != NULL ? slash + 1 : born->pool->app, manner) ==
	    0;
}

static inline void
say(enum worker_word word)
{
	char byte = (char)word;

	send(born->channel, &byte, 1, MSG_NOSIGNAL);
}

static inline void
worker_list_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	char target[PATH_MAX];
	ssize_t n;

	while ((entry = readdir(dir)) != NULL) {
		n = readlinkat(dirfd(dir), entry->d_name, target,
		    sizeof(target) - 1);
		if (n <= 0 || atoi(entry->d_name) == dirfd(dir))
			continue;
		target[n] = '\0';
		dprintf(STDOUT_FILENO, "fd %s is %s\n", entry->d_name, target);
	}
	closedir(dir);
	dprintf(STDOUT_FILENO, "no more fds\n");
}

static inline bool
worker_is_broken(void)
{
	char name[64];

	snprintf(name, sizeof(name), "%s.broken", born->pool->name);
	return worker_is("broken") || access(name, F_OK) == 0;
}

static inline void
worker_wait(void)
{
	int fd = open("gate", O_RDONLY);

	if (fd != -1)
		close(fd);
}

static inline void
worker_prepare(void)
{
	const struct rlimit none = { 0, 0 };

	dprintf(STDOUT_FILENO, "born\n");
	if (worker_is("curious"))
		worker_list_fds();
	if (worker_is_broken()) {
		dprintf(STDOUT_FILENO, "broken\n");
		_exit(70);
	}
	if (worker_is("coward")) {
		say(WORD_LEAVING);
		_exit(0);
	}
	if (worker_is("parent"))
		fork();
	if (worker_is("mute") || worker_is("parent"))
		for (;;)
			pause();
	if (worker_is("gated"))
		worker_wait();
	if (worker_is("half") && mkdir("half", 0700) == -1) {
		worker_wait();
		_exit(70);
	}
	setrlimit(RLIMIT_CORE, &none);
}

static inline void
worker_flood(void)
{
	/* No line is the one before: those would only be counted. */
	static const char line[] = "a flood flood flood\nb flood flood flood\n";

	while (write(STDOUT_FILENO, line, sizeof(line) - 1) > 0)
		;
	_exit(0);
}

/* One request. */
static inline void
worker_serve(int fd)
{
	const struct score_request request = { .begun = clock_us(),
		.text[TEXT_METHOD] = { "GET", 3 },
		.text[TEXT_URI] = { "/", 1 } };
	const struct score_outcome outcome = { .status = 200 };
	pid_t pid = getpid();
	char byte;

	if (score_busy(born->score, &request))
		say(WORD_CROWDED);
	if (worker_is("hander") && mkdir("handed", 0700) == 0)
		fd_send(born->exchange[1], fd, "", 1);
	else
		send(fd, &pid, sizeof(pid), MSG_NOSIGNAL);
	if (worker_is("crash")) {
		signal(SIGSEGV, SIG_DFL);
		raise(SIGSEGV);
	}
	if (worker_is("leaver")) {
		say(WORD_LEAVING);
		_exit(3);
	}
	if (worker_is("flood"))
		worker_flood();
	if (worker_is("liar")) {
		say(WORD_STUCK);
		for (;;)
			pause();
	}
	while (read(fd, &byte, 1) > 0)
		;
	close(fd);
	score_served(born->score, &outcome);
	score_idle(born->score);
}

static inline void
worker_take(int listener)
{
	int fd = accept(listener, NULL, NULL);

	if (fd == -1)
		return;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	worker_serve(fd);
}

static inline void
worker_adopt(void)
{
	char byte;
	int fd;

	if (fd_receive(born->exchange[0], &fd, &byte, 1) == 1)
		worker_serve(fd);
}

static inline void
worker_leave(void)
{
	struct pollfd waiting;

	if (worker_is("deaf")) {
		dprintf(STDOUT_FILENO, "deaf\n");
		return;
	}
	for (size_t i = 0; i < born->nlisteners && !shut &&
	    !score_heirs(born->score); i++) {
		waiting = (struct pollfd){ born->listeners[i], POLLIN, 0 };
		while (poll(&waiting, 1, 0) == 1)
			worker_take(waiting.fd);
	}
	dprintf(STDOUT_FILENO, "leaving\n");
	say(WORD_LEAVING);
	if (worker_is("lingers"))
		worker_wait();
	_exit(0);
}

static inline void
worker_dream(void)
{
	for (;;) {
		score_restarting(born->score);
		poll(NULL, 0, 1);
	}
}

static inline void
worker_signal(int fd)
{
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo != SIGHUP)
		worker_leave();
	else if (worker_is("dreamer"))
		worker_dream();
	else if (worker_is("sleeper")) {
		score_restarting(born->score);
		for (;;)
			pause();
	}
	else if (worker_is("stateful"))
		say(WORD_REPLACE);
	else {
		dprintf(STDOUT_FILENO, "restarted\n");
		say(WORD_RESTARTED);
	}
}

static inline int
worker_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static inline void
worker_channel(void)
{
	int told;
	enum channel_message message = channel_receive(born->channel,
	    born->sinks, &told);

	if (message == CHANNEL_CLOSED)
		_exit(0); /* the master is gone */
	if (message == CHANNEL_LOG)
		say(WORD_TAKEN);
	if (message == CHANNEL_ORDER && told == ORDER_OPEN)
		shut = false;
	if (message != CHANNEL_ORDER || told != ORDER_ASK)
		return;
	if (worker_is("absent"))
		worker_dream();
	say(worker_is("stateful") ? WORD_OUTDATED : WORD_CURRENT);
}

static inline void worker_main(const struct worker_args *args)
    __attribute__((noreturn));

static inline void
worker_main(const struct worker_args *args)
{
	struct pollfd fds[LISTENERS_MOST + 3];
	nfds_t n = args->nlisteners;

	born = args;
	shut = args->shut;
	if (args->setup)
		say(WORD_NO_SETUP);
	worker_prepare();
	fds[0] = (struct pollfd){ args->channel, POLLIN, 0 };
	fds[1] = (struct pollfd){ worker_signals(), POLLIN, 0 };
	fds[2] = (struct pollfd){ args->exchange[0], POLLIN, 0 };
	for (size_t i = 0; i < n; i++)
		fds[i + 3] = (struct pollfd){ args->listeners[i], POLLIN, 0 };
	if (worker_is("hasty"))
		usleep(150000); /* loads */
	score_idle(args->score);
	say(WORD_READY);
	dprintf(STDOUT_FILENO, "ready\n");
	if (worker_is("eager"))
		say(WORD_REPLACE);
	if (worker_is("hasty")) {
		say(WORD_LEAVING);
		_exit(0);
	}
	for (;;) {
		poll(fds, shut ? 2 : n + 3, -1);
		if (fds[0].revents != 0)
			worker_channel();
		if (fds[1].revents != 0)
			worker_signal(fds[1].fd);
		if (fds[2].revents != 0)
			worker_adopt();
		for (size_t i = 0; i < n; i++)
			if (fds[i + 3].revents != 0)
				worker_take(args->listeners[i]);
	}
}

#endif

#include "master/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "ipc/sink.h"
#include "master/daemon.h"
#include "net/sock_try.h"

/* The pid in the pid file; 0: none. */
static pid_t
named(const char *path)
{
	int fd = path == NULL ? -1 :
	    open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	char text[24] = "";
	int64_t pid = 0;

	if (fd == -1)
		return 0;
	if (read(fd, text, sizeof(text) - 1) > 0) {
		text[strspn(text, "0123456789")] = '\0';
		num_integer(text, 1, INT32_MAX, &pid);
	}
	close(fd);
	return (pid_t)pid;
}

/* The pid of the process that listens on the control socket; 0: none. */
static pid_t
behind(const char *path)
{
	struct ucred peer = { 0 };
	struct sock_address address;
	socklen_t len = sizeof(peer);
	int fd;

	if (path == NULL || sock_parse(path, &address, NULL) == -1)
		return 0;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return 0;
	if (connect(fd, &address.sa.any, address.len) == -1 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == -1)
		peer.pid = 0;
	fd_close(&fd);
	return peer.pid;
}

/* The variable is removed: applications, which are tried later, must not see
 * it. */
static pid_t
running_daemon(const struct conf *conf)
{
	const char *text = getenv(CHECK_DAEMON);
	int64_t pid = 0;

	if (text == NULL)
		return conf->pid_file != NULL ? named(conf->pid_file) :
						behind(conf->control);
	num_integer(text, 1, INT32_MAX, &pid);
	unsetenv(CHECK_DAEMON);
	return (pid_t)pid;
}

static int
try_address(const char *text, pid_t daemon, struct why *why)
{
	struct sock_address address;

	return sock_parse(text, &address, why) == -1 ||
	    sock_try(&address, daemon, why) == -1 ? -1 : 0;
}

static bool
check_list(const struct conf_pool *pool, const char *key,
    const struct conf_list *list, pid_t daemon, struct conf_faults *faults)
{
	struct why why;
	bool bad = false;

	for (size_t i = 0; i < list->n; i++) {
		if (try_address(list->item[i], daemon, &why) == 0)
			continue;
		conf_fault(faults, pool->file, pool->line,
		    "pool %s: %s %s: %s", pool->name, key, list->item[i],
		    why.text);
		bad = true;
	}
	return bad;
}

bool
check_start(const struct conf *conf, const char *file,
    struct conf_faults *faults)
{
	pid_t daemon = running_daemon(conf);
	bool bad = sink_check(conf, faults);
	const struct conf_pool *pool;
	struct why why;

	if (conf->pid_file != NULL &&
	    pidfile_check(conf->pid_file, &why) == -1) {
		conf_fault(faults, file, 0, "pid_file: %s", why.text);
		bad = true;
	}
	if (conf->control != NULL &&
	    try_address(conf->control, daemon, &why) == -1) {
		conf_fault(faults, file, 0, "control: %s", why.text);
		bad = true;
	}
	for (pool = conf->pools; pool < conf->pools + conf->npools; pool++) {
		bad |= check_list(pool, "listen", &pool->listen, daemon,
		    faults);
		bad |= check_list(pool, "status_listen", &pool->status_listen,
		    daemon, faults);
	}
	return bad;
}

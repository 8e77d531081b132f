#include "base/log_target.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"

#define SYSLOG_SOCKET  "/dev/log"
#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define DATAGRAM_MOST  65536

/* ---- opening ------------------------------------------------------------- */

static int
connect_to(int fd, const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	return connect(fd, (const struct sockaddr *)&to, sizeof(to));
}

static int
open_socket(const char *path, int *away)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	*away = fd != -1 && connect_to(fd, path) == -1 ? errno : 0;
	return fd;
}

/* As open_socket, but -1 with errno if the other end cannot be reached. */
static int
reach(const char *path)
{
	int away, fd = open_socket(path, &away);

	if (away == 0)
		return fd;
	fd_close(&fd);
	errno = away;
	return -1;
}

static int
or_why(int fd, struct why *why)
{
	if (fd == -1)
		why_set(why, "%s", strerror(errno));
	return fd;
}

/* True if fd is the stream to the journal that systemd.exec(5) names. */
static bool
is_journal(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t device, inode;
	struct stat st;

	return stream != NULL &&
	    sscanf(stream, "%ju:%ju", &device, &inode) == 2 &&
	    fstat(fd, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

/* Under systemd the journal's socket, which takes fields; if it cannot be
 * reached, the stream that is stderr, which takes levels. */
static int
open_stderr(enum log_form *form)
{
	int fd;

	if (is_journal(STDERR_FILENO)) {
		*form = FORM_JOURNAL;
		fd = reach(JOURNAL_SOCKET);
		if (fd != -1)
			return fd;
		*form = FORM_PREFIX;
	}
	return writer_own(STDERR_FILENO); /* 2 itself may be replaced later */
}

void
log_target_take(struct log_target *target, int fd, enum log_form form,
    char *path)
{
	int old = target->out.fd;

	free(target->path);
	target->path = path;
	target->form = form;
	target->away = 0;
	writer_set(&target->out, fd);
	if (old > STDERR_FILENO && old != fd)
		close(old);
}

void
log_target_move(struct log_target *to, struct log_target *from)
{
	log_target_take(to, from->out.fd, from->form, from->path);
	to->away = from->away;
	*from = (struct log_target){ .out.fd = -1 };
}

int
log_target_open(struct log_target *target, const char *name,
    enum log_form form, struct why *why)
{
	char *path = NULL;
	int fd = -1, away = 0;

	if (strcmp(name, "stderr") == 0) {
		fd = or_why(open_stderr(&form), why);
	} else if (strcmp(name, "syslog") == 0) {
		form = FORM_SYSLOG;
		fd = or_why(open_socket(SYSLOG_SOCKET, &away), why);
	} else if (strcmp(name, "journal") == 0) {
		form = FORM_JOURNAL;
		fd = or_why(reach(JOURNAL_SOCKET), why);
	} else if ((path = strdup(name)) == NULL) {
		or_why(-1, why);
	} else {
		fd = path_open_log(path, why);
	}
	if (fd == -1) {
		free(path);
		return -1;
	}
	if (form == FORM_TEXT && isatty(fd))
		form = FORM_TERMINAL;
	log_target_take(target, fd, form, path);
	target->away = away;
	return 0;
}

const char *
log_target_path(const char *name)
{
	return strcmp(name, "stderr") == 0 || strcmp(name, "syslog") == 0 ||
	    strcmp(name, "journal") == 0 ? NULL : name;
}

static const char *
socket_of(const struct log_target *target)
{
	if (target->form == FORM_SYSLOG)
		return SYSLOG_SOCKET;
	return target->form == FORM_JOURNAL ? JOURNAL_SOCKET : NULL;
}

int
log_target_reopen(struct log_target *target, struct why *why)
{
	const char *to = socket_of(target);
	int fd, old = target->out.fd;

	if (target->path == NULL && to == NULL)
		return 0;
	fd = to != NULL ? or_why(reach(to), why) :
	    path_open_log(target->path, why);
	if (fd == -1)
		return -1;
	writer_set(&target->out, fd);
	close(old);
	return 0;
}

/* ---- writing ------------------------------------------------------------- */

/* An entry that is too long for a datagram is sent as a sealed file. */
static int
send_as_file(int sock, const char *data, size_t n)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE |
	    F_SEAL_SEAL;
	int fd = memfd_create("lua-fpm log", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int result = -1;

	if (fd == -1)
		return -1;
	if (fd_write_all(fd, data, n) == 0 &&
	    fcntl(fd, F_ADD_SEALS, seals) == 0 &&
	    fd_send(sock, fd, "", 0) != -1)
		result = 0;
	close(fd);
	return result;
}

/* True if the other end of a socket has gone; it may be back by now. */
static bool
is_deserted(int error)
{
	return error == ECONNREFUSED || error == ENOTCONN ||
	    error == ECONNRESET || error == EPIPE;
}

int
log_target_write(struct log_target *target, const char *line, size_t n)
{
	struct writer *out = &target->out;

	if (target->form == FORM_JOURNAL && n > DATAGRAM_MOST &&
	    send_as_file(out->fd, line, n) == 0)
		return 0;
	if (target->form == FORM_SYSLOG && n > DATAGRAM_MOST)
		n = DATAGRAM_MOST; /* more than most syslog daemons accept */
	if (writer_write(out, line, n) == 0)
		return 0;
	if (target->path != NULL)
		writer_mend(out);
	/* Connect this very socket again: other processes may share it. */
	if (socket_of(target) == NULL || !is_deserted(out->error) ||
	    connect_to(out->fd, socket_of(target)) == -1)
		return -1;
	out->lost--;
	return writer_write(out, line, n);
}

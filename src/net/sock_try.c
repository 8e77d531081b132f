#include "net/sock_try.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "net/sock.h"
#include "net/sock_queue.h"

#define LOOKS 10 /* at a table that changes */

/* ---- who listens --------------------------------------------------------- */

/* Does that process hold the socket?  One of our own user that hides its
 * descriptors even from it is believed to. */
static bool
holds(pid_t holder, uintmax_t inode)
{
	char name[64], link[64] = "", wanted[64];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	if (holder == 0)
		return false;
	snprintf(name, sizeof(name), "/proc/%ld/fd", (long)holder);
	snprintf(wanted, sizeof(wanted), "socket:[%ju]", inode);
	if ((dir = opendir(name)) == NULL)
		return errno == EACCES && kill(holder, 0) == 0;
	while (!found && (entry = readdir(dir)) != NULL) {
		memset(link, 0, sizeof(link));
		if (readlinkat(dirfd(dir), entry->d_name, link,
			sizeof(link) - 1) > 0)
			found = strcmp(link, wanted) == 0;
	}
	closedir(dir);
	return found;
}

/* A line of /proc/net/unix: the inode of a socket that listens at that
 * address; 0: it is about something else. */
static uintmax_t
unix_line(const char *line, const struct sock_address *address)
{
	struct sock_address other;
	uintmax_t inode;
	unsigned flags;
	char path[sizeof(other.sa.un.sun_path)];

	if (sscanf(line, "%*[^:]: %*x %*x %x %*x %*x %ju %107[^\n]", &flags,
		&inode, path) != 3 || (flags & 0x10000) == 0 ||
	    strchr(path, '/') == NULL || sock_parse(path, &other, NULL) == -1)
		return 0;
	sock_locate(&other);
	return sock_same(&other, address) ? inode : 0;
}

/* A line of /proc/net/tcp or tcp6, likewise: at an address that shuts this
 * one out. */
static uintmax_t
inet_line(const char *line, const struct sock_address *address)
{
	struct sock_address other = { .kind = SOCK_INET, .len = address->len,
		.sa.any.sa_family = address->sa.any.sa_family };
	bool six = address->sa.any.sa_family == AF_INET6;
	uint32_t *word = six ? other.sa.in6.sin6_addr.s6_addr32 :
			       &other.sa.in.sin_addr.s_addr;
	unsigned port, state;
	uintmax_t inode;
	char host[33];

	if (sscanf(line, "%*d: %32[0-9A-F]:%x %*[0-9A-F]:%*x %x %*s %*s %*s "
		"%*d %*d %ju", host, &port, &state, &inode) != 4 ||
	    state != 0x0a || strlen(host) != (six ? 32 : 8))
		return 0;
	for (size_t i = 0; i < (six ? 4 : 1); i++) {
		char digits[9] = "";

		memcpy(digits, host + 8 * i, 8);
		word[i] = (uint32_t)strtoul(digits, NULL, 16);
	}
	other.sa.in.sin_port = htons((uint16_t)port);
	return sock_overlap(&other, address) ? inode : 0;
}

/* How many listen there, as one look at the kernel's table shows: of the
 * holder, and of others. */
struct listening {
	unsigned own, others;
};

/* The same address may mean another file to another process, and anybody can
 * have a directory, or file systems, in which it does. */
static bool
is_another(const struct sock_address *address, uintmax_t inode)
{
	struct stat st;

	return address->kind == SOCK_UNIX &&
	    lstat(address->sa.un.sun_path, &st) == 0 &&
	    sock_is_elsewhere((ino_t)inode, &st);
}

static struct listening
look(const struct sock_address *address, pid_t holder)
{
	const char *name = address->kind == SOCK_UNIX ? "/proc/net/unix" :
	    address->sa.any.sa_family == AF_INET6 ? "/proc/net/tcp6" :
						    "/proc/net/tcp";
	FILE *file = fopen(name, "re");
	struct listening seen = { 0 };
	char line[512];
	uintmax_t inode;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		inode = address->kind == SOCK_UNIX ?
		    unix_line(line, address) : inet_line(line, address);
		if (inode == 0)
			continue;
		if (holds(holder, inode))
			seen.own++;
		else if (!is_another(address, inode))
			seen.others++;
	}
	if (file != NULL)
		fclose(file);
	return seen;
}

/* The holder alone listens there.  A look may miss a line while other sockets
 * come and go, so one that shows nobody is repeated. */
static bool
is_held(const struct sock_address *address, pid_t holder)
{
	struct listening seen = look(address, holder);

	for (int i = 1; i < LOOKS && seen.own + seen.others == 0; i++)
		seen = look(address, holder);
	return seen.own > 0 && seen.others == 0;
}

/* ---- trying -------------------------------------------------------------- */

static int
try_unix(const struct sock_address *address, pid_t holder, struct why *why)
{
	int found = sock_file_look(address, why);

	if (found == 0 || (found == 1 && is_held(address, holder)))
		return 0;
	if (found == 1)
		why_set(why, "somebody listens on %s already",
		    address->sa.un.sun_path);
	return -1;
}

/* Bound, but not listening: nobody can connect, and nothing is left. */
static int
try_inet(const struct sock_address *address, pid_t holder, struct why *why)
{
	int fd = socket(address->sa.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC,
	    0), result = -1;

	if (fd == -1)
		why_set(why, "cannot make a socket: %s", strerror(errno));
	else if (sock_bind_inet(fd, address, why) == 0 ||
	    (errno == EADDRINUSE && is_held(address, holder)))
		result = 0;
	fd_close(&fd);
	return result;
}

int
sock_try(struct sock_address *address, pid_t holder, struct why *why)
{
	sock_locate(address);
	switch (address->kind) {
	case SOCK_UNIX:
		return try_unix(address, holder, why);
	case SOCK_INET:
		return try_inet(address, holder, why);
	default:
		return 0;
	}
}

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

#define LOOKS 10 /* tries to find a line in a table that changes */

/* ---- listeners ----------------------------------------------------------- */

/* True if the process has the socket open.  Also if it exists, may be signalled
 * by us, and hides its descriptors (it is not dumpable). */
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

/* The inode of the socket in a line of /proc/net/unix, if it listens at that
 * address; else 0. */
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

/* The same for a line of /proc/net/tcp or tcp6, if the socket listens at an
 * address that overlaps. */
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

/* The number of sockets that listen at an address, of the holder and of other
 * processes, in one reading of the kernel's table. */
struct listening {
	unsigned own, others;
};

/* True if the socket is bound to another file than our path: a path can mean
 * another file to a process with another directory or other file systems. */
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

/* True if only the holder listens there.  A reading may miss a line while
 * sockets come and go, so one without any listener is repeated. */
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

/* The socket is bound, but does not listen: no client can connect, and nothing
 * remains when it is closed. */
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

#include "share/sock_file.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"

static int
fail(struct why *why, const char *what, const char *path)
{
	why_set(why, "cannot %s %s: %s", what, path, strerror(errno));
	return -1;
}

static bool
is_noted(const struct stat *st, const struct sock_address *address)
{
	return st->st_dev == address->dev && st->st_ino == address->ino;
}

/* What is at the path, and cannot become another file under our hands: O_PATH.
 * -1 with errno. */
static int
take_hold(const struct sock_address *address, struct stat *st)
{
	char name[NAME_MAX + 1];
	int dir = path_parent(address->sa.un.sun_path, name, NULL), fd = -1;

	if (dir != -1)
		fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd != -1 && fstat(fd, st) == -1)
		fd_close(&fd);
	fd_close(&dir);
	return fd;
}

/* ---- rights -------------------------------------------------------------- */

static int
set_rights(int fd, const struct sock_address *address,
    const struct sock_options *options, bool acl, struct why *why)
{
	const char *path = address->sa.un.sun_path;
	char place[40];
	struct why what;
	struct stat st;

	snprintf(place, sizeof(place), "/proc/self/fd/%d", fd);
	if (fchownat(fd, "", options->owner, options->group,
		AT_EMPTY_PATH) == -1)
		return fail(why, "set owner and group of", path);
	/* As bind made it, it has them, and needs no /proc. */
	if (fstat(fd, &st) == -1 || ((st.st_mode & 07777) != options->mode &&
	    chmod(place, options->mode) == -1))
		return fail(why, "set the mode of", path);
	if (!acl || sock_acl_set(place, options->mode, options->acl_users,
		options->acl_groups, &what) == 0)
		return 0;
	why_set(why, "cannot set the access control list of %s: %s", path,
	    what.text);
	return -1;
}

/* A socket with another name is not the one that was bound a moment ago. */
int
sock_file_adopt(struct sock_address *address,
    const struct sock_options *options, struct why *why)
{
	const char *path = address->sa.un.sun_path;
	struct stat st;
	int fd = take_hold(address, &st), result;

	if (fd == -1)
		return fail(why, "look at", path);
	if (!S_ISSOCK(st.st_mode) || st.st_nlink != 1) {
		why_set(why, "somebody has replaced %s", path);
		close(fd);
		return -1;
	}
	address->dev = st.st_dev;
	address->ino = st.st_ino;
	result = set_rights(fd, address, options, options->acl, why);
	close(fd);
	return result;
}

int
sock_file_adjust(const struct sock_address *address,
    const struct sock_options *options, bool acl, struct why *why)
{
	struct stat st;
	int fd = take_hold(address, &st), result = 0;

	if (fd == -1 && errno != ENOENT)
		return fail(why, "look at", address->sa.un.sun_path);
	if (fd != -1 && is_noted(&st, address))
		result = set_rights(fd, address, options, acl, why);
	fd_close(&fd);
	return result;
}

/* ---- removing ------------------------------------------------------------ */

/* There is no call that removes a name only if it means a certain file; in
 * between whoever may write there can only lose a name of his own. */
static void
remove_noted(int dir, const char *name, const struct sock_address *address)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    is_noted(&st, address))
		unlinkat(dir, name, 0);
}

void
sock_file_remove(const struct sock_address *address)
{
	char name[NAME_MAX + 1];
	int dir = path_parent(address->sa.un.sun_path, name, NULL);

	if (dir != -1)
		remove_noted(dir, name, address);
	fd_close(&dir);
}

/* Whether something is alive at the path: only a refusal says no. */
static int
probe(const struct sock_address *address, struct why *why)
{
	const char *path = address->sa.un.sun_path;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0);
	int error;

	if (fd == -1)
		return fail(why, "look at", path);
	error = connect(fd, &address->sa.any, address->len) == 0 ? 0 : errno;
	close(fd);
	if (error == ECONNREFUSED || error == ENOENT)
		return 0;
	why_set(why, "somebody listens on %s already", path);
	if (error != 0 && error != EAGAIN)
		why_set(why, "cannot tell whether somebody listens on %s: %s",
		    path, strerror(error));
	return -1;
}

static int
clear_name(int dir, const char *name, const struct sock_address *address,
    struct why *why)
{
	struct sock_address found = *address;
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? 0 :
		    fail(why, "look at", address->sa.un.sun_path);
	if (!S_ISSOCK(st.st_mode)) {
		why_set(why, "%s exists and is not a socket",
		    address->sa.un.sun_path);
		return -1;
	}
	if (probe(address, why) == -1)
		return -1;
	found.dev = st.st_dev;
	found.ino = st.st_ino;
	remove_noted(dir, name, &found);
	return 0;
}

int
sock_file_clear(const struct sock_address *address, struct why *why)
{
	const char *path = address->sa.un.sun_path;
	char name[NAME_MAX + 1];
	struct why what;
	int dir = path_parent(path, name, &what), result;

	if (dir == -1) {
		why_set(why, "cannot make %s: %s", path, what.text);
		return -1;
	}
	result = clear_name(dir, name, address, why);
	close(dir);
	return result;
}

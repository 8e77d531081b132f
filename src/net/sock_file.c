#include "net/sock_file.h"

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

/* Open the file at the path with O_PATH, so that it cannot be exchanged between
 * two operations.  -1 with errno. */
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
	/* A file that bind(2) just made has the mode: then no /proc is
	 * needed. */
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

/* A socket with a second name (link) is not the one that was just bound. */
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

void
sock_file_rights(const struct sock_address *address,
    struct sock_rights *rights)
{
	char place[40];
	struct stat st;
	int fd = take_hold(address, &st);

	*rights = (struct sock_rights){ 0 };
	if (fd == -1)
		return;
	if (is_noted(&st, address)) {
		snprintf(place, sizeof(place), "/proc/self/fd/%d", fd);
		*rights = (struct sock_rights){ .known = true,
			.owner = st.st_uid, .group = st.st_gid,
			.mode = st.st_mode & 07777,
			.list = sock_acl_get(place) };
	}
	close(fd);
}

/* The mode comes after the owner, because fchown may clear bits of it, and
 * before the list, which contains it. */
void
sock_file_restore(const struct sock_address *address,
    struct sock_rights *rights)
{
	char place[40];
	struct stat st;
	int fd = rights->known ? take_hold(address, &st) : -1;

	if (fd != -1 && is_noted(&st, address)) {
		snprintf(place, sizeof(place), "/proc/self/fd/%d", fd);
		if (fchownat(fd, "", rights->owner, rights->group,
			AT_EMPTY_PATH) == 0 &&
		    chmod(place, rights->mode) == 0 && rights->list != NULL)
			sock_acl_restore(place, rights->list);
	}
	fd_close(&fd);
	sock_rights_drop(rights);
}

void
sock_rights_drop(struct sock_rights *rights)
{
	sock_acl_free(rights->list);
	*rights = (struct sock_rights){ 0 };
}

/* ---- removing ------------------------------------------------------------ */

/* No system call removes a name only if it means a certain file.  A user who
 * exchanges the file between both calls loses a name of their own. */
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

/* 0: no process listens, which only ECONNREFUSED or a missing file proves; 1: a
 * process listens; -1 and why: not known.  Connects with a datagram socket, so
 * that the listener gets no connection. */
static int
probe(const struct sock_address *address, struct why *why)
{
	const char *path = address->sa.un.sun_path;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int error;

	if (fd == -1)
		return fail(why, "look at", path);
	error = connect(fd, &address->sa.any, address->len) == 0 ? 0 : errno;
	close(fd);
	if (error == ECONNREFUSED || error == ENOENT)
		return 0;
	if (error == 0 || error == EPROTOTYPE)
		return 1;
	why_set(why, "cannot tell whether somebody listens on %s: %s",
	    path, strerror(error));
	return -1;
}

/* As probe; 0 also if there is no file.  Notes the file in found. */
static int
look_at(int dir, const char *name, struct sock_address *found,
    struct why *why)
{
	const char *path = found->sa.un.sun_path;
	struct stat st;

	found->dev = found->ino = 0;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? 0 : fail(why, "look at", path);
	if (!S_ISSOCK(st.st_mode)) {
		why_set(why, "%s exists and is not a socket", path);
		return -1;
	}
	found->dev = st.st_dev;
	found->ino = st.st_ino;
	return probe(found, why);
}

static int
open_parent(const char *path, char name[NAME_MAX + 1], struct why *why)
{
	struct why what;
	int dir = path_parent(path, name, &what);

	if (dir == -1)
		why_set(why, "cannot make %s: %s", path, what.text);
	return dir;
}

/* False if the sticky bit of the directory, as of /tmp, keeps our user from
 * removing the file. */
static bool
may_remove(int dir, const char *name)
{
	uid_t user = geteuid();
	struct stat st, place;

	return user == 0 ||
	    fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    fstat(dir, &place) == -1 || (place.st_mode & S_ISVTX) == 0 ||
	    st.st_uid == user || place.st_uid == user;
}

int
sock_file_look(const struct sock_address *address, struct why *why)
{
	const char *path = address->sa.un.sun_path;
	struct sock_address found = *address;
	char name[NAME_MAX + 1];
	int dir = open_parent(path, name, why), result;

	if (dir == -1)
		return -1;
	result = look_at(dir, name, &found, why);
	if (result != -1 &&
	    faccessat(dir, ".", W_OK | X_OK, AT_EACCESS) == -1)
		result = fail(why, "make", path);
	if (result != -1 && !may_remove(dir, name)) {
		errno = EPERM;
		result = fail(why, "replace", path);
	}
	close(dir);
	return result;
}

int
sock_file_clear(const struct sock_address *address, struct why *why)
{
	const char *path = address->sa.un.sun_path;
	struct sock_address found = *address;
	char name[NAME_MAX + 1];
	int dir = open_parent(path, name, why), result;

	if (dir == -1)
		return -1;
	result = look_at(dir, name, &found, why);
	if (result == 1) {
		why_set(why, "somebody listens on %s already", path);
		result = -1;
	}
	if (result == 0 && found.ino != 0)
		remove_noted(dir, name, &found);
	close(dir);
	return result;
}

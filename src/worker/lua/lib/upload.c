#include "worker/lua/lib/upload.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"

#define OWN_MODE 0600 /* as long as it has no name */
#define PIECE	 (64 * 1024)
#define PATTERN	 ".lua-fpm-XXXXXX"

static int
open_unnamed(const char *directory)
{
	return open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, OWN_MODE);
}

/* Its name goes into `path`. */
static int
open_named(const char *directory, char path[PATH_MAX])
{
	if (snprintf(path, PATH_MAX, "%s/" PATTERN, directory) >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return mkostemp(path, O_CLOEXEC);
}

int
upload_open(const char *directory)
{
	char path[PATH_MAX];
	int fd = open_unnamed(directory);

	if (fd != -1 || (errno != EOPNOTSUPP && errno != EISDIR &&
	    errno != EINVAL))
		return fd;
	fd = open_named(directory, path);
	if (fd != -1)
		unlink(path);
	return fd;
}

/* ---- a name -------------------------------------------------------------- */

static int
set_mode(int fd)
{
	mode_t mask = umask(0);

	umask(mask);
	return fchmod(fd, 0666 & ~mask);
}

static int
link_as(int fd, const char *path)
{
	char name[sizeof("/proc/self/fd/") + NUM_TEXT];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, name, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
}

/* Rename, and remove the old name if that fails. */
static int
rename_or_remove(const char *from, const char *to)
{
	int error;

	if (rename(from, to) == 0)
		return 0;
	error = errno;
	unlink(from);
	errno = error;
	return -1;
}

/* Link it under a name that is taken: under one beside it, which replaces it. */
static int
link_over(int fd, const char *directory, const char *path)
{
	char beside[PATH_MAX];
	int other = open_named(directory, beside);

	if (other == -1)
		return -1;
	close(other);
	if (unlink(beside) == -1 || link_as(fd, beside) == -1)
		return -1;
	return rename_or_remove(beside, path);
}

static int
give_name(int fd, const char *directory, const char *path)
{
	if (set_mode(fd) == -1)
		return -1;
	if (link_as(fd, path) == 0)
		return 0;
	return errno == EEXIST ? link_over(fd, directory, path) : -1;
}

/* ---- a copy -------------------------------------------------------------- */

static int
copy(int from, int to)
{
	char piece[PIECE];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(from, piece, sizeof(piece), at)) > 0) {
		if (fd_write_all(to, piece, (size_t)n) == -1)
			return -1;
		at += n;
	}
	return n == -1 ? -1 : fsync(to);
}

static int
closed(int fd, int result)
{
	int error = errno;

	close(fd);
	errno = error;
	return result;
}

/* On the same file system as the name. */
static int
copy_unnamed(int fd, const char *directory, const char *path)
{
	int to = open_unnamed(directory);

	if (to == -1)
		return -1;
	return closed(to, copy(fd, to) == -1 ? -1 :
	    give_name(to, directory, path));
}

/* Where nothing can be linked: if the process is killed, this name stays. */
static int
copy_named(int fd, const char *directory, const char *path)
{
	char beside[PATH_MAX];
	int to = open_named(directory, beside);

	if (to == -1)
		return -1;
	if (closed(to, copy(fd, to) == -1 ? -1 : set_mode(to)) == -1) {
		unlink(beside);
		return -1;
	}
	return rename_or_remove(beside, path);
}

/* ENOENT: there is no /proc, or the file had a name that is gone. */
static bool
may_be_copied(int error)
{
	return error == EXDEV || error == ENOENT || error == EPERM ||
	    error == EOPNOTSUPP || error == EMLINK;
}

int
upload_move(int fd, const char *path)
{
	const char *slash = strrchr(path, '/');
	char directory[PATH_MAX] = ".";

	if (slash != NULL && snprintf(directory, sizeof(directory), "%.*s",
	    slash == path ? 1 : (int)(slash - path), path) >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (give_name(fd, directory, path) == 0)
		return 0;
	if (!may_be_copied(errno))
		return -1;
	if (errno == EXDEV && copy_unnamed(fd, directory, path) == 0)
		return 0;
	return copy_named(fd, directory, path);
}

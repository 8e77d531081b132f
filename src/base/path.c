#include "base/path.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "base/writer.h"

#define LINKS_MOST 40 /* as in the kernel */
#define LOG_FLAGS  (O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | \
    O_NOFOLLOW)
#define NOBODY ((uid_t)-1)

/* What a user may do in a directory: add names; rename and remove those of
 * others as well. */
enum { ADDS = 1, MOVES = 2 };

/* "Others" are users but root and ours, "strangers" others but `user`. */
struct walk {
	int dir; /* where the walk is; -1: nowhere */
	unsigned others;	/* what others may do in dir */
	unsigned strangers;	/* what strangers may do in dir */
	bool others_before;	/* others could have put dir there */
	bool strangers_before;
	uid_t user;
	int own; /* the path means this descriptor of the process; or -1 */
	unsigned links;		 /* followed so far */
	char name[NAME_MAX + 1]; /* the next component, in dir */
	char rest[PATH_MAX];	 /* components after it; "": name is the last */
};

static int
fail(struct why *why, int error)
{
	why_set(why, "%s", strerror(error));
	errno = error;
	return -1;
}

/* ---- directories --------------------------------------------------------- */

static bool
is_ours(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

/* What users but root, ours and `user` may do in a directory.  With an ACL the
 * group's bits are its mask, so they cover all users in it. */
static unsigned
judge(const struct stat *st, uid_t user)
{
	if (!is_ours(st) && st->st_uid != user)
		return ADDS | MOVES;
	if ((st->st_mode & (S_IWGRP | S_IWOTH)) == 0)
		return 0;
	return (st->st_mode & S_ISVTX) != 0 ? ADDS : ADDS | MOVES;
}

/* The walk owns fd from here on. */
static int
enter(struct walk *w, int fd, const struct stat *st)
{
	w->others_before |= (w->others & MOVES) != 0;
	w->strangers_before |= (w->strangers & MOVES) != 0;
	w->others = judge(st, NOBODY);
	w->strangers = judge(st, w->user);
	fd_close(&w->dir);
	w->dir = fd;
	return 0;
}

/* Start at the root or in the working directory. */
static int
enter_first(struct walk *w, const char *path, struct why *why)
{
	int fd = open(*path == '/' ? "/" : ".",
	    O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd != -1 && fstat(fd, &st) == 0)
		return enter(w, fd, &st);
	fail(why, errno);
	fd_close(&fd);
	return -1;
}

/* ---- descriptors by name ------------------------------------------------- */

/* The number of our own descriptor that a path means; -1: it means none. */
static int
descriptor_of(const char *path)
{
	static const char *const names[] = { "/dev/stdin", "/dev/stdout",
		"/dev/stderr" };
	static const char *const places[] = { "/dev/fd/", "/proc/self/fd/" };
	int64_t n = -1;

	for (int i = 0; i < 3; i++)
		if (strcmp(path, names[i]) == 0)
			return i;
	for (int i = 0; i < 2; i++)
		if (strncmp(path, places[i], strlen(places[i])) == 0)
			num_integer(path + strlen(places[i]), 0, INT_MAX, &n);
	return (int)n;
}

static int
check_own(int fd, struct why *why)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags == -1)
		return fail(why, errno);
	if ((flags & O_ACCMODE) != O_RDONLY && (flags & O_PATH) == 0)
		return 0;
	why_set(why, "descriptor %d is not open for writing", fd);
	return -1;
}

static int
open_own(int fd, struct why *why)
{
	int own;

	if (check_own(fd, why) == -1)
		return -1;
	own = writer_own(fd);
	return own == -1 ? fail(why, errno) : own;
}

/* ---- the walk ------------------------------------------------------------ */

static int
take_name(struct walk *w, struct why *why)
{
	const char *from = w->rest + strspn(w->rest, "/");
	size_t n = strcspn(from, "/");

	if (n > NAME_MAX)
		return fail(why, ENAMETOOLONG);
	memcpy(w->name, from, n);
	w->name[n] = '\0';
	from += n;
	from += strspn(from, "/");
	memmove(w->rest, from, strlen(from) + 1);
	return 0;
}

/* Put the target of a link in the place of its name. */
static int
turn_off(struct walk *w, int link, struct why *why)
{
	char target[PATH_MAX], path[PATH_MAX];
	ssize_t n = readlinkat(link, "", target, sizeof(target) - 1);

	if (n == -1)
		return fail(why, errno);
	target[n] = '\0';
	if (++w->links > LINKS_MOST)
		return fail(why, ELOOP);
	if (snprintf(path, sizeof(path), "%s%s%s", target,
	    *w->rest != '\0' ? "/" : "", w->rest) >= (int)sizeof(path))
		return fail(why, ENAMETOOLONG);
	strcpy(w->rest, path);
	w->own = descriptor_of(path);
	return *target == '/' ? enter_first(w, target, why) : 0;
}

static int
follow(struct walk *w, int link, const struct stat *st, struct why *why)
{
	if (is_ours(st) && w->others == 0 && !w->others_before)
		return turn_off(w, link, why);
	why_set(why, is_ours(st) ? "%.64s is a symbolic link where others may "
	    "write" : "%.64s is a symbolic link of another user", w->name);
	errno = ELOOP;
	return -1;
}

/* Enter the directory `name`, or follow the link of that name. */
static int
step(struct walk *w, struct why *why)
{
	int fd = openat(w->dir, w->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int result;

	if (fd == -1 || fstat(fd, &st) == -1)
		result = fail(why, errno);
	else if (S_ISDIR(st.st_mode))
		return enter(w, fd, &st);
	else if (S_ISLNK(st.st_mode))
		result = follow(w, fd, &st, why);
	else
		result = fail(why, ENOTDIR);
	fd_close(&fd);
	return result;
}

/* Enter all directories up to that of the last name; stop earlier if the path
 * means a descriptor of our own. */
static int
walk(struct walk *w, struct why *why)
{
	for (;;) {
		if (w->own != -1)
			return 0;
		if (take_name(w, why) == -1)
			return -1;
		if (*w->rest == '\0')
			return 0;
		if (step(w, why) == -1)
			return -1;
	}
}

/* The caller closes w->dir, also after a failure. */
static int
set_out(struct walk *w, const char *path, uid_t user, struct why *why)
{
	*w = (struct walk){ .dir = -1, .user = user,
		.own = descriptor_of(path) };
	if (snprintf(w->rest, sizeof(w->rest), "%s", path) >=
	    (int)sizeof(w->rest))
		return fail(why, ENAMETOOLONG);
	if (enter_first(w, path, why) == -1)
		return -1;
	return walk(w, why);
}

int
path_parent(const char *path, char name[NAME_MAX + 1], struct why *why)
{
	struct walk w;

	if (set_out(&w, path, NOBODY, why) == 0 && w.own == -1) {
		strcpy(name, w.name);
		return w.dir;
	}
	if (w.own != -1)
		fail(why, EINVAL);
	fd_close(&w.dir);
	return -1;
}

/* ---- logs ---------------------------------------------------------------- */

static int
refuse(int *fd, struct why *why, const char *reason)
{
	why_set(why, "%s", reason);
	fd_close(fd);
	errno = EPERM;
	return -1;
}

static int
check_file(const struct walk *w, int fd, struct why *why)
{
	struct stat st;

	if (fstat(fd, &st) == -1) {
		fail(why, errno);
		fd_close(&fd);
	} else if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode) &&
	    !S_ISCHR(st.st_mode))
		refuse(&fd, why, "it is no file, FIFO or character device");
	else if (S_ISREG(st.st_mode) && st.st_nlink > 1 &&
	    (w->others != 0 || w->others_before))
		refuse(&fd, why, "it has more than one name (hard links) "
		    "where others may write");
	return fd;
}

/* Why the last name cannot be opened. */
static int
explain(const struct walk *w, int error, struct why *why)
{
	struct stat st = { 0 };

	if (error != ENXIO)
		return fail(why, error);
	fstatat(w->dir, w->name, &st, AT_SYMLINK_NOFOLLOW);
	why_set(why, "%s", S_ISFIFO(st.st_mode) ?
	    "it is a FIFO that nobody reads" : S_ISSOCK(st.st_mode) ?
	    "it is a socket" : strerror(error));
	errno = error;
	return -1;
}

static bool
is_fifo(const struct walk *w)
{
	struct stat st;

	return fstatat(w->dir, w->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISFIFO(st.st_mode);
}

/* Only a reference to a FIFO (O_PATH): if it were opened for writing, its
 * reader would see end of file when we close it. */
static int
look_at_fifo(const struct walk *w, struct why *why)
{
	int fd = -1;

	if (faccessat(w->dir, w->name, W_OK, AT_EACCESS) == 0)
		fd = openat(w->dir, w->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd == -1 ? fail(why, errno) : fd;
}

/* Open the last name.  A link there is followed as one on the way is. */
static int
arrive(struct walk *w, int flags, struct why *why)
{
	int fd = -1;

	while (w->own == -1) {
		if (*w->name == '\0')
			return fail(why, ENOENT);
		if ((flags & O_CREAT) == 0 && is_fifo(w))
			return look_at_fifo(w, why);
		fd = openat(w->dir, w->name, LOG_FLAGS | flags, 0640);
		if (fd != -1)
			return check_file(w, fd, why);
		if (errno != ELOOP)
			return explain(w, errno, why);
		if (step(w, why) == -1 || walk(w, why) == -1)
			return -1;
	}
	return open_own(w->own, why);
}

static int
open_log(struct walk *w, const char *path, uid_t user, int flags,
    struct why *why)
{
	size_t len = strlen(path);

	if (set_out(w, path, user, why) == -1)
		return -1;
	if (len > 0 && path[len - 1] == '/')
		return fail(why, EISDIR);
	return arrive(w, flags, why);
}

int
path_open_log(const char *path, struct why *why)
{
	struct walk w;
	int fd = open_log(&w, path, NOBODY, O_CREAT, why);

	fd_close(&w.dir);
	return fd;
}

/* A missing file would be created: its directory must allow that. */
int
path_try_log(const char *path, uid_t user, struct why *why)
{
	struct walk w;
	int fd = open_log(&w, path, user, 0, why), result = fd == -1 ? -1 : 0;

	if (result == -1 && errno == ENOENT && *w.name != '\0' &&
	    *w.rest == '\0' && w.own == -1)
		result = faccessat(w.dir, ".", W_OK | X_OK, AT_EACCESS) == 0 ?
		    0 : fail(why, errno);
	if (result == 0 && w.own == -1 &&
	    (w.strangers != 0 || w.strangers_before))
		result = 1;
	fd_close(&fd);
	fd_close(&w.dir);
	return result;
}

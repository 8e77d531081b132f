#include "worker/serve/script.h"

#include <linux/openat2.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROXY "proxy:" /* Apache: "proxy:fcgi://HOST[:PORT]/FILE" */
#define LUA   ".lua"
#define INDEX "/index.lua"

static const struct {
	int flags;
	const char *what;
} kinds[] = {
	[SCRIPT_PROGRAM] = { X_OK, "may not be executed" },
	[SCRIPT_SOURCE] = { R_OK, "may not be read" },
};

int
script_check_root(const char *root, struct why *why)
{
	int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1 || faccessat(fd, ".", X_OK, AT_EACCESS) == -1) {
		why_set(why, "root: %s: %s", root, strerror(errno));
		if (fd != -1)
			close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

/* ---- what is named ------------------------------------------------------- */

static int
refuse(struct why *why, const char *path, const char *what)
{
	why_set(why, "%s: %s", path, what);
	return 404;
}

static int
append(struct script *script, size_t *len, const char *text, size_t n)
{
	if (n >= sizeof(script->path) - *len ||
	    memchr(text, '\0', n) != NULL)
		return -1;
	memcpy(script->path + *len, text, n);
	*len += n;
	script->path[*len] = '\0';
	return 0;
}

/* Apache's prefix is dropped, up to the path. */
static struct script_text
without_proxy(struct script_text name)
{
	const char *host = memmem(name.text, name.len, "://", 3);
	const char *end = name.text + name.len, *path;

	if (name.len < sizeof(PROXY) ||
	    memcmp(name.text, PROXY, sizeof(PROXY) - 1) != 0 || host == NULL)
		return name;
	path = memchr(host + 3, '/', (size_t)(end - host - 3));
	if (path != NULL)
		name = (struct script_text){ path, (size_t)(end - path) };
	return name;
}

/* script->path becomes the name of the file.  0, or the status and why. */
static int
name_file(const struct script_names *names, struct script *script,
    struct why *why)
{
	struct script_text name = names->filename;
	size_t len = 0;
	int result;

	script->rest = 0;
	if (name.text != NULL && name.len > 0) {
		name = without_proxy(name);
		for (; name.len > 1 && memcmp(name.text, "//", 2) == 0;
		    name.len--)
			name.text++;
		result = append(script, &len, name.text, name.len);
	} else if (names->directory.text != NULL && names->name.text != NULL) {
		result = append(script, &len, names->directory.text,
		    names->directory.len);
		if (result == 0 && (names->name.len == 0 ||
		    names->name.text[0] != '/'))
			result = append(script, &len, "/", 1);
		if (result == 0)
			result = append(script, &len, names->name.text,
			    names->name.len);
	} else {
		why_set(why, "neither SCRIPT_FILENAME nor DOCUMENT_ROOT and "
		    "SCRIPT_NAME name a file");
		return 404;
	}
	if (result == -1) {
		why_set(why, "the name of the file is too long, or has a NUL");
		return 404;
	}
	if (script->path[0] != '/')
		return refuse(why, script->path, "is no absolute path");
	return 0;
}

static bool
has_parent(const char *path)
{
	const char *at = path;

	while ((at = strstr(at, "/..")) != NULL) {
		at += 3;
		if (*at == '/' || *at == '\0')
			return true;
	}
	return false;
}

/* What follows the root in a path, NULL if the root is not its beginning. */
static const char *
behind(const char *root, const char *path)
{
	size_t n = strlen(root);

	while (n > 0 && root[n - 1] == '/')
		n--;
	if (strncmp(root, path, n) != 0 || path[n] != '/')
		return NULL;
	return path + n + strspn(path + n, "/");
}

/* The same if the path begins with what the root is without links, as nginx'
 * $realpath_root does. */
static const char *
behind_real(const char *root, const char *path)
{
	char *real = realpath(root, NULL);
	const char *rest = real != NULL ? behind(real, path) : NULL;

	free(real);
	return rest;
}

/* ---- walking ------------------------------------------------------------- */

static int
open_below(int dir, const char *name, uint64_t flags, uint64_t resolve)
{
	const struct open_how how = { .flags = flags | O_CLOEXEC | O_NOCTTY |
		O_NONBLOCK, .resolve = resolve | RESOLVE_NO_MAGICLINKS };
	const struct open_how path = { .flags = flags | O_CLOEXEC,
		.resolve = how.resolve };

	return (int)syscall(SYS_openat2, dir, *name != '\0' ? name : ".",
	    flags & O_PATH ? &path : &how, sizeof(how));
}

/* A link with an absolute path is beneath nothing for openat2(2), though it may
 * lead to a file in the root: walk to where it leads, without links. */
static int
open_real(const char *root, const char *name, uint64_t flags)
{
	char path[PATH_MAX];
	char *from = realpath(root, NULL), *to = NULL;
	const char *rest = NULL;
	int dir, fd = -1;

	if (from != NULL && (size_t)snprintf(path, sizeof(path), "%s/%s", from,
		name) < sizeof(path))
		to = realpath(path, NULL);
	errno = to == NULL ? errno : EXDEV;
	if (to != NULL)
		rest = behind(from, to);
	dir = rest != NULL ? open(from, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	if (dir != -1) {
		fd = open_below(dir, rest, flags,
		    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
		close(dir);
	}
	free(from);
	free(to);
	return fd;
}

/* Before Linux 5.6, and where a filter refuses the call: without openat2(2), a
 * link that is put there at this very moment is followed.  Only a user who may
 * write to the root can do that. */
static int
open_plain(const char *root, const char *name, uint64_t flags)
{
	char path[PATH_MAX];
	char *from = realpath(root, NULL), *to = NULL;
	int fd = -1;

	if (from != NULL && (size_t)snprintf(path, sizeof(path), "%s/%s", from,
		name) < sizeof(path))
		to = realpath(path, NULL);
	errno = to == NULL ? errno : EXDEV;
	if (to != NULL && behind(from, to) != NULL)
		fd = open(to, (int)flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK |
		    O_NOFOLLOW);
	free(from);
	free(to);
	return fd;
}

/* Open what has that name, relative to the root: a descriptor, or -1 with
 * errno; EXDEV: it is outside. */
static int
open_in(const char *root, const char *name, uint64_t flags)
{
	int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC), fd, error;

	if (dir == -1)
		return -1;
	fd = open_below(dir, name, flags, RESOLVE_BENEATH);
	error = errno;
	close(dir);
	errno = error;
	if (fd == -1 && error == EXDEV)
		fd = open_real(root, name, flags);
	else if (fd == -1 && (error == ENOSYS || error == EPERM))
		fd = open_plain(root, name, flags);
	return fd;
}

/* Where a component is no directory, but a file, the rest of the name is not
 * the file's. */
static int
walk(const char *root, char *name, struct script *script)
{
	size_t len = strlen(name), whole = len;
	int fd;

	while ((fd = open_in(root, name, O_PATH)) == -1 && errno == ENOTDIR) {
		while (len > 0 && name[len - 1] != '/')
			len--;
		while (len > 0 && name[len - 1] == '/')
			len--;
		if (len == 0) {
			errno = ENOENT;
			return -1;
		}
		script->rest = whole - len;
		name[len] = '\0';
	}
	return fd;
}

/* ---- judging ------------------------------------------------------------- */

static int
explain(const char *path, int error, struct why *why, bool *loud)
{
	*loud = error != ENOENT && error != ENOTDIR;
	why_set(why, "%s: %s", path, error == EXDEV ?
	    "leads out of the root" : strerror(error));
	return error == EACCES ? 403 : 404;
}

/* True if the process may do that with a file. */
static bool
may(int fd, const char *path, int what)
{
	if (syscall(SYS_faccessat2, fd, "", what, AT_EACCESS |
		AT_EMPTY_PATH) == 0)
		return true;
	return (errno == ENOSYS || errno == EPERM) && access(path, what) == 0;
}

static bool
is_source(const char *path)
{
	size_t n = strlen(path), len = sizeof(LUA) - 1;

	return n > len && strcmp(path + n - len, LUA) == 0;
}

/* What was found becomes script->st.  0, or the status and why. */
static int
judge(int fd, enum script_kind kind, struct script *script, struct why *why)
{
	if (fstat(fd, &script->st) == -1)
		why_set(why, "%s: %s", script->path, strerror(errno));
	else if (!S_ISREG(script->st.st_mode))
		why_set(why, "%s: is no regular file", script->path);
	else if (kind == SCRIPT_SOURCE && !is_source(script->path))
		why_set(why, "%s: does not end in \"" LUA "\"", script->path);
	else if (!may(fd, script->path, kinds[kind].flags))
		why_set(why, "%s: %s", script->path, kinds[kind].what);
	else
		return 0;
	return 403;
}

static bool
is_directory(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

/* A directory stands for the index in it, which becomes the name. */
static int
enter(const char *root, char *name, int fd, struct script *script)
{
	size_t n = strlen(script->path);

	if (!is_directory(fd))
		return fd;
	close(fd);
	while (n > 0 && script->path[n - 1] == '/')
		n--;
	if (n + sizeof(INDEX) > sizeof(script->path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(script->path + n, INDEX, sizeof(INDEX));
	if (name > script->path + n) /* behind some of several slashes */
		name = script->path + n + 1;
	return open_in(root, name, O_PATH);
}

int
script_find(const char *root, const struct script_names *names,
    enum script_kind kind, struct script *script, struct why *why, bool *loud)
{
	int status = name_file(names, script, why), fd;
	const char *rest;
	char *name;

	*loud = true;
	if (status != 0)
		return status;
	if (has_parent(script->path))
		return refuse(why, script->path, "has a component \"..\"");
	rest = behind(root, script->path);
	if (rest == NULL)
		rest = behind_real(root, script->path);
	if (rest == NULL)
		return refuse(why, script->path, "is not in the root");
	name = script->path + (rest - script->path);
	fd = walk(root, name, script);
	if (fd != -1 && kind == SCRIPT_SOURCE)
		fd = enter(root, name, fd, script);
	if (fd == -1)
		return explain(script->path, errno, why, loud);
	status = judge(fd, kind, script, why);
	close(fd);
	return status;
}

int
script_open(const char *root, const struct script *script)
{
	const char *name = behind(root, script->path);
	struct stat st;
	int fd;

	if (name == NULL)
		name = behind_real(root, script->path);
	if (name == NULL) {
		errno = ESTALE;
		return -1;
	}
	fd = open_in(root, name, O_RDONLY);
	if (fd != -1 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_dev == script->st.st_dev && st.st_ino == script->st.st_ino)
		return fd;
	if (fd != -1) {
		close(fd);
		errno = ESTALE;
	}
	return -1;
}

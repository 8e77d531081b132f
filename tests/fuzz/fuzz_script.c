/*
 * The name of a script: what is found lies in the root, is a regular file, and
 * is the one that opens; the end of the name that is not the file's is as long
 * as it is said to be.
 */

#include <sys/stat.h>

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "worker/serve/script.h"

static char top[] = "/tmp/lua-fpm-fuzz-XXXXXX";
static char root[PATH_MAX];

/* The path of what lies in the directory, until the next call. */
static const char *
in(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", top, name);
	return path;
}

static void
make(const char *name, mode_t mode)
{
	int fd = open(in(name), O_WRONLY | O_CREAT | O_CLOEXEC, mode);

	must(fd != -1 && fchmod(fd, mode) == 0);
	close(fd);
}

static void
unmake(void)
{
	static const char *const names[] = { "r/a", "r/d/b.lua", "r/d/index.lua",
		"r/out", "r/in", "r/up", "r/f", "r/l", "out" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(in(names[i]));
	rmdir(in("r/d"));
	rmdir(in("r"));
	rmdir(top);
}

/* Below it: a program, Lua files, links in and out, a FIFO, a loop. */
static void
make_root(void)
{
	must(mkdtemp(top) != NULL);
	atexit(unmake);
	must(mkdir(in("r"), 0755) == 0 && mkdir(in("r/d"), 0755) == 0);
	make("out", 0755);
	make("r/a", 0755);
	make("r/d/b.lua", 0644);
	make("r/d/index.lua", 0644);
	must(symlink("../out", in("r/out")) == 0);
	must(symlink("d/b.lua", in("r/in")) == 0);
	must(symlink("..", in("r/up")) == 0 && symlink("l", in("r/l")) == 0);
	must(mkfifo(in("r/f"), 0777) == 0);
	must(realpath(in("r"), root) != NULL);
}

/* The names are relative to the root where they begin with "@". */
static struct script_text
name(const char *data, size_t n, char *room)
{
	size_t len = strlen(root);

	if (n == 0 || *data != '@')
		return (struct script_text){ data, n };
	memcpy(room, root, len);
	memcpy(room + len, data + 1, n - 1);
	return (struct script_text){ room, len + n - 1 };
}

static void
check(const struct script_names *names, enum script_kind kind)
{
	static struct script script;
	char real[PATH_MAX];
	struct stat st;
	struct why why;
	bool loud;
	int fd, status = script_find(root, names, kind, &script, &why, &loud);

	must(status == 0 || status == 403 || status == 404);
	if (status != 0) {
		must(why.text[0] != '\0');
		return;
	}
	must(realpath(script.path, real) != NULL);
	must(strncmp(real, root, strlen(root)) == 0 &&
	    real[strlen(root)] == '/');
	must(stat(real, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_ino == script.st.st_ino);
	must(script.rest < PATH_MAX);
	fd = script_open(root, &script);
	must(fd != -1);
	close(fd);
}

FUZZ(script)
{
	char one[PATH_MAX + 8192], other[PATH_MAX + 8192];
	const char *text = (const char *)data, *middle;
	struct script_names names = { { NULL, 0 }, { NULL, 0 }, { NULL, 0 } };
	size_t n;

	if (root[0] == '\0')
		make_root();
	if (size < 1 || size > 8000)
		return;
	text++;
	size--;
	middle = memchr(text, '\n', size);
	n = middle != NULL ? (size_t)(middle - text) : size;
	if (middle == NULL) {
		names.filename = name(text, size, one);
	} else {
		names.directory = name(text, n, one);
		names.name = name(middle + 1, size - n - 1, other);
	}
	check(&names, data[0] & 1 ? SCRIPT_SOURCE : SCRIPT_PROGRAM);
}

#include "conf/conf_file.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MOST (16 * 1024 * 1024)
#define WILDCARDS "*?["

static const char *
skip_dot(const char *name)
{
	while (strncmp(name, "./", 2) == 0)
		name += 2;
	return name;
}

char *
conf_file_join(const char *directory, const char *name)
{
	char *path;

	if (*name == '/')
		return strdup(name);
	if (asprintf(&path, "%s/%s", directory, skip_dot(name)) == -1)
		return NULL;
	return path;
}

/* The working directory, with the first n bytes of name appended. */
static char *
below_cwd(const char *name, int n)
{
	char *cwd = getcwd(NULL, 0);
	char *path = NULL;

	if (cwd != NULL && asprintf(&path, "%s%s%.*s", cwd, n > 0 ? "/" : "",
	    n, name) == -1)
		path = NULL;
	free(cwd);
	return path;
}

char *
conf_file_directory(const char *file)
{
	const char *name = skip_dot(file);
	const char *slash = strrchr(name, '/');
	int n = slash == NULL ? 0 : (int)(slash - name);

	return *name == '/' ? strndup(name, (size_t)n) : below_cwd(name, n);
}

/* ---- include ------------------------------------------------------------ */

/* Append the directory's name with its own wildcards escaped: only those of
 * the pattern count. */
static int
add_literally(struct buf *pattern, const char *directory)
{
	for (; *directory != '\0'; directory++) {
		if (strchr(WILDCARDS "\\", *directory) != NULL)
			buf_putc(pattern, '\\');
		buf_putc(pattern, *directory);
	}
	return buf_putc(pattern, '/');
}

/* A directory that cannot be read may have matches, and their pools must not be
 * lost without a message. */
static int
is_serious(const char *path, int error)
{
	(void)path;
	errno = error;
	return error != ENOENT && error != ENOTDIR;
}

static int
expand(const char *pattern, struct conf_list *files)
{
	glob_t found = { 0 };
	int result = 0;

	switch (glob(pattern, 0, is_serious, &found)) {
	case 0:
		for (size_t i = 0; i < found.gl_pathc && result == 0; i++)
			result = conf_list_add(files, found.gl_pathv[i]);
		break;
	case GLOB_NOMATCH:
		break;
	case GLOB_NOSPACE:
		errno = ENOMEM;
		/* FALLTHROUGH */
	default:
		result = -1;
	}
	globfree(&found);
	return result;
}

static int
expand_literal(const char *directory, const char *name,
    struct conf_list *files)
{
	char *path = conf_file_join(directory, name);
	int result = path == NULL ? -1 : conf_list_add(files, path);

	free(path);
	return result;
}

/* 0 if the directory in which the wildcards begin is there, or -1. */
static int
look_for_directory(const char *directory, const char *pattern)
{
	size_t n = strcspn(pattern, WILDCARDS);
	char *name, *path;
	int result;

	while (n > 0 && pattern[n - 1] != '/')
		n--;
	name = strndup(pattern, n);
	path = name != NULL ? conf_file_join(directory, name) : NULL;
	result = path != NULL ? access(path, F_OK) : -1;
	free(name);
	free(path);
	return result;
}

int
conf_file_expand(const char *directory, const char *pattern,
    struct conf_list *files)
{
	const size_t before = files->n;
	struct buf whole = { 0 };
	const char *text;
	int result;

	if (strpbrk(pattern, WILDCARDS) == NULL)
		return expand_literal(directory, pattern, files);
	if (*pattern != '/')
		add_literally(&whole, directory);
	buf_puts(&whole, skip_dot(pattern));
	text = buf_string(&whole);
	result = text == NULL ? -1 : expand(text, files);
	buf_free(&whole);
	if (result == 0 && files->n == before)
		return look_for_directory(directory, pattern);
	return result;
}

/* ---- content ------------------------------------------------------------ */

static int
load_stream(FILE *in, struct buf *text)
{
	char block[8192];
	size_t n;

	while ((n = fread(block, 1, sizeof(block), in)) > 0) {
		if (buf_add(text, block, n) == -1)
			return ENOMEM;
		if (text->len > FILE_MOST)
			return EFBIG;
	}
	return ferror(in) ? errno : 0;
}

int
conf_file_load(const char *file, struct buf *text)
{
	FILE *in = fopen(file, "re");
	int error;

	if (in == NULL)
		return -1;
	error = load_stream(in, text);
	fclose(in);
	errno = error;
	return error == 0 ? 0 : -1;
}

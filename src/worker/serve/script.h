#ifndef WORKER_SERVE_SCRIPT_H
#define WORKER_SERVE_SCRIPT_H

/*
 * Which file below a root directory a request names (interfaces "files" and
 * "cgi").  Nothing outside the root is ever found, whatever the names, the links
 * in the root and the spelling: the kernel walks (openat2(2)), and what it finds
 * is judged by descriptor.  Keeps nothing between two calls.  Runs in the
 * worker.
 */

#include <sys/stat.h>

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/why.h"

struct script_text { /* a parameter, which may hold any byte; NULL: none */
	const char *text;
	size_t len;
};

struct script_names { /* of a request */
	struct script_text filename; /* SCRIPT_FILENAME */
	struct script_text directory; /* DOCUMENT_ROOT */
	struct script_text name; /* SCRIPT_NAME */
};

enum script_kind {
	SCRIPT_PROGRAM, /* a file that may be executed */
	SCRIPT_SOURCE /* a file NAME.lua that may be read, index.lua in a
			 directory */
};

struct script {
	char path[PATH_MAX]; /* as it was named, absolute, without rest */
	size_t rest; /* bytes at the end of the name that are behind the file
			("/a.cgi/x/y": 4): they are PATH_INFO */
	struct stat st;
};

/* Check that the root is a directory in which this process may look for files.
 * 0, or -1 and why. */
int script_check_root(const char *root, struct why *why);

/*
 * Find the file: SCRIPT_FILENAME names it, or, if that is missing or empty,
 * DOCUMENT_ROOT with SCRIPT_NAME behind it, and a slash between.  In front of SCRIPT_FILENAME,
 * Apache's "proxy:fcgi://HOST" is dropped.  Returns 0, or the HTTP status of the
 * answer and why: 404 if there is no such file in the root, 403 if it is none of
 * that kind.  *loud is then true if that is no ordinary miss, but something that
 * the administrator wants to know.
 */
int script_find(const char *root, const struct script_names *names,
    enum script_kind kind, struct script *script, struct why *why, bool *loud);

/* Open for reading the file that script_find has found.  A descriptor,
 * close-on-exec, or -1 with errno; ESTALE: it is another one by now. */
int script_open(const char *root, const struct script *script);

#endif

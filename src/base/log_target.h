#ifndef BASE_LOG_TARGET_H
#define BASE_LOG_TARGET_H

/*
 * Where the lines of the error log go: a descriptor and the form that is
 * understood there.  The master opens it and workers get the descriptor, so
 * that one in a chroot or without rights reaches files and sockets all the
 * same.  Knows nothing of what the lines say.
 */

#include "base/log_line.h"
#include "base/why.h"
#include "base/writer.h"

struct log_target {
	struct writer out;
	enum log_form form;
	char *path; /* of the file, NULL: it is none */
	int away;   /* errno: syslog was not there; it is connected to when
		       there is a line */
};

/*
 * "stderr", "syslog", "journal", or a file, which is opened as path_open_log
 * does and written in `form`.  A stderr that systemd has connected to the
 * journal (JOURNAL_STREAM) means the journal.  Syslog that is away is no
 * fault, but noted.  0, or -1 and why, and *target
 * is not touched.
 */
int log_target_open(struct log_target *target, const char *name,
    enum log_form form, struct why *why);

/* The file that such a name means, NULL: none. */
const char *log_target_path(const char *name);

/* Open a file anew, connect to a socket anew.  0, or -1 and why, and the old
 * one stays. */
int log_target_reopen(struct log_target *target, struct why *why);

/* Take over what another process opened, and its path, which was allocated or
 * is NULL; fd -1: none. */
void log_target_take(struct log_target *target, int fd, enum log_form form,
    char *path);

/* Let one be what another was, which is none then. */
void log_target_move(struct log_target *to, struct log_target *from);

/* One line in the target's form, as writer_write. */
int log_target_write(struct log_target *target, const char *line, size_t n);

#endif

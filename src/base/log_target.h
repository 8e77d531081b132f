#ifndef BASE_LOG_TARGET_H
#define BASE_LOG_TARGET_H

/*
 * Where the lines of the error log go: a descriptor, and the form of the lines
 * there.  The master opens files and sockets; the target of a worker is its
 * stderr, a pipe to the master (log_to_master).
 */

#include "base/log_line.h"
#include "base/why.h"
#include "base/writer.h"

struct log_target {
	struct writer out;
	enum log_form form;
	char *path; /* of the file; NULL: not a file */
	int away;   /* errno if syslog could not be reached at first, else 0;
		       each line tries again */
};

/*
 * Open "stderr", "syslog", "journal", or a file (path_open_log), and close what
 * *target had.  stderr and files are written in `form`, text on a terminal as
 * FORM_TERMINAL.  A stderr that systemd
 * has connected to the journal (JOURNAL_STREAM) means the journal.  A syslog
 * that cannot be reached is no failure: `away` is set.  0, or -1 and why, and
 * *target is unchanged.
 */
int log_target_open(struct log_target *target, const char *name,
    enum log_form form, struct why *why);

/* The file that the name of a target means; NULL if it means no file. */
const char *log_target_path(const char *name);

/* Open the file again by its path, or make a new connection to the socket;
 * stderr stays.  0, or -1 and why, and the old one stays in use. */
int log_target_reopen(struct log_target *target, struct why *why);

/* Close what the target had and take over an open descriptor (-1: none) with
 * its path, which was allocated with malloc(3), or NULL. */
void log_target_take(struct log_target *target, int fd, enum log_form form,
    char *path);

/* Close what `to` had and move `from` to it; `from` has no descriptor then. */
void log_target_move(struct log_target *to, struct log_target *from);

/* Write one line that has the target's form.  Returns as writer_write. */
int log_target_write(struct log_target *target, const char *line, size_t n);

#endif

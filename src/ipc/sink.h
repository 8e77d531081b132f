#ifndef IPC_SINK_H
#define IPC_SINK_H

/*
 * Where a log of a pool goes: a file, the master's stdout or stderr, syslog,
 * or the error log.  The master opens it and hands descriptors on, at fork
 * and later over the worker's channel: a worker, chrooted and without rights,
 * never opens one.  Runs in master and worker; knows no line's content.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/writer.h"
#include "conf/conf.h"
#include "ipc/record.h"
#include "ipc/score.h"

enum sink_id { SINK_ACCESS, SINK_SLOW, SINK_COUNT };
_Static_assert(SINK_COUNT == SCORE_LOGS, "the score counts for each");

enum sink_way {
	SINK_NONE,
	SINK_FILE,   /* regular, or whatever else path_open_log takes */
	SINK_STREAM, /* stdout or stderr of the master */
	SINK_SYSLOG,
	SINK_ERROR_LOG /* of a worker: its stderr, which the master reads */
};

struct sink { /* all zero but out.fd, which is -1: none */
	enum sink_way way;
	bool own;     /* the file position is moved by one worker alone */
	bool crowded; /* a long line is not whole by itself: it is locked */
	int64_t waits_from; /* clock_ms(): before that for no lock */
	struct writer out;
};

/* The target of a pool's log, NULL: none.  And the key's name. */
const char *sink_target(const struct conf_pool *pool, enum sink_id id);
const char *sink_name(enum sink_id id);

/* Open a target, which may be NULL.  0, or -1 and why, and it is none. */
int sink_open(struct sink *sink, const char *target, struct why *why);
void sink_close(struct sink *sink);

/* Faults for the logs of pools that could not be opened, and for the error log;
 * true if there are any.  Creates nothing. */
bool sink_check(const struct conf *conf, struct conf_faults *faults);
bool sink_check_error_log(const struct conf *conf,
    struct conf_faults *faults);

/* Name the files that somebody else could replace: who is neither root nor
 * the daemon's user nor, for a log of a pool, that pool's user. */
void sink_warn(const struct conf *conf, struct conf_faults *warnings);

/* What the master keeps of a file that it has lent to a worker: the worker
 * shares the descriptor, whose position tells what it has written. */
struct sink_loan {
	int fd;	    /* -1: none */
	int before; /* lent before, while nothing has been written to fd: the
		       worker may not have taken that yet; -1: none */
	unsigned sent; /* logs of which it has not said that it has them */
	bool owed;     /* newer ones are to be sent when it has */
};

#define SINK_LOAN_NONE ((struct sink_loan) { -1, -1, 0, false })

/*
 * As a worker is to have it.  With a loan a regular file is opened once more
 * for this worker alone (sink_position); the loan, which may be of an earlier
 * file, is to be given back when the worker is gone.
 */
void sink_lend(const struct sink *sink, struct sink *out,
    struct sink_loan *loan);
void sink_return(struct sink_loan *loan);

/* The descriptor by which the worker wrote last; -1: not known. */
int sink_loan_used(const struct sink_loan *loan);

/* Send such a sink over a worker's channel.  0, or -1 with errno. */
int sink_send(int channel, enum sink_id id, const struct sink *sink);

/* Take what such a message of n > 0 bytes brought, closing what was there
 * before.  False: it is another message, and the descriptor the caller's. */
bool sink_take(struct sink sinks[SINK_COUNT], int fd,
    const unsigned char *data, size_t n);

/* The same for a worker that is born: append it to its records, take it from
 * them; without such a record it is none. */
void sink_put(const struct sink *sink, enum sink_id id, struct buf *out);
void sink_get(struct sink *sink, enum sink_id id, const struct record *all);

/*
 * One line, with its newline.  0; -1 with errno: it is lost, and what went of
 * it is blank in a file that is the worker's own.  Waits for room for a
 * moment only (writer.h).
 */
int sink_write(struct sink *sink, enum sink_id id, const char *line, size_t n);

/* How many of the first n bytes are whole lines. */
size_t sink_whole_lines(const char *text, size_t n);

/* As sink_write, whole lines, many at a time, into a file.  How many bytes of
 * them went; if that is not all, errno says why, and what follows is not
 * lost. */
size_t sink_write_lines(struct sink *sink, const char *lines, size_t n);

/* Where its own last line ended: another value after a line was written.  -1
 * where that cannot be known. */
int64_t sink_position(const struct sink *sink);

#endif

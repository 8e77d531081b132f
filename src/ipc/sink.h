#ifndef IPC_SINK_H
#define IPC_SINK_H

/*
 * Where a log of a pool goes: a file, the master's stdout or stderr, syslog,
 * or the error log.  The master opens it and passes descriptors to workers, at
 * their birth and later over the channel: a worker, which may be in a chroot
 * and has no rights, never opens one.  Runs in master and worker.
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
	SINK_FILE,   /* a regular file, or another that path_open_log opens */
	SINK_STREAM, /* stdout or stderr of the master */
	SINK_SYSLOG,
	SINK_ERROR_LOG /* in a worker: its stderr, which the master reads */
};

struct sink { /* none: all zero, with out.fd -1 */
	enum sink_way way;
	bool own;     /* opened for one worker: no other moves its position */
	bool crowded; /* pipe, socket or tty: a lock keeps long lines whole */
	int64_t waits_from; /* clock_ms() before which it waits for no lock */
	struct writer out;
};

/* The target of a pool's log (NULL: none), and the name of its key. */
const char *sink_target(const struct conf_pool *pool, enum sink_id id);
const char *sink_name(enum sink_id id);

/* Open a target (NULL: none).  0, or -1 and why, and the sink is none. */
int sink_open(struct sink *sink, const char *target, struct why *why);
void sink_close(struct sink *sink);

/* Append a fault for each log of a pool, or for the error log, that could not
 * be opened; true if there is one.  Creates no file. */
bool sink_check(const struct conf *conf, struct conf_faults *faults);
bool sink_check_error_log(const struct conf *conf,
    struct conf_faults *faults);

/* Append a warning for each log file that another user could replace: any but
 * root, the daemon's user and, for a log of a pool, that pool's user. */
void sink_warn(const struct conf *conf, struct conf_faults *warnings);

/* What the master keeps of a file that it has lent to a worker.  Both share the
 * descriptor, whose position tells how much the worker has written. */
struct sink_loan {
	int fd;	    /* -1: none */
	int before; /* the one lent before, until something is written to fd,
		       which the worker may not have yet; -1: none */
	unsigned sent; /* logs sent and not yet confirmed by WORD_TAKEN */
	bool owed;     /* newer logs are to be sent after that */
};

#define SINK_LOAN_NONE ((struct sink_loan) { -1, -1, 0, false })

/*
 * Set *out to the sink as a worker gets it; its descriptor stays with the sink
 * or the loan.  With a loan (NULL: without) a regular file is opened again for
 * this worker alone (sink_position); the loan may have an earlier file already.
 * sink_return closes what the loan has, when the worker is gone.
 */
void sink_lend(const struct sink *sink, struct sink *out,
    struct sink_loan *loan);
void sink_return(struct sink_loan *loan);

/* The descriptor to which the worker has written last; -1: not known. */
int sink_loan_used(const struct sink_loan *loan);

/* Send a sink of sink_lend over a worker's channel.  0, or -1 with errno. */
int sink_send(int channel, enum sink_id id, const struct sink *sink);

/* In the worker: replace a sink by the one in a message of n > 0 bytes, which
 * came with fd (-1: none).  The old one is closed.  False: it is another
 * message, and the caller still owns fd. */
bool sink_take(struct sink sinks[SINK_COUNT], int fd,
    const unsigned char *data, size_t n);

/* The same at a worker's birth: append a sink of sink_lend to its records; set
 * it from the records in the value of `all`, to none if there is no such. */
void sink_put(const struct sink *sink, enum sink_id id, struct buf *out);
void sink_get(struct sink *sink, enum sink_id id, const struct record *all);

/*
 * Write one line, which ends with its newline.  0, or -1 with errno: the line
 * is lost; its beginning, if written, becomes blanks in a file that is the
 * worker's own.  Waits only a moment for room (base/writer.h).
 */
int sink_write(struct sink *sink, enum sink_id id, const char *line, size_t n);

/* The length of the whole lines at the start of n bytes. */
size_t sink_whole_lines(const char *text, size_t n);

/* As sink_write, for several whole lines to a file.  Returns the bytes of whole
 * lines that were written; if that is less than n, errno says why, and the
 * caller may write the others again. */
size_t sink_write_lines(struct sink *sink, const char *lines, size_t n);

/* The position behind the last line of this worker in a file of its own, which
 * changes with every line; -1: the file is not its own. */
int64_t sink_position(const struct sink *sink);

#endif

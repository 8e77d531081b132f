#ifndef BASE_LOG_H
#define BASE_LOG_H

/*
 * The error log.  One event is one line and one write(2), in a form of
 * base/log_line.h; workers send their lines to the master.
 * Repeats of the line before are counted (base/log_fold.h); their count is
 * written before the next line, at the latest ten seconds after the first.
 * Before log_open: stderr, as text, level notice.  A log that takes no lines
 * (a pipe that is not read, a full disk) delays a writer only for a moment
 * (base/writer.h); the number of lost lines is logged as soon as it takes one.
 */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/log_line.h"
#include "base/why.h"

/*
 * Send everything of `min` and above to "stderr", "syslog", "journal" or a
 * file, in `form` (base/log_target.h).  On failure (-1, why) the log stays as
 * it was.
 */
int log_open(const char *target, enum log_level min, enum log_form form,
    struct why *why);

/* log_open in two steps: open the new log while the old one stays in use; then
 * switch to it, which cannot fail, or close it again. */
int log_prepare(const char *target, enum log_form form, struct why *why);
void log_commit(enum log_level min);
void log_abandon(void);

/*
 * Where the log is, for the next image of this program in the same process
 * (the path is borrowed); and continue there: the log owns the descriptor from
 * then on and copies the path.
 */
struct log_place {
	int fd;
	const char *path; /* NULL: not a file */
	int64_t min, form; /* enum log_level, enum log_form */
};
struct log_place log_place(void);
void log_settle(const struct log_place *place);

/* Open the log's file again by its path (after a rotation), or connect its
 * socket again.  0, or -1 and why, and the old one stays in use. */
int log_reopen(struct why *why);

/*
 * In a worker, which does not have the log: send every line of `min` and above
 * to the master (base/log_wire.h), over the pipe that is the worker's stderr.
 */
void log_to_master(enum log_level min);

/* The process has no master: write to what stderr is now, as before, even if
 * the application closes or replaces it (log_pipe.h). */
void log_alone(void);

/* Get and set the lowest level that is logged. */
enum log_level log_level_now(void);
void log_set_level(enum log_level min);

/* Tag later lines with the id of a request, which is not copied, and printed
 * as it is; NULL: with none.  And get the current id. */
void log_request(const char *id);
const char *log_request_now(void);

/* Log a line; keeps errno. */
void log_write(enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Log n bytes (any bytes) with the method and URI of the request they are
 * about. */
void log_about(enum log_level level, const char *method, const char *uri,
    const char *text, size_t n);

/* Log an entry of another process. */
void log_relay(const struct log_entry *entry);

/*
 * log_due: when the count of repeats is due to be written (clock_ms(); -1:
 * there are no repeats).  log_tick writes it if it is due, log_flush at once.
 * exit(3) writes it too.
 */
int64_t log_due(void);
void log_tick(int64_t now);
void log_flush(void);

/*
 * Keep the count of repeats also in *shared (NULL: nowhere), which is 0 at
 * first: a killed process cannot write it.  After its death its parent passes
 * what was `left` there to log_bury, which writes the count in its name.
 */
void log_share(_Atomic uint64_t *shared);
void log_bury(uint64_t left, const char *pool, pid_t pid);

#define log_debug(...)	 log_write(LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...)	 log_write(LEVEL_INFO, __VA_ARGS__)
#define log_notice(...)	 log_write(LEVEL_NOTICE, __VA_ARGS__)
#define log_warning(...) log_write(LEVEL_WARNING, __VA_ARGS__)
#define log_error(...)	 log_write(LEVEL_ERROR, __VA_ARGS__)
#define log_alert(...)	 log_write(LEVEL_ALERT, __VA_ARGS__)

#endif

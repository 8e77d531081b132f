#ifndef BASE_LOG_H
#define BASE_LOG_H

/*
 * The error log.  One event is one line and one write(2), in the form that
 * base/log_line.h knows; workers send their lines to the master.
 * What repeats the line before is counted (base/log_fold.h), and the count
 * written before the next line, at the latest ten seconds after the first.
 * Before log_open: stderr, as text, level notice.  A log that takes no lines
 * (nobody reads the pipe, the disk is full) holds nobody up: base/writer.h;
 * how many were lost is said as soon as it takes one.
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

/* The same in two steps: open it beside the log, which stays; then switch to
 * it, which cannot fail, or let it go. */
int log_prepare(const char *target, enum log_form form, struct why *why);
void log_commit(enum log_level min);
void log_abandon(void);

/*
 * Where the log is, for another image of this program in the same process, and
 * to go on there: the descriptor is the log's then, the path is copied.
 */
struct log_place {
	int fd;
	const char *path; /* of a file; NULL */
	int64_t min, form; /* enum log_level, enum log_form */
};
struct log_place log_place(void);
void log_settle(const struct log_place *place);

/* Open the file anew (after a rotation).  0, or -1 and why, and the old one
 * stays. */
int log_reopen(struct why *why);

/*
 * In a worker, which does not have the log: every line of `min` and above goes
 * to the master through stderr (base/log_wire.h), which is the pipe to it.
 */
void log_to_master(enum log_level min);

/* The level from which on is logged: what it is, and what it is to be. */
enum log_level log_level_now(void);
void log_set_level(enum log_level min);

/* From now on every line is about the request of that id, which is borrowed
 * and needs no escaping; NULL: about none any more.  And which it is. */
void log_request(const char *id);
const char *log_request_now(void);

void log_write(enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The same for n bytes of any kind about METHOD and URI. */
void log_about(enum log_level level, const char *method, const char *uri,
    const char *text, size_t n);

/* An entry on behalf of another process. */
void log_relay(const struct log_entry *entry);

/*
 * Repeats that were counted are to be told of: when (clock_ms(), -1: there are
 * none), and do it, if it is time or at once.  At the end of the process that
 * happens by itself.
 */
int64_t log_due(void);
void log_tick(int64_t now);
void log_flush(void);

/*
 * Keep that count in `shared` as well, which begins as 0: a process that is
 * killed cannot tell of it, so whoever buries it does, in its name, by what
 * was `left` there.  NULL: nowhere.
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

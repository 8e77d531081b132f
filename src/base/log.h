#ifndef BASE_LOG_H
#define BASE_LOG_H

/*
 * The error log.  One event is one line and one write(2); control bytes in a
 * text are shown as \n, \t, \xHH, so that nothing from a request can forge a
 * line.  Master and workers write to the same descriptor (O_APPEND).
 *
 *   2026-11-20T13:24:01.123+00:00 notice [pool www] [pid 4711] text
 *
 * `[pool ...]` is there in a worker or on behalf of one, `[request ID]` after
 * the pid while a worker has one in hand.  To syslog goes the text without
 * time and level.  Before log_open: stderr, level notice.  A log that takes no
 * lines (nobody reads the pipe, the disk is full) holds nobody up:
 * base/outlet.h; how many were lost is said as soon as it takes one.
 */

#include <stddef.h>
#include <sys/types.h>

#include "base/why.h"

enum log_level {
	LEVEL_DEBUG,
	LEVEL_INFO,
	LEVEL_NOTICE,
	LEVEL_WARNING,
	LEVEL_ERROR,
	LEVEL_ALERT
};

/* "debug" .. "alert" -> level; -1 if it is none of them.  And back. */
int log_level_parse(const char *name);
const char *log_level_name(enum log_level level);

/*
 * Send everything of `min` and above to "stderr", "syslog" or a file, which
 * is created with mode 0640.  On failure (-1, why) the log stays as it was.
 */
int log_open(const char *target, enum log_level min, struct why *why);

/* Open the file anew (after a rotation).  0, or -1 and the old one stays. */
int log_reopen(void);

/*
 * Where and from which level on is logged, handed on over a unix socket: the
 * master sends it after it has changed, a worker takes it over.  So a worker
 * never opens the file itself, which it may not be able to.  log_send: 0, or
 * -1 with errno; the message begins with LOG_TAG, since other things travel
 * there as well (share/sink.h, which receives them).  log_adopt: what such a
 * message of n bytes brought; fd, -1 for syslog, is the log's from then on.
 */
#define LOG_TAG 'E'
int log_send(int sock);
void log_adopt(int fd, const unsigned char *data, size_t n);

/* In a worker, after fork and before it closes what is not its own: every
 * later line carries this pool.  The name is copied. */
void log_identity(const char *pool);

/* From now on every line is about the request of that id, which is borrowed
 * and needs no escaping; NULL: about none any more. */
void log_request(const char *id);

/* The descriptor that is written to, -1 for syslog: a worker spares it. */
int log_fd(void);

void log_write(enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* One line on behalf of another process, `text` not being terminated. */
void log_relay(enum log_level level, const char *pool, pid_t pid,
    const char *text, size_t len);

#define log_debug(...)	 log_write(LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...)	 log_write(LEVEL_INFO, __VA_ARGS__)
#define log_notice(...)	 log_write(LEVEL_NOTICE, __VA_ARGS__)
#define log_warning(...) log_write(LEVEL_WARNING, __VA_ARGS__)
#define log_error(...)	 log_write(LEVEL_ERROR, __VA_ARGS__)
#define log_alert(...)	 log_write(LEVEL_ALERT, __VA_ARGS__)

#endif

#ifndef BASE_LOG_LINE_H
#define BASE_LOG_LINE_H

/*
 * One entry of the error log, and what it looks like to whoever takes it: a
 * line of text or JSON, a datagram for syslog or journald.  Nothing of an
 * entry can forge another.  Pure but for the time of day; runs everywhere.
 */

#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"

enum log_level {
	LEVEL_DEBUG,
	LEVEL_INFO,
	LEVEL_NOTICE,
	LEVEL_WARNING,
	LEVEL_ERROR,
	LEVEL_ALERT
};

/* "debug" .. "alert", by level; NULL at the end. */
extern const char *const log_level_names[];

enum log_form {
	FORM_TEXT,    /* TIME LEVEL [pool P] [pid N] [request ID] M URI: TEXT */
	FORM_JSON,    /* {"time":...,"level":...,...,"message":...} */
	FORM_PREFIX,  /* as text, "<N>" in the place of time and level */
	FORM_SYSLOG,  /* a datagram as syslog(3) sends it */
	FORM_JOURNAL, /* a datagram of fields, systemd.journal-fields(7) */
	FORM_WIRE,    /* to the master: base/log_wire.h */
	FORM_COUNT
};

/* The two that can be configured; NULL at the end. */
extern const char *const log_form_names[];

struct log_entry {
	enum log_level level;
	pid_t pid;	     /* whose entry it is */
	const char *pool;    /* NULL: of none */
	const char *request; /* its id, which needs no escaping; NULL: none */
	const char *method;  /* of the request, any bytes; NULL: not named */
	const char *uri;
	const char *text;    /* any bytes, not terminated */
	size_t len;
};

/* Put the entry into `line`, which is emptied first.  0, or -1: there is no
 * memory even for an entry that says so. */
int log_line_make(struct buf *line, enum log_form form,
    const struct log_entry *entry);

#endif

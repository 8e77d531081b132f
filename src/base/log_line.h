#ifndef BASE_LOG_LINE_H
#define BASE_LOG_LINE_H

/*
 * One entry of the error log in its forms: a line of text or JSON, a datagram
 * for syslog or journald.  No text in an entry can forge another entry.  Pure
 * but for the time of day; runs everywhere.
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
	FORM_PREFIX,  /* as text, with "<N>" instead of time and level */
	FORM_SYSLOG,  /* a datagram as syslog(3) sends it */
	FORM_JOURNAL, /* a datagram of fields, systemd.journal-fields(7) */
	FORM_WIRE,    /* to the master: base/log_wire.h */
	FORM_TERMINAL, /* as text, with real newlines, after which it is
			  indented */
	FORM_COUNT
};

/* "text" and "json", which can be configured; NULL at the end. */
extern const char *const log_form_names[];

struct log_entry {
	enum log_level level;
	pid_t pid;	     /* of the process that the entry is about */
	const char *pool;    /* NULL: none */
	const char *request; /* its id, printed as it is; NULL: none */
	const char *method;  /* of the request, any bytes; NULL: nor a uri */
	const char *uri;
	const char *text;    /* any bytes, not terminated */
	size_t len;
};

/* Format the entry, in any form but FORM_WIRE, as the new content of `line`.
 * Out of memory: an entry that says so instead.  0, or -1: no memory for that
 * one either. */
int log_line_make(struct buf *line, enum log_form form,
    const struct log_entry *entry);

#endif

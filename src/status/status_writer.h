#ifndef STATUS_STATUS_WRITER_H
#define STATUS_STATUS_WRITER_H

/*
 * The formats that consist of names and values: status_fields calls a function
 * of the format for each field of a status.  For status_*.c only.
 */

#include "status/status_format.h"

enum status_nest {
	NEST_OBJECT, /* fields under a name */
	NEST_LIST,   /* items under a name */
	NEST_ITEM    /* fields; only XML uses the name */
};

struct status_writer;

struct status_style { /* names are php-fpm's: words with blanks */
	void (*integer)(struct status_writer *, const char *name, int64_t n);
	/* value / 10^digits */
	void (*decimal)(struct status_writer *, const char *name,
	    int64_t value, int digits);
	/* seconds since 1970 */
	void (*time)(struct status_writer *, const char *name, int64_t n);
	/* any bytes but NUL */
	void (*text)(struct status_writer *, const char *name,
	    const char *text);
	/* `count` requests took at most `us`; -1: any time */
	void (*bucket)(struct status_writer *, int64_t us, uint64_t count);
	void (*open)(struct status_writer *, const char *name,
	    enum status_nest);
	void (*close)(struct status_writer *, const char *name,
	    enum status_nest);
};

struct status_writer {
	const struct status_style *style;
	struct buf *out;
	const char *group; /* name of the open object; NULL: none */
	bool more;	   /* this level has a field or item already */
};

/* Write every field of the pool, and of its workers if full. */
void status_fields(const struct status *status, bool full,
    struct status_writer *writer);

/* Append the status as plain text; as XML. */
void status_text(const struct status *status, bool full, struct buf *out);
void status_xml(const struct status *status, bool full, struct buf *out);

#endif

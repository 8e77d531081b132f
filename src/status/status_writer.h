#ifndef STATUS_STATUS_WRITER_H
#define STATUS_STATUS_WRITER_H

/*
 * How a format writes a field: status_fields goes through a status once for
 * all formats that are made of names and values.  For status_*.c alone.
 */

#include "status/status_format.h"

enum status_nest {
	NEST_OBJECT, /* fields, under a name */
	NEST_LIST,   /* items */
	NEST_ITEM    /* fields; its name is for XML */
};

struct status_writer;

struct status_style { /* names are php-fpm's: words, with blanks */
	void (*integer)(struct status_writer *, const char *name, int64_t n);
	/* value / 10^digits */
	void (*decimal)(struct status_writer *, const char *name,
	    int64_t value, int digits);
	/* seconds since 1970 */
	void (*time)(struct status_writer *, const char *name, int64_t n);
	/* any bytes but NUL */
	void (*text)(struct status_writer *, const char *name,
	    const char *text);
	/* so many requests took at most so many us; -1: any time */
	void (*bucket)(struct status_writer *, int64_t us, uint64_t count);
	void (*open)(struct status_writer *, const char *name,
	    enum status_nest);
	void (*close)(struct status_writer *, const char *name,
	    enum status_nest);
};

struct status_writer {
	const struct status_style *style;
	struct buf *out;
	const char *group; /* the object that is open; NULL */
	bool more;	   /* a field or item stands before, at this level */
};

/* Every field of the pool, and of its workers if full. */
void status_fields(const struct status *status, bool full,
    struct status_writer *writer);

void status_text(const struct status *status, bool full, struct buf *out);
void status_xml(const struct status *status, bool full, struct buf *out);

#endif

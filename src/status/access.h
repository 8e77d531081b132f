#ifndef STATUS_ACCESS_H
#define STATUS_ACCESS_H

/*
 * Format a line of the access log, from a compiled format (conf/format.h) and a
 * record of the request.  The worker makes the lines of its requests, the
 * master that of a worker that died; each passes functions that look up
 * parameters and headers.  Pure but for the time zone.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "conf/conf.h"
#include "conf/format.h"

#define ACCESS_GONE   499 /* the client left before there was a status */
#define ACCESS_KILLED 502 /* the worker died before there was one */

struct access_text { /* data is NULL if there is no such text */
	const char *data;
	size_t len;
};

struct access_record {
	/* Look up a FastCGI parameter; a header of the response.  `from` is
	 * passed to both, and the texts live as long as it does. */
	struct access_text (*param)(const void *from, const char *name,
	    size_t len);
	struct access_text (*header)(const void *from, const char *name,
	    size_t len);
	const void *from;
	const char *pool;
	const char *id;
	const char *end; /* how the request ended, for %X: "ok" ... */
	pid_t pid;
	pid_t parent;
	int status;
	int app_status;
	int64_t ended;	  /* us since 1970 */
	int64_t duration; /* us */
	int64_t first;	  /* us to the first byte, -1: not sent or not known */
	int64_t cpu[3];	  /* us, by enum format_unit: total, user, system */
	uint64_t memory;  /* bytes */
	uint64_t bytes_in;
	uint64_t bytes_out;
	uint64_t head; /* bytes of these that are the response's head */
};

/* Append the line with its newline.  All texts of the record are escaped.  The
 * format is not const because it caches the text of times. */
void access_line(struct format *format, const struct access_record *record,
    struct buf *out);

/*
 * True if the line is not to be logged: GET or HEAD of a path in the list
 * (logs.access_suppress), without query and body, answered with 2xx.
 */
bool access_suppressed(const struct conf_list *paths,
    const struct access_record *record);

#endif

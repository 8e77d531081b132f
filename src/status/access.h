#ifndef STATUS_ACCESS_H
#define STATUS_ACCESS_H

/*
 * A line of the access log: a compiled format (conf/format.h) and what is
 * known of a request, to bytes.  Pure but for the time zone.  The worker
 * makes the lines of its requests, the master those of a worker that died;
 * where a value comes from is theirs (function pointers).
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "conf/conf.h"
#include "conf/format.h"

#define ACCESS_GONE   499 /* the client left before there was a status */
#define ACCESS_KILLED 502 /* the worker died before there was one */

struct access_text { /* data is NULL: there is none */
	const char *data;
	size_t len;
};

struct access_record {
	/* A FastCGI parameter; a header of the response. */
	struct access_text (*param)(const void *from, const char *name,
	    size_t len);
	struct access_text (*header)(const void *from, const char *name,
	    size_t len);
	const void *from;
	const char *pool;
	const char *id;
	const char *end; /* how it ended: "ok", ... */
	pid_t pid;
	pid_t parent;
	int status;
	int app_status;
	int64_t ended;	  /* us since 1970 */
	int64_t duration; /* us */
	int64_t first;	  /* us to the first byte, -1: there was none */
	int64_t cpu[3];	  /* us, by enum format_unit: total, user, system */
	uint64_t memory;  /* bytes */
	uint64_t bytes_in;
	uint64_t bytes_out;
	uint64_t head; /* of these, the head of the response */
};

/* Append the line with its newline.  Every value is escaped.  The format
 * remembers times as text. */
void access_line(struct format *format, const struct access_record *record,
    struct buf *out);

/*
 * Is it one that nobody wants to see: GET or HEAD of a path in the list,
 * without query and body, answered with 2xx?
 */
bool access_suppressed(const struct conf_list *paths,
    const struct access_record *record);

#endif

#ifndef TESTS_HTTP_OUTCOME_H
#define TESTS_HTTP_OUTCOME_H

/*
 * What a reader of HTTP makes of a connection, whoever it is.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUTCOME_REQUESTS 64
#define OUTCOME_UNKNOWN	 UINT64_MAX

enum outcome_end {
	MORE,	 /* waits, perhaps in a request */
	CLOSED,	 /* the last request ends the connection */
	REFUSED,
	UPGRADED
};

struct outcome {
	unsigned n;
	struct {
		uint64_t length; /* of the body */
		uint64_t end;	 /* of the request, among all bytes */
		bool odd;	 /* some refuse what is so rare */
		bool trailer;	 /* it has one */
	} requests[OUTCOME_REQUESTS];
	enum outcome_end end;
};

static inline void
outcome_add(struct outcome *o, uint64_t length, uint64_t end)
{
	if (o->n == OUTCOME_REQUESTS)
		return;
	o->requests[o->n].length = length;
	o->requests[o->n++].end = end;
}

/* Of http-parser.  False: it was not there when this was built. */
bool ask_http_parser(const char *data, size_t n, struct outcome *o);

#endif

#ifndef CTL_FCGI_FCGI_LOAD_H
#define CTL_FCGI_FCGI_LOAD_H

/*
 * The load generator: one request, sent many times over many connections at
 * once by one thread, every answer judged.  Runs in the control tool; what it
 * counts is in fcgi_tally.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/why.h"
#include "ctl/fcgi/fcgi_client.h"
#include "ctl/fcgi/fcgi_tally.h"

struct load_plan {
	const struct fcgi_address *address;
	const struct buf *request;
	bool head;	  /* the request is a HEAD */
	bool keep;	  /* use a connection again while the server keeps it */
	unsigned clients; /* connections at once, > 0 */
	uint64_t requests; /* begin that many; 0: as many as fit into run_ms */
	int64_t run_ms;	   /* begin none later than this; 0: no limit */
	int64_t timeout_ms; /* for one request, > 0 */
};

/*
 * Returns when every request that was begun has been answered or has failed.
 * A kept connection that the server closed instead of answering is no
 * failure: the request is sent again over a new one, as web servers do.
 * 0, or -1 and why: the load could not be generated (descriptors, memory).
 */
int fcgi_load(const struct load_plan *plan, struct fcgi_tally *tally,
    struct why *why);

#endif

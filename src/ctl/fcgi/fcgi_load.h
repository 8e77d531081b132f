#ifndef CTL_FCGI_FCGI_LOAD_H
#define CTL_FCGI_FCGI_LOAD_H

/*
 * The load generator: one thread sends one request many times over many
 * connections at once, and checks every response.  It counts in fcgi_tally.
 * Runs in lua-fcgi.
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
	uint64_t requests; /* number to begin; 0: as many as fit into run_ms */
	int64_t run_ms;	   /* time in which requests begin; 0: no limit */
	int64_t timeout_ms; /* for one request, > 0 */
};

/*
 * Run the plan, until every request that was begun is answered or has failed,
 * and add the results to tally.  If the server closed a kept connection instead
 * of answering, that is no failure: the request is sent again over a new one,
 * as web servers do.  0, or -1 and why: the load could not be generated
 * (descriptors, memory).
 */
int fcgi_load(const struct load_plan *plan, struct fcgi_tally *tally,
    struct why *why);

#endif

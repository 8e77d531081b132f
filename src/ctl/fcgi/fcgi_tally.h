#ifndef CTL_FCGI_FCGI_TALLY_H
#define CTL_FCGI_FCGI_TALLY_H

/*
 * What became of many requests: counts by status and by kind of failure, and
 * their latencies in a histogram of fixed size (within 2 % of the truth, the
 * extremes exact).  Pure but for printing; runs in the control tool.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define TALLY_STATUS 1000
#define TALLY_SLOTS  4096

enum tally_failure {
	FAIL_CONNECT,	  /* no connection */
	FAIL_CUT,	  /* closed or reset before the response was whole */
	FAIL_STATUS,	  /* HTTP status 400 and above */
	FAIL_APPLICATION, /* FastCGI application status not 0 */
	FAIL_PROTOCOL,	  /* not FastCGI, not CGI, refused */
	FAIL_TIMEOUT,
	FAIL_KINDS
};

struct fcgi_tally {
	uint64_t answered; /* whole responses, whatever they say */
	uint64_t failed[FAIL_KINDS];
	char reason[FAIL_KINDS][120]; /* of the first one */
	uint64_t status[TALLY_STATUS];
	uint64_t reconnects; /* kept connections that the server had closed */
	uint64_t bytes;	     /* received */
	int64_t elapsed_us;
	uint64_t slot[TALLY_SLOTS]; /* of the answered ones */
	uint64_t latency_sum;	    /* us, as the next two */
	uint64_t latency_min;
	uint64_t latency_max;
};

/* All zero is an empty tally.  latency in microseconds. */
void tally_answer(struct fcgi_tally *t, unsigned status, uint64_t latency);
void tally_failure(struct fcgi_tally *t, enum tally_failure kind,
    const char *reason);

uint64_t tally_failed(const struct fcgi_tally *t);

/* The latency that `share` (0..1) of the answers did not exceed. */
uint64_t tally_percentile(const struct fcgi_tally *t, double share);

/* For people; as one JSON object on one line. */
void tally_print(const struct fcgi_tally *t, FILE *out);
void tally_print_json(const struct fcgi_tally *t, FILE *out);

#endif

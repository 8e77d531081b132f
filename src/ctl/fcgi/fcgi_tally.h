#ifndef CTL_FCGI_FCGI_TALLY_H
#define CTL_FCGI_FCGI_TALLY_H

/*
 * The results of many requests: counts by status and by kind of failure, and
 * latencies in a histogram of fixed size (exact to 2 %; minimum and maximum
 * exact).  Pure but for printing; runs in lua-fcgi.
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
	uint64_t answered; /* complete responses, with any status */
	uint64_t failed[FAIL_KINDS];
	char reason[FAIL_KINDS][120]; /* of the first failure of each kind */
	uint64_t status[TALLY_STATUS];
	uint64_t reconnects; /* kept connections that the server had closed */
	uint64_t bytes;	     /* received */
	int64_t elapsed_us;
	uint64_t slot[TALLY_SLOTS]; /* complete responses by latency */
	uint64_t latency_sum;	    /* us, as the next two */
	uint64_t latency_min;
	uint64_t latency_max;
};

/* Count a complete response, with its latency in us; count a failure, with its
 * reason, which is escaped.  A tally that is all zero is empty. */
void tally_answer(struct fcgi_tally *t, unsigned status, uint64_t latency);
void tally_failure(struct fcgi_tally *t, enum tally_failure kind,
    const char *reason);

/* The number of failures of all kinds. */
uint64_t tally_failed(const struct fcgi_tally *t);

/* The latency, in us, that `share` (0..1) of the responses did not exceed. */
uint64_t tally_percentile(const struct fcgi_tally *t, double share);

/* Print it for people; as one JSON object on one line. */
void tally_print(const struct fcgi_tally *t, FILE *out);
void tally_print_json(const struct fcgi_tally *t, FILE *out);

#endif

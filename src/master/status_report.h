#ifndef MASTER_STATUS_REPORT_H
#define MASTER_STATUS_REPORT_H

/*
 * The status of the daemon and of all its pools as JSON: for each pool that of
 * its status page, and beside it what only the master knows.  Runs in the
 * master.
 */

#include "base/buf.h"
#include "master/pools.h"

struct status_report { /* about the daemon itself */
	const char *version;
	const char *state;
	int64_t started; /* seconds since 1970 */
};

/* Append the status of one pool, or of all (only is NULL).  If memory runs out,
 * out->failed is set. */
void status_report_json(const struct status_report *report, const struct pools *pools,
    const char *only, struct buf *out);

#endif

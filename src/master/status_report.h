#ifndef MASTER_STATUS_REPORT_H
#define MASTER_STATUS_REPORT_H

/*
 * The status of the daemon and of all its pools as JSON: that of the status
 * page for each pool, and what only the master knows around it.  Runs in the
 * master.
 */

#include "base/buf.h"
#include "master/pools.h"

struct status_report { /* about the daemon itself */
	const char *version;
	const char *state;
	int64_t started; /* seconds since 1970 */
};

/* Append it, of one pool or of all (NULL).  Out of memory: out->failed. */
void status_report_json(const struct status_report *report, const struct pools *pools,
    const char *only, struct buf *out);

#endif

#ifndef CTL_FPM_FPM_CLIENT_H
#define CTL_FPM_FPM_CLIENT_H

/*
 * One question to the daemon over its control socket, by the protocol of
 * lua-fpmctl(8): a line, then "ok" or "failed", text and the end of file.  The
 * wait for a daemon that shows no sign of life has a limit, unless the caller
 * sets FPM_NONE.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/why.h"

#define FPM_PATIENCE 5000 /* ms */

#define FPM_NONE INT64_MAX   /* no limit */
#define FPM_USUAL INT64_C(0) /* FPM_PATIENCE; for an outcome see below */

struct fpm_question {
	const char *line; /* with its newline */
	const struct buf *more; /* is sent behind it, with an end of file after
				   it, and the answer is a line, not the
				   master's; NULL: nothing */
	int64_t limit;	  /* ms until the answer is complete */
	bool outcome;	  /* the answer may take any time: FPM_USUAL waits as
			     long as the daemon answers "ping" meanwhile */
};

struct fpm_answer {
	bool good;	 /* "ok", not "failed" */
	struct buf text; /* the rest, terminated by a NUL that len excludes */
};

enum fpm_verdict {
	FPM_ANSWERED,
	FPM_AWAY, /* no daemon, no complete answer, or not by the protocol */
	FPM_LATE  /* no complete answer in time */
};

/* Ask the question.  FPM_ANSWERED: the caller frees answer->text with buf_free;
 * else why is filled and there is nothing to free. */
enum fpm_verdict fpm_ask(const char *socket,
    const struct fpm_question *question, struct fpm_answer *answer,
    struct why *why);

#endif

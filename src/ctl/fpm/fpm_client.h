#ifndef CTL_FPM_FPM_CLIENT_H
#define CTL_FPM_FPM_CLIENT_H

/*
 * One question to the daemon over its control socket.  The protocol is that
 * of lua-fpmctl(8): a line, then "ok" or "failed", text and the end of file.
 * Nobody is waited for without a limit who shows no sign of life.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/why.h"

#define FPM_PATIENCE 5000 /* ms */

#define FPM_NONE INT64_MAX   /* a limit that is none */
#define FPM_USUAL INT64_C(0) /* FPM_PATIENCE, unless an outcome is waited for */

struct fpm_question {
	const char *line; /* with its newline */
	int64_t limit;	  /* ms until the whole answer is there */
	bool outcome;	  /* is waited for, by the usual limit as long as the
			     daemon answers "ping" meanwhile */
};

struct fpm_answer {
	bool good;	 /* "ok", not "failed" */
	struct buf text; /* what followed; terminated, though not counted */
};

enum fpm_verdict {
	FPM_ANSWERED,
	FPM_AWAY, /* nobody is there, went away, or does not make sense */
	FPM_LATE  /* no whole answer in time */
};

/* Ask.  why is filled unless there is an answer, which is to be freed with
 * buf_free. */
enum fpm_verdict fpm_ask(const char *socket,
    const struct fpm_question *question, struct fpm_answer *answer,
    struct why *why);

#endif

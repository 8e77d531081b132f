#ifndef CTL_FPM_CLIENT_H
#define CTL_FPM_CLIENT_H

/*
 * One question to the daemon over its control socket.  The protocol is that
 * of lua-fpmctl(8): a line, then "ok" or "failed", text and the end of file.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "base/why.h"

struct fpm_answer {
	bool good;	 /* "ok", not "failed" */
	struct buf text; /* what followed; terminated, though not counted */
};

/* Ask, and wait for as long as it takes.  0, or -1 and why: nobody is there,
 * or went away without an answer.  answer is to be freed with buf_free. */
int fpm_ask(const char *socket, const char *line, struct fpm_answer *answer,
    struct why *why);

#endif

#ifndef WORKER_CGI_CGI_H
#define WORKER_CGI_CGI_H

/*
 * The interface "cgi": each request runs a program (RFC 3875).  What it writes
 * is the response, the body is what it reads, what it complains is logged; all
 * three are streamed, and none waits for another.  Runs in the worker, which
 * has no Lua state then.
 */

#include <stdbool.h>

#include "base/why.h"
#include "ipc/worker_args.h"
#include "worker/serve/request.h"

/* Once, by the thread that serves.  0, or -1 and why. */
int cgi_init(const struct worker_args *args, struct why *why);

/*
 * Serve one request; returns when the program and its process group have ended,
 * unless its output has ended before.  The caller sees no failure.  It is
 * logged and, if nothing has been sent, answered: 403 or 404 if there is no
 * such program, 408 for a body that came too late, 413 for one that is too
 * long, 400 for a malformed one, timeout_status for a program that took too
 * long, 500.  If part of a response has been sent, it ends there and
 * request->app_status is set.
 * request->result is the status of such an answer, or the program's exit code.
 */
void cgi_serve(struct request *request);

/* True if the program of the request before goes on, although its output has
 * ended: then call cgi_outlive while that request is there still, and cgi_finish
 * when its connection does not wait any more. */
bool cgi_is_unfinished(void);
void cgi_outlive(const struct request *request);

/* Wait for its end, or let it end at timeouts.after. */
void cgi_finish(void);

/* The time of the request is over: the program is killed.  From any thread. */
void cgi_expire(void);

/* True if the time was over for the request before. */
bool cgi_expired(void);

#endif

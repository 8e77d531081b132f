#ifndef WORKER_CGI_PROGRAM_H
#define WORKER_CGI_PROGRAM_H

/*
 * A CGI program: its environment, its process, its end.  One at a time.  Runs in
 * the worker, which its processes share nothing with but three pipes.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "base/why.h"
#include "ipc/worker_args.h"
#include "worker/serve/request.h"
#include "worker/serve/script.h"

struct program {
	pid_t pid; /* also the number of its process group; 0: not started */
	int end;   /* its pidfd: readable when it has ended */
	int in;	   /* what we write to it, -1: it has /dev/null, or closed */
	int out, err; /* what we read, -1: closed */
};

/* Once: start what programs need.  0, or -1 and why. */
int program_init(const struct worker_args *args, struct why *why);

/*
 * The environment of the program for a request (RFC 3875, 4.1): its parameters,
 * as the application's env has them; before those, PATH and the variables of the
 * pool's key `environment`, or all that the pool's processes have if
 * clear_environment is false, but no HTTP_*.  0, or the HTTP status of the
 * answer and why.  Kept until the next call.
 */
int program_environment(const struct request *request,
    const struct script *script, struct why *why);

/*
 * Start the script with that environment, in its directory, as the leader of a
 * process group of its own; no signal is blocked or ignored, no other descriptor
 * is open.  with_input: its standard input is a pipe.  Ours are close-on-exec
 * and do not block.  0, or the HTTP status of the answer and why.
 */
int program_start(struct program *program, const struct script *script,
    bool with_input, struct why *why);

/* End its whole group: nothing of it is left, but what has begun a session of
 * its own.  Frees what belongs to it.  Returns the status of the program as of
 * waitpid(2). */
int program_end(struct program *program);

#endif

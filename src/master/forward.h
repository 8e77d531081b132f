#ifndef MASTER_FORWARD_H
#define MASTER_FORWARD_H

/*
 * When the addresses of a generation that leaves go to several others, its
 * workers go on handing connections over as if there were one that follows
 * them: here each goes on to the one that has its address now.  Runs in the
 * master, which passes messages on as they are.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/loop.h"

struct forward;

/*
 * What arrives at `from`, the reading end of an exchange, and came through
 * listeners[i] goes to to[i], the writing end of another; what came through
 * none of them to to[0].  The listeners have to stay open, of the others it
 * keeps copies.  n > 0.  NULL with errno.
 */
struct forward *forward_new(struct loop *loop, int from, const int *listeners,
    const int *to, size_t n);

/* Nothing waits (any more); NULL is fine. */
bool forward_idle(const struct forward *forward);

void forward_free(struct forward *forward);

#endif

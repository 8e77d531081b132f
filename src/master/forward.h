#ifndef MASTER_FORWARD_H
#define MASTER_FORWARD_H

/*
 * When the addresses of a generation that leaves go to several others, its
 * workers still hand all connections over to one exchange.  A forwarder takes
 * them from there and passes each on to the exchange of the generation that has
 * its address now.  Runs in the master, which does not read the messages.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/loop.h"

struct forward;

/*
 * Forward messages from `from`, the reading end of an exchange: one whose
 * connection came through listeners[i] goes to to[i], the writing end of
 * another exchange; one whose connection came through none of them goes to
 * to[0]; one without a connection goes to all.  n > 0.  `from` and `to` are
 * duplicated; listeners is not copied, and has to stay open until forward_free.
 * NULL with errno.
 */
struct forward *forward_new(struct loop *loop, int from, const int *listeners,
    const int *to, size_t n);

/* True if no message waits at `from`; NULL is idle. */
bool forward_idle(const struct forward *forward);

/* Stop; messages that still wait stay where they are.  NULL is fine. */
void forward_free(struct forward *forward);

#endif

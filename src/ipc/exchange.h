#ifndef IPC_EXCHANGE_H
#define IPC_EXCHANGE_H

/*
 * The exchange of a pool, over which workers hand connections to each other
 * (worker/net/handoff.h has the messages), as far as the master has to do with
 * it.
 */

#include <stdbool.h>

/* Workers of a build with another version do not understand the messages, so
 * the master does not let them share an exchange.  To be raised when a name in
 * a message changes its meaning. */
#define HANDOFF_VERSION 1

/* Let the writing end hold as many as wait in a long queue, as far as this
 * process may. */
void exchange_widen(int exchange);

/* Does the writing end have room for at least one message? */
bool exchange_has_room(int exchange);

/* Give a connection that has just been accepted and nobody has looked at: who
 * takes it judges whether its peer may come.  0, or -1 with errno, and it
 * stays the caller's to close in either case. */
int exchange_give_fresh(int exchange, int fd);

#endif

#ifndef IPC_EXCHANGE_H
#define IPC_EXCHANGE_H

/*
 * The master's part of a pool's exchange, the socket pair over which workers
 * hand connections to each other (the messages: worker/net/handoff.h).
 */

#include <stdbool.h>
#include <stdint.h>

#include "net/sock_protocol.h"

/* The version of the messages, to be raised when a name in them changes its
 * meaning.  Workers with different versions do not share an exchange. */
#define HANDOFF_VERSION 1

#define EXCHANGE_MESSAGE 262144 /* bytes of one, at most: more than the buffer
				   of a socket holds */

/* Enlarge the buffer of the writing end, as far as the kernel allows it, so
 * that it holds the connections of a long listen queue. */
void exchange_widen(int exchange);

/* Give the time to messages (`since`) whose connection has something to be
 * received, unless they have one: to some of them at each call, in turn.  Other
 * workers are not to take any at the same time. */
void exchange_note_waiting(const int exchange[2], int64_t now);

/* True if the writing end has room for at least one message. */
bool exchange_has_room(int exchange);

/* Send a connection that was just accepted and not checked: the worker that
 * receives it checks whether its peer is allowed.  since: clock_ms() at which
 * it was waiting already, 0: not known.  0, or -1 with errno.  The caller
 * closes fd in either case. */
int exchange_give_fresh(int exchange, int fd, enum sock_protocol protocol,
    int64_t since);

#endif

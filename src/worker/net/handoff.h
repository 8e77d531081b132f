#ifndef WORKER_NET_HANDOFF_H
#define WORKER_NET_HANDOFF_H

/*
 * A connection changes hands: from one worker of a pool to another, perhaps
 * of another build (an upgrade) or of another user (a reload), over the
 * pool's exchange.  A message has the connection's descriptor and records
 * (ipc/record.h), in this order:
 *
 *   handoff   HANDOFF_VERSION
 *   protocol  its name: "fcgi"
 *   idle      1: kept alive between two requests, and nothing has come
 *   fresh     1: allowed_clients has not been applied to its peer
 *   since     conn.since, if it is known
 *   bytes     those that lead the receiver's protocol to the state that the
 *             giver's has
 *   output    of a response, not yet taken by the peer
 *   then      what becomes of the connection after it (enum conn_then)
 *
 * The state of a protocol travels as the bytes that lead to it, and the
 * receiver judges them like the bytes of any peer: a message has no layout of
 * a struct and no index or address, and nothing in it is trusted.  Names that
 * a build does not know are skipped; one that is missing is 0 or empty.  The
 * version is raised when a name changes its meaning.
 *
 * A message that is refused is lost with its connection.  Runs in the worker.
 */

#include <stdint.h>

#include "ipc/exchange.h"
#include "worker/net/conn.h"

#define HANDOFF_BYTES (128 * 1024) /* of `bytes` and `output`, at most */

/*
 * Send a parked connection into the exchange (its writing end), for another
 * worker to take.  0, and c is closed here; -1 with errno, and it stays parked
 * (EAGAIN: the exchange is full; ETOOMANYREFS: too many descriptors of the user
 * are in transit; EMSGSIZE: it cannot be packed).
 */
int handoff_give(struct conn *c, int exchange);

/* Give every parked connection but those that linger, waiting up to `patience`
 * ms in all for room in the exchange.  What finds no room, or has more output
 * than a message can have, stays parked. */
void handoff_give_all(int exchange, int64_t patience);

/* Give those that have been awaiting a head for less than `age` ms, without
 * waiting: their requests are about to come. */
void handoff_give_fresh(int exchange, int64_t age);

/* As handoff_give_all, but only those that have sent nothing since their last
 * response. */
void handoff_give_silent(int exchange, int64_t patience);

/* Ask one of the other workers to accept from the listeners, where a client
 * waits that this worker does not take. */
void handoff_nudge(int exchange);

/*
 * Take a connection out of the exchange (its reading end).  It is not parked,
 * and its bytes are not judged yet; in CONN_FLUSH it has output that comes
 * first.  NULL with errno:
 *   EAGAIN  the exchange is empty
 *   ENOMSG  it was a nudge, or a connection whose peer is not allowed
 *   EMFILE  no descriptor is free for it: it stays in the exchange
 *   EPROTO  it was refused and closed (the first time, this is logged)
 *   EPIPE   the exchange has been shut down, nothing will come any more
 */
struct conn *handoff_take(int exchange);

/* True if the exchange (its reading end) has been shut down: other workers may
 * not take what is in it. */
bool handoff_has_ended(int exchange);

#endif

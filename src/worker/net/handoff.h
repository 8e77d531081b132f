#ifndef WORKER_NET_HANDOFF_H
#define WORKER_NET_HANDOFF_H

/*
 * A connection changes hands: from one worker of a pool to another, perhaps
 * of another build (an upgrade) or of another user (a reload), over the
 * pool's exchange.  A message has the connection's descriptor and records
 * (ipc/record.h), in this order:
 *
 *   handoff   HANDOFF_VERSION
 *   protocol  whose bytes they are: "fcgi"
 *   idle      1: kept alive between two requests, and nothing has come
 *   fresh     1: nobody has asked whether its peer may come
 *   bytes     those that make a receiver that knows nothing of the
 *             connection know what the giver knows
 *
 * What a protocol knows travels as the bytes that lead to it, which the
 * receiver judges like any peer's: no layout of a struct is in a message, no
 * number that leads anywhere, and nothing is believed.  Names that a build
 * does not know are skipped; one that is missing is 0 or empty.  The version
 * is raised when a name changes its meaning.
 *
 * A message that is refused is lost with its connection.  Runs in the worker.
 */

#include <stdint.h>

#include "ipc/exchange.h"
#include "worker/net/conn.h"

#define HANDOFF_BYTES (128 * 1024) /* at most */

/* Append to `out` the bytes that lead to what is known of a parked
 * connection.  0, or -1: it cannot be handed over. */
typedef int handoff_pack(const struct conn *c, struct buf *out);

/* Once: the protocol of all connections here. */
void handoff_init(const char *protocol, handoff_pack *pack);

/* Hand a connection over to whoever reads the other end of `exchange`.  0, or
 * -1 with errno and it stays (EAGAIN: the exchange is full). */
int handoff_give(struct conn *c, int exchange);

/* Hand over every idle connection and every one whose head is not complete,
 * waiting up to `patience` ms for others to make room in the exchange; or
 * only those of the latter that came within the last `age` ms: their request
 * is about to come. */
void handoff_give_all(int exchange, int64_t patience);
void handoff_give_fresh(int exchange, int64_t age);

/* As handoff_give_all, but only those that have sent nothing since their last
 * response. */
void handoff_give_silent(int exchange, int64_t patience);

/* Send whoever reads the other end to the listeners: somebody waits there
 * whom this worker cannot take. */
void handoff_nudge(int exchange);

/*
 * Take over a connection that somebody gave; it is not parked yet, and its
 * bytes are not judged.  NULL with errno: EAGAIN there is none; ENOMSG it was
 * a nudge, or one whose peer may not come; EMFILE no descriptor is left for it
 * and it goes on waiting; EPROTO it was refused (the first is logged); EPIPE
 * the exchange has been shut down, and nothing will come any more.
 */
struct conn *handoff_take(int exchange);

/* Has it been shut down?  What is in it by now nobody else takes for sure. */
bool handoff_has_ended(int exchange);

#endif

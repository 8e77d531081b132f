#ifndef WORKER_SERVE_SERVE_H
#define WORKER_SERVE_SERVE_H

/*
 * From a connection to a response: accept, judge, let the application serve,
 * park.  Never waits for a peer outside a request.  Runs in the worker.
 */

#include "ipc/worker_args.h"
#include "worker/lua/lua_app.h"
#include "worker/proto/proto.h"

/* Once, when the application has started; NULL: there is none.  proto is what
 * all connections speak.  0, or -1 with errno. */
int serve_init(const struct worker_args *args, const struct proto *proto,
    struct lua_app *app);

/* A turn begins: the wait for what it brings has been since clock_ms()
 * `before`. */
void serve_turn(int64_t before);

/* Something came on a connection, or it ended: go as far as that leads.  The
 * connection is parked or gone afterwards. */
void serve_receive(struct conn *c);

/* The same for one that another worker has handed over. */
void serve_adopted(struct conn *c);

/* Take connections from a listener until it is empty, or others are due. */
void serve_accept(int listener);

/* Take what waits at a listener at this moment, however long that lasts. */
void serve_queue(int listener);

/* The head of a request did not come in time (conn_expire). */
void serve_late(struct conn *c);

#endif

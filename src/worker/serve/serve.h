#ifndef WORKER_SERVE_SERVE_H
#define WORKER_SERVE_SERVE_H

/*
 * From a connection to a response: accept, judge, let the application serve,
 * park.  Never waits for a peer outside a request.  Runs in the worker.
 */

#include "ipc/worker_args.h"
#include "worker/lua/lua_app.h"
#include "worker/proto/proto.h"

/* Once, when the application has started; app is NULL without one, as in a pool
 * of CGI programs.  protos[i] is the protocol of connections of kind i
 * (conn.h).  0, or -1 with errno. */
int serve_init(const struct worker_args *args,
    const struct proto *const protos[CONN_KINDS], struct lua_app *app);

/* A turn of the main loop begins, after a wait that began at clock_ms()
 * `before`. */
void serve_turn(int64_t before);

/* A parked connection is readable or has ended, since this turn began at the
 * latest: receive, and serve what is complete.  Afterwards it is parked, handed
 * over or closed. */
void serve_receive(struct conn *c);

/* The same for a connection of handoff_take. */
void serve_adopted(struct conn *c);

/* Judge, and serve, what kept connections have sent ahead (CONN_READY), until
 * each has had its turn. */
void serve_ready(void);

/* The hub has sent something (hub_client.h): serve the work that it gives. */
void serve_hub(void);

/* Accept connections from a listener, by its number in worker_args, and serve
 * them, until its queue is empty or it is time for other events. */
void serve_accept(size_t listener);

/* Accept and serve what is in the queue of a listener at this moment, however
 * long that takes. */
void serve_queue(size_t listener);

/* What a request lacks did not come in time, or the peer has not taken its
 * response (for conn_expire). */
void serve_late(struct conn *c);

#endif

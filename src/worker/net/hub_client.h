#ifndef WORKER_NET_HUB_CLIENT_H
#define WORKER_NET_HUB_CLIENT_H

/*
 * A worker's connection to the hub of its pool (ipc/hub_record.h): it takes the
 * work that the hub gives, messages and ends of sockets, and sends what the
 * application does.  If the hub ends, the worker knocks anew.  Runs in the
 * worker.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "ipc/hub_record.h"

/* Once: the door (-1: there is no hub), and the wait set in which the
 * connection is waited for with that key.  hub_client_open then knocks: the
 * application has WebSockets. */
void hub_client_init(int door, int wait_set, uint64_t key);
void hub_client_open(void);

/* True if there is a hub, or one starts, that takes more sockets. */
bool hub_client_takes(void);

/* From any thread: false if the application has closed the connection to the
 * hub, or has put something else in its place, or if the door was shut down. */
bool hub_client_is_whole(void);

/* clock_ms() at which hub_client_tick is due, -1: never.  It knocks again if
 * the hub has ended. */
int64_t hub_client_due(void);
void hub_client_tick(int64_t now);

/* ---- work ------------------------------------------------------------------ */

struct hub_job { /* points into what was received */
	bool ended; /* the socket has ended: code, and data is the reason */
	unsigned kind; /* of a message, WS_TEXT or WS_BINARY */
	unsigned code; /* of a message: how many channels it listens to */
	uint64_t id;
	struct hub_part context, session, data;
};

/* Receive, without waiting, what the hub has sent. */
void hub_client_receive(void);

/* Take the next piece of work, valid until hub_client_done, which has to
 * follow.  False: there is none. */
bool hub_client_next(struct hub_job *job);

/* It has been served, or has failed: send that, behind what the application
 * did.  Of a failure nothing is sent that waits in hub_client_actions. */
void hub_client_done(bool failed);

/* From any thread, with the lock of watchdog.h: the request or the message in
 * hand takes longer; give back what has not been begun.  And when it is
 * over. */
void hub_client_late(void);
void hub_client_back(void);

/* The worker leaves: take no more work. */
void hub_client_leave(void);

/* ---- what an application does ------------------------------------------------ */

/* Append records here, then say so: they are sent at once, or, during work,
 * with its end, unless they are many or old.  0; -1 with errno: ENOTCONN, there
 * is no hub; EAGAIN, it takes nothing now, and they are dropped. */
struct buf *hub_client_actions(void);
int hub_client_act(void);

/*
 * Hand a connection over as a socket: its id, the answer to its handshake,
 * which the hub sends, `input` that came behind it, session and context; then
 * the records of `first`.  The caller still has to close fd.  0, or -1 with
 * errno, and the connection is as it was.
 */
struct hub_handover {
	uint64_t id;
	int fd;
	struct hub_part answer, input, session, context;
	bool tells; /* the application has `close` */
	const struct buf *first;
};
int hub_client_hand_over(const struct hub_handover *socket);

/* A number that no other socket has. */
uint64_t hub_client_id(void);

#endif

#ifndef MASTER_HUB_PROCESS_H
#define MASTER_HUB_PROCESS_H

/*
 * The process that owns the WebSockets of a pool (hub/hub.h).  All generations
 * of the pool share it, so that sockets outlive a reload: it is forked once a
 * worker has said that its application has `websocket`, and leaves when no
 * generation serves any more.  Over an upgrade another process takes its place,
 * which runs the new program and gets its sockets (worker/process/hub_heir.h);
 * if that fails the old one stays.  Workers come to it through its door, a socket
 * pair that is there before it and stays when it dies, so the master passes
 * nothing between them.  Runs in the master.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "conf/conf.h"
#include "master/backoff.h"
#include "ipc/hub_page.h"
#include "master/slot.h"
#include "status/status.h"

struct hub_process {
	unsigned refs;	/* generations that know it, */
	unsigned users; /* and those of them that serve */
	int door[2];	/* workers knock at [1], the hub hears at [0] */
	int page;	/* hub_page.h; outlives the process, */
	const struct hub_page *facts; /* mapped, or NULL */
	struct slot slots[2]; /* one that serves; one that is to take its
				 place, or has left it */
	struct board *boards[2];
	unsigned serving;     /* which of them */
	bool outdated;	      /* the one that serves is to be replaced: it is
				 of another image, or has asked for it */
	int64_t retry;	      /* clock_ms() before which none is to take its
				 place, as one has failed to */
	int64_t version;      /* HUB_VERSION of the one that serves */
	struct backoff backoff;
	bool fork_failed; /* the last fork failed, which is logged */
	bool known;	  /* there is an application with `websocket` */
	int64_t starved;  /* clock_ms() at which a message waited for a
			     worker */
	void (*wake)(void *arg); /* a step is due; the user that stepped last */
	void *arg;
};

struct hub_process_order { /* what hub_process_step needs to fork it */
	const struct conf_pool *pool;
	const struct identity *identity;
	struct loop *loop;
	void (*wake)(void *arg);
	void *arg;
};

/* Make one without a process, or share that of another generation (NULL:
 * none).  NULL with errno. */
struct hub_process *hub_process_open(struct hub_process *other);

/* Give it up; arg as in the orders of that generation. */
void hub_process_close(struct hub_process *p, const void *arg);

/* Where workers knock that are forked now.  A door that a worker has shut down is
 * made anew, and the process that hears at it is outdated. */
int hub_process_entrance(struct hub_process *p);

/* The generation that serves from now on has an application with WebSockets, or
 * has not; it is configured so. */
void hub_process_need(struct hub_process *p, bool known);
void hub_process_configure(const struct hub_process *p,
    const struct conf_websocket *limits);

/* A generation begins to serve, *user becomes true; or does not any more. */
void hub_process_use(struct hub_process *p, bool *user, bool serves);

/*
 * If a generation serves, see that the process runs, once it is needed, and is
 * replaced if it is outdated; if none does, have it close all sockets and leave; kill it if it is overdue.  Returns
 * clock_ms() at which to call it again, -1: no need.
 */
int64_t hub_process_step(struct hub_process *p,
    const struct hub_process_order *order, int64_t now);

/* ms that it may take to close all sockets. */
int64_t hub_process_farewell(const struct conf_pool *pool);

/* False while the first process that is needed has to become ready yet. */
bool hub_process_is_tried(const struct hub_process *p);

/* True if there is a process that no generation needs any more, to be waited
 * for. */
bool hub_process_lingers(const struct hub_process *p);

/* True if a message waits, and no worker can take it. */
bool hub_process_waits(const struct hub_process *p, int64_t now);

/* Where the process hears who comes to it, without waiting; or -1 and why. */
int hub_process_door(const struct hub_process *p, struct why *why);

/* Fill status->hub, if the application has WebSockets. */
void hub_process_status(const struct hub_process *p, struct status *status);

/* If no generation serves, have it close all sockets at once, and leave within
 * limit ms; or kill it. */
void hub_process_hasten(struct hub_process *p, int64_t limit);
void hub_process_kill(struct hub_process *p);

/* Send it the level of log lines. */
void hub_process_send_level(const struct hub_process *p);

/* A child has ended, with that status as of wait(2), and is not yet waited for
 * (slot_ended).  False if it is not this process. */
bool hub_process_reap(struct hub_process *p, pid_t pid, int status);

/* Over an upgrade in place: append the fields of a record; become what such a
 * record says, instead of hub_process_open.  NULL with errno. */
void hub_process_hand_over(const struct hub_process *p, struct buf *out);
struct hub_process *hub_process_take_over(const struct record *record,
    struct loop *loop, const char *pool);

#endif

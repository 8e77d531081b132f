#ifndef HUB_HUB_H
#define HUB_HUB_H

/*
 * The hub of a pool: it owns the WebSockets that workers have opened, frames
 * and assembles messages, answers pings, keeps subscriptions and limits, and
 * gives each message to a worker, one of a socket at a time.  It knows no Lua
 * and runs none.  Workers and peers are strangers to it; it waits for none of
 * them.  One in a process.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/buf.h"
#include "base/why.h"

struct hub;

/* What the loop watches.  `ready` is called with what epoll_wait(2) says. */
struct hub_watch {
	void (*ready)(struct hub *, struct hub_watch *, uint32_t events);
};

struct hub_options {
	unsigned connections; /* at a time */
	unsigned links;	      /* workers at a time */
	uint64_t message;     /* bytes of a message */
	unsigned fragments;   /* of a message */
	unsigned channels;    /* of a socket */
	unsigned waiting;     /* messages that wait for a worker */
	size_t send_buffer;   /* bytes that wait to be sent to a socket, */
	size_t output;	      /* and to all of them */
	size_t input;	      /* bytes of messages that are not complete */
	int64_t ping;	 /* ms without a byte, after which it is pinged, */
	int64_t silence; /* and after that, before it is cut */
	int64_t idle;	 /* ms without a message either way, 0: any time */
	int64_t close;	 /* ms for a close handshake */
	/* A message waits and no worker can take it. */
	void (*starved)(void *arg);
	void *arg;
};

struct hub_counts {
	uint64_t opened;
	uint64_t refused;     /* the hub was full */
	uint64_t received;    /* messages */
	uint64_t sent;	      /* messages, once for each socket */
	uint64_t slow;	      /* sockets that were cut as they did not read */
	uint64_t silent;      /* that did not answer a ping */
	uint64_t faults;      /* that broke the protocol or a limit */
	uint64_t lost;	      /* whose worker ended in the middle */
	unsigned open;	      /* now */
	unsigned waiting;     /* messages that wait for a worker, now */
	unsigned channels;    /* now */
	size_t unsent;	      /* bytes that wait to be sent, now; those of a
				 message to many count once */
};

/* NULL with errno.  The options are copied. */
struct hub *hub_new(const struct hub_options *options);

/* Let it have other limits and times from now on; links, starved and arg stay.
 * Sockets beyond a smaller number stay too. */
void hub_configure(struct hub *hub, const struct hub_options *options);

/* End all sockets without a word, and free it. */
void hub_free(struct hub *hub);

/* Watch fd, edge-triggered or not as `events` says; and watch it otherwise.  0,
 * or -1 with errno. */
int hub_watch(struct hub *hub, struct hub_watch *watch, int fd,
    uint32_t events);
int hub_rewatch(struct hub *hub, struct hub_watch *watch, int fd,
    uint32_t events);
/* Hear no more of fd; a watch for nothing would still be told of its end.  Close
 * it as well: while another process has it too, close(2) alone ends no watch
 * (epoll(7), Q6). */
void hub_ignore(struct hub *hub, int fd);
void hub_unwatch(struct hub *hub, int fd);

/* Serve a worker over its end of a stream pair, which is the hub's from here
 * on.  0, or -1 with errno: ENOSPC, there are too many; ENOMEM. */
int hub_admit(struct hub *hub, int fd);

/*
 * Publish what a client of the control socket sends over fd, which is the hub's
 * from here on, and answer it (lua-fpmctl(8), PROTOCOL).  The n bytes at text,
 * which is overwritten, are "publish KIND LENGTH", a newline, and what has come
 * behind it.
 */
#define HUB_PUBLISHES "publish "
void hub_hear_publisher(struct hub *hub, int fd, char *text, size_t n);

/* Answer all that have not sent all of it that it failed, and why. */
void hub_publishers_end(struct hub *hub, const char *why);

/* Wait for what happens, at most limit ms (-1: any time), and see to it.  0, or
 * -1 with errno. */
int hub_turn(struct hub *hub, int64_t limit);

/* Take no more sockets, and close those there are with that code, spread evenly
 * over `drain` ms. */
void hub_leave(struct hub *hub, unsigned code, int64_t drain);

/* True if no socket is open, and none of their ends waits for a worker; or can
 * be told to one. */
bool hub_is_empty(const struct hub *hub);

void hub_count(const struct hub *hub, struct hub_counts *counts);

/* ---- from one process to the next ------------------------------------------- */

struct hub_fds { /* all zero: none */
	int *fd;
	size_t n;
};
void hub_fds_free(struct hub_fds *fds);

/*
 * Between two turns: write down all that the hub has, for another one
 * (hub/hub_state.h), and which descriptors go along; they stay the hub's.  0, or
 * -1 with errno (ENOMEM); what has been written has to be freed in either case.
 */
int hub_pass(const struct hub *hub, struct buf *text, struct hub_fds *fds);

/*
 * In a hub that has nothing yet: go on where that other one was.  Limits and
 * times are those of this hub.  All descriptors are taken or closed, and `fds`
 * is freed.  0, or -1 and why: this hub can only be freed.
 */
int hub_adopt(struct hub *hub, const struct buf *text, struct hub_fds *fds,
    struct why *why);

#endif

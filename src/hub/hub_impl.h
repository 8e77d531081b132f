#ifndef HUB_HUB_IMPL_H
#define HUB_HUB_IMPL_H

/*
 * The inside of the hub, for the files that begin with its name: work (what
 * waits for a worker), socket (a peer), link (a worker), and the loop.  Nothing
 * that a file below frees is freed before the end of the turn.
 */

#include "base/buf.h"
#include "base/wheel.h"
#include "hub/hub.h"
#include "hub/hub_channel.h"
#include "hub/hub_frame.h"
#include "hub/hub_state.h"
#include "ipc/hub_record.h"
#include "net/ws_frame.h"

struct hub_socket;

struct hub_work { /* a message, or the end of a socket, for a worker */
	struct hub_work *next;
	struct hub_socket *socket;
	uint64_t number; /* among those of its link */
	uint32_t len;
	uint16_t code; /* of an end */
	uint8_t kind;  /* of a message; 0: it is an end */
	char data[];   /* of a message; the reason of an end */
};

struct hub_queue { /* all zero: empty */
	struct hub_work *first, *last;
	unsigned n;
};

enum hub_state { /* their numbers are told to the next hub (hub_state.h) */
	HUB_STATE_OPEN,
	HUB_STATE_CLOSING, /* a close frame is sent, and its answer awaited */
	HUB_STATE_FAILED,  /* likewise, but whatever comes is dropped */
	HUB_STATE_ENDED	   /* the connection is closed */
};

struct hub_bytes {
	uint32_t len, cap;
	unsigned char at[];
};

struct hub_socket {
	struct hub_watch watch;
	uint64_t id;
	struct hub_socket *next; /* of the same bucket; once it is dead, in
				    hub.dead */
	struct hub_socket *next_dirty, *next_ready;
	struct ws_reader reader;
	struct hub_bytes *input;   /* not judged yet, or NULL */
	struct hub_bytes *message; /* so far, or NULL */
	struct hub_out out;
	struct hub_subscriber subscriber;
	struct wheel_timer timer;
	int64_t heard; /* ms: the last byte came, */
	int64_t used;  /* the last message came or went */
	char *context; /* what the worker that opened it knows, then the
			  session */
	char *session;
	struct hub_work *farewell; /* its end, while it is busy */
	uint16_t context_len, session_len;
	uint16_t code; /* of its end, as far as that is known */
	uint8_t state; /* enum hub_state */
	bool readable, writable; /* as far as is known */
	bool whole;    /* `input` may hold a whole frame */
	bool ended;    /* the peer has sent its last byte */
	bool busy;     /* its message, or its end, is on the way */
	bool pinged;
	bool finished; /* to be closed as soon as all is sent */
	bool paused;   /* as too much waits for workers */
	bool dirty, ready, dead; /* in these lists */
	bool tells;    /* HUB_WANTS_CLOSE */
	bool leaving;  /* its timer says when it is to be told */
	int fd;
};

#define HUB_CAME 32 /* descriptors that came before their records */

struct hub_link {
	struct hub_watch watch;
	struct hub_link *next;
	int fd;
	bool greeted; /* HUB_HELLO has come */
	bool away;
	bool blocked; /* EPOLLOUT is watched */
	bool dead;
	struct hub_claim *claim; /* mapped to be read, or NULL, */
	int claim_fd;		 /* and its memory, or -1 */
	uint64_t given; /* works */
	unsigned answers; /* to HUB_RETURN since it had taken all of `out` */
	struct hub_queue queue; /* of these, not served yet */
	struct buf in, out;
	int fds[HUB_CAME]; /* not taken by a record yet */
	unsigned nfds;
};

struct hub_publisher {
	struct hub_watch watch;
	struct hub_publisher *next;
	int fd;
	unsigned kind; /* 0: not text and not binary */
	size_t name;   /* bytes of `in` that are the channel */
	struct buf in;
	int64_t due; /* ms at which more has to have come */
};

struct hub {
	struct hub_options options;
	int epoll;
	int64_t now; /* clock_ms() of this turn */
	struct wheel wheel;
	struct hub_pile pile;
	struct hub_channels channels;
	struct hub_counts counts;
	struct hub_socket **table; /* by id */
	size_t nbuckets;	   /* a power of two */
	size_t nsockets;	   /* in the table */
	struct hub_socket *dirty;  /* have something to send */
	struct hub_socket *ready, **ready_end; /* have something to judge */
	struct hub_socket *dead;
	struct hub_queue queue; /* for workers */
	struct hub_link *links, *dead_links;
	unsigned nlinks;
	struct hub_publisher *publishers;
	unsigned npublishers;
	size_t input;	   /* bytes of all sockets */
	bool paused;	   /* some sockets are */
	bool full;	   /* as workers have been told */
	bool leaving;
	bool complained; /* about a worker: one that comes again and again is
			    logged once */
	uint16_t leave_code;
	uint32_t random;
};

/* ---- hub_table.c ------------------------------------------------------------- */

/* The socket of that id, which may have ended; NULL: none. */
struct hub_socket *hub_table_find(const struct hub *hub, uint64_t id);

/* Make room for one more: 0, or -1 without memory.  Then add it. */
int hub_table_grow(struct hub *hub);
void hub_table_add(struct hub *hub, struct hub_socket *s);
void hub_table_remove(struct hub *hub, struct hub_socket *s);

/* The next of all sockets, in any order; NULL: the first one.  None may be
 * removed meanwhile. */
struct hub_socket *hub_table_next(const struct hub *hub,
    const struct hub_socket *s);

/* ---- hub_work.c -------------------------------------------------------------- */

/* NULL without memory. */
struct hub_work *hub_work_new(struct hub_socket *socket, unsigned kind,
    unsigned code, const void *data, size_t len, const void *more,
    size_t more_len);

void hub_queue_add(struct hub_queue *queue, struct hub_work *work);
struct hub_work *hub_queue_take(struct hub_queue *queue);

/* Put what stands in `from` from its n-th on before all of `to`. */
void hub_queue_give_back(struct hub_queue *from, unsigned n,
    struct hub_queue *to);

/* ---- hub_socket.c ------------------------------------------------------------ */

struct hub_opening { /* points into a record */
	uint64_t id;
	struct hub_part answer, input, session, context;
	bool tells;
};

/* Own fd as a socket, which begins with the answer to its handshake.  If that
 * cannot be it is answered 503 and closed. */
void hub_socket_open(struct hub *hub, int fd, const struct hub_opening *o);

/* A socket that another hub had, in the table.  Its channels, what waits to be
 * sent and its work are added by the caller.  NULL: there is no memory, or the
 * fields do not suit each other.  fd (-1: none) is its own, or closed. */
struct hub_socket *hub_socket_adopt(struct hub *hub, int fd,
    const struct hub_state_socket *from);

/* NULL: there is none that is still connected. */
struct hub_socket *hub_socket_find(const struct hub *hub, uint64_t id);

/* Queue a frame, if the socket is open.  False: it is not, or not any more. */
bool hub_socket_queue(struct hub *hub, struct hub_socket *s,
    struct hub_frame *frame);

/* Begin the close handshake, if that has not begun. */
void hub_socket_close(struct hub *hub, struct hub_socket *s, unsigned code,
    const char *reason, size_t len);

/* Close the connection at once; the application is told the code. */
void hub_socket_cut(struct hub *hub, struct hub_socket *s, unsigned code);

/* 0, or -1 without memory. */
int hub_socket_set_session(struct hub_socket *s, const void *session,
    size_t len);

/* A worker has served what it was given of the socket, and `work` is freed. */
void hub_socket_served(struct hub *hub, struct hub_work *work);

/* A timer has fired; judge what has come; send what waits. */
void hub_socket_expired(struct hub *hub, struct hub_socket *s);
void hub_socket_judge(struct hub *hub, struct hub_socket *s);
void hub_socket_flush(struct hub *hub, struct hub_socket *s);

/* Judge it in this turn. */
void hub_socket_rouse(struct hub *hub, struct hub_socket *s);

/* Have it closed within `drain` ms. */
void hub_socket_leave(struct hub *hub, struct hub_socket *s, int64_t drain);

void hub_socket_free(struct hub *hub, struct hub_socket *s);

/* ---- hub_publish.c ----------------------------------------------------------- */

/* A frame of the data.  NULL with errno: EINVAL, the kind is that of no message;
 * EMSGSIZE; EILSEQ, text that is no UTF-8; ENOMEM. */
struct hub_frame *hub_message(struct hub *hub, unsigned kind,
    const struct hub_part *data);

/* Queue a message to all that listen to the channel.  How many those are, or -1
 * with errno as above. */
long hub_publish(struct hub *hub, unsigned kind, const struct hub_part *name,
    const struct hub_part *data);

/* ---- hub_publisher.c ---------------------------------------------------------- */

/* hub->now at which one is late, -1: none; give up those that are. */
int64_t hub_publishers_due(const struct hub *hub);
void hub_publishers_expire(struct hub *hub);

/* One that another hub had.  False: without memory.  fd is its own, or
 * closed. */
bool hub_publisher_adopt(struct hub *hub, int fd,
    const struct hub_state_publisher *from);

/* ---- hub_link.c -------------------------------------------------------------- */

/* Give waiting work to workers, and send it. */
void hub_link_dispatch(struct hub *hub);

/* Tell all workers if the hub has become full, or has room again. */
void hub_link_tell(struct hub *hub);

/* A link that another hub had.  Its works and what came before its records are
 * added by the caller.  NULL: it cannot be.  fd and claim (-1: none) are its
 * own, or closed. */
struct hub_link *hub_link_adopt(struct hub *hub, int fd, int claim,
    const struct hub_state_link *from);

/* Part with all workers, as if they had ended. */
void hub_link_part(struct hub *hub);

void hub_link_bury(struct hub *hub);
void hub_link_free_all(struct hub *hub);

#endif

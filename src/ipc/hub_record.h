#ifndef IPC_HUB_RECORD_H
#define IPC_HUB_RECORD_H

/*
 * What a worker and the hub of its pool say to each other about WebSockets, as
 * records on a stream socket.  A record is a head and parts, each of them a
 * length and bytes; numbers are as this machine has them.  Both sides judge
 * what they read like the bytes of a stranger.  Pure.
 *
 * A worker knocks at the hub's door, a SOCK_SEQPACKET pair of the pool, with one
 * end of a stream pair (hub_knock), and says HUB_HELLO as the first record.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define HUB_VERSION 1	  /* to be raised when a record changes its meaning */
#define HUB_HEAD    16	  /* bytes of a record's head */
#define HUB_DATA    (16 * 1024 * 1024) /* bytes of a message, at most */
#define HUB_BODY    (HUB_DATA + 64 * 1024) /* of all parts of a record */
#define HUB_SESSION 4096 /* bytes of a session, at most */
#define HUB_CONTEXT 4096 /* bytes of a context */
#define HUB_CHANNEL 255	 /* bytes of a channel's name, at least one */
#define HUB_CHANNELS 100 /* of a socket */

enum hub_type {
	/* A worker to the hub. */
	HUB_HELLO = 'V',       /* code: HUB_VERSION; the descriptor is the
				  claim, see hub_claim */
	HUB_OPEN = 'O',	       /* id; parts: answer, input, session, context;
				  the descriptor is the connection */
	HUB_SEND = 'S',	       /* id, kind; part: data */
	HUB_CLOSE = 'C',       /* id, code; part: reason */
	HUB_SUBSCRIBE = '+',   /* id; part: channel */
	HUB_UNSUBSCRIBE = '-', /* likewise */
	HUB_PUBLISH = 'P',     /* kind; parts: channel, data */
	HUB_SETS = 's',	       /* id; part: session */
	HUB_DONE = 'D',	       /* id: number of the work, the oldest */
	HUB_FAILED = 'F',      /* likewise: its handler raised */
	HUB_RETURN = 'R',      /* id: this work and all after it, not begun;
				  answered by HUB_TAKEN */
	HUB_AWAY = 'A',	       /* the worker is busy for longer */
	HUB_BACK = 'B',
	/* The hub to a worker; both count what is work, from 1 on. */
	HUB_MESSAGE = 'M',     /* work: id, kind, code: how many channels;
				  parts: context, session, data */
	HUB_CLOSED = 'X',      /* work: id, code; parts: context, session,
				  reason */
	HUB_TAKEN = 't',       /* works before this were returned */
	HUB_FULL = 'f',	       /* no socket is taken now */
	HUB_ROOM = 'r'	       /* sockets are taken; one of both is the answer
				  to HUB_HELLO */
};

struct hub_record {
	enum hub_type type;
	unsigned kind; /* enum ws_opcode: WS_TEXT, WS_BINARY; of HUB_OPEN:
			  HUB_WANTS_CLOSE */
	unsigned code;
	uint64_t id;	  /* of a socket, or a number of work */
	const char *body; /* the parts that have not been taken */
	size_t len;
};

#define HUB_WANTS_CLOSE 1 /* the application is to hear of the end */

struct hub_part {
	const char *data;
	size_t len;
};

/* Append the head of a record; then its parts; then end it with the value that
 * hub_begin returned.  out->failed is set if memory runs out. */
size_t hub_begin(struct buf *out, enum hub_type type, unsigned kind,
    unsigned code, uint64_t id);
void hub_part(struct buf *out, const void *data, size_t len);
void hub_end(struct buf *out, size_t begun);

/* The same for parts that lie elsewhere: the head of a record whose parts are
 * `body` bytes, with their lengths; and the length of a part. */
void hub_put_head(unsigned char out[HUB_HEAD], const struct hub_record *record,
    size_t body);
#define HUB_LENGTH 4
void hub_put_length(unsigned char out[HUB_LENGTH], size_t len);

/*
 * Take the record at the beginning of the n bytes: its length, and *record
 * points into them.  0: it is not whole; *need is the length that it will have,
 * as far as is known.  -1: no record begins so.
 */
long hub_take(const char *data, size_t n, struct hub_record *record,
    size_t *need);

/* Take the next part of a record.  False: there is none, or it is cut. */
bool hub_take_part(struct hub_record *record, struct hub_part *part);

/* The id of a socket as text, and back.  False: the text is none. */
#define HUB_ID 16 /* characters */
void hub_id_text(uint64_t id, char out[HUB_ID + 1]);
bool hub_id_read(const char *text, size_t len, uint64_t *id);

#endif

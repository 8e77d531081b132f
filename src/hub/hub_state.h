#ifndef HUB_HUB_STATE_H
#define HUB_HUB_STATE_H

/*
 * What a hub leaves to the next one, as records (ipc/record.h): the fields of a
 * socket, of a worker's link and of a piece of work, by name, so that the two
 * may be of other builds.  A field that is 0 or empty is not written; one that
 * the reader does not know is skipped.  Descriptors travel beside the records
 * and are named by their place among them, from 1 on; 0 is none.  What is read
 * is judged field by field; whether the fields suit each other is for
 * hub/hub_adopt.c to see.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "ipc/hub_record.h"
#include "ipc/record.h"

/* The first record, of the hub itself; one of another meaning has another
 * name.  Behind it, in this order, follow any number of HUB_STATE_FRAME (bytes
 * as they are sent, named by their place, from 0 on), of HUB_STATE_SOCKET, of
 * HUB_STATE_LINK, of HUB_STATE_PUBLISHER, and of HUB_STATE_WORK that waits. */
#define HUB_STATE	    "lua_fpm_hub_1"
#define HUB_STATE_FRAME	    "frame"
#define HUB_STATE_SOCKET    "socket"
#define HUB_STATE_LINK	    "link"
#define HUB_STATE_PUBLISHER "publisher"
#define HUB_STATE_WORK	    "work" /* inside of a link: given to it */
/* Inside of a socket, each as often as there are such, in order: */
#define HUB_STATE_CHANNEL "channel" /* a name */
#define HUB_STATE_WAITS	  "waits"   /* a frame that is to be sent */
/* Inside of a link: descriptors that came before their records. */
#define HUB_STATE_CAME "came"

struct hub_state_hub {
	int64_t version; /* HUB_VERSION */
	int64_t full;	 /* as workers have been told */
	int64_t opened, refused, received, sent, slow, silent, faults, lost;
};

struct hub_state_socket {
	int64_t id;
	int64_t fd;
	int64_t state, code;
	int64_t heard, used, due; /* clock_ms(); due 0: no timer is set */
	int64_t pinged, finished, tells;
	int64_t farewell; /* its end is still to be told, with `reason` */
	int64_t sent;	  /* bytes of the first frame that waits */
	int64_t left, length, fragments, mask, need, low, high, kind, fin;
			  /* struct ws_reader */
	struct hub_part context, session, input, message, reason;
};

struct hub_state_link {
	int64_t fd, claim;
	int64_t greeted, away;
	int64_t given;
	struct hub_part in, out;
};

struct hub_state_publisher {
	int64_t fd;
	int64_t kind, name;
	struct hub_part in;
};

struct hub_state_work {
	int64_t id; /* of the socket */
	int64_t number;
	int64_t code, kind;
	struct hub_part data;
};

/* Append the fields, into the record that a caller puts around them and what
 * else belongs there.  out->failed is set if memory runs out. */
void hub_state_put_hub(struct buf *out, const struct hub_state_hub *hub);
void hub_state_put_socket(struct buf *out, const struct hub_state_socket *s);
void hub_state_put_link(struct buf *out, const struct hub_state_link *link);
void hub_state_put_publisher(struct buf *out,
    const struct hub_state_publisher *p);
void hub_state_put_work(struct buf *out, const struct hub_state_work *work);

/* Read the fields; texts point into the record.  False: a field is not what it
 * can be. */
bool hub_state_get_hub(const struct record *in, struct hub_state_hub *hub);
bool hub_state_get_socket(const struct record *in,
    struct hub_state_socket *s);
bool hub_state_get_link(const struct record *in, struct hub_state_link *link);
bool hub_state_get_publisher(const struct record *in,
    struct hub_state_publisher *p);
bool hub_state_get_work(const struct record *in, struct hub_state_work *work);

#endif

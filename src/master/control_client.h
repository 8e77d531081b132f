#ifndef MASTER_CONTROL_CLIENT_H
#define MASTER_CONTROL_CLIENT_H

/*
 * One client of the control socket: its line, what it waits for, its answer.
 * As a record it goes from one image of the daemon to the next.  Runs in the
 * master; whoever serves it is not known here.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "base/loop.h"
#include "ipc/record.h"

#define CONTROL_NOTE 64

struct control_client {
	int fd;
	enum { CONTROL_FREE, CONTROL_ASKS, CONTROL_WAITS, CONTROL_TAKES } state;
	char line[512];
	size_t len; /* of line; then, of the answer what has been sent */
	struct buf answer;
	struct loop_timer timer;
	int wish; /* WAITS: what for; this and all below is for asked() to note
		     what it likes; 0: nothing */
	bool begun;
	char note[CONTROL_NOTE];
};

/* Append it as a record; its descriptor stays open over exec(3) then. */
void control_client_put(const struct control_client *client,
    struct buf *out);

/* The client that a record tells of: FREE if it is of no use.  Nothing of it
 * is watched. */
void control_client_recall(const struct record *record,
    struct control_client *client);

#endif

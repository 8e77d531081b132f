#ifndef MASTER_CONTROL_CLIENT_H
#define MASTER_CONTROL_CLIENT_H

/*
 * One client of the control socket: its line, what it waits for, its answer.  A
 * record takes it from one image of the daemon to the next.  Runs in the
 * master; control.h serves it.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "base/loop.h"
#include "ipc/record.h"

#define CONTROL_NOTE 64

struct control_client {
	int fd;
	/* ASKS: its line is read; WAITS: for an answer; TAKES: that is sent */
	enum { CONTROL_FREE, CONTROL_ASKS, CONTROL_WAITS, CONTROL_TAKES } state;
	char line[512];
	size_t len; /* of line; TAKES: bytes of answer that were sent */
	size_t behind; /* within `asked`: where in `line` stands what came
			  behind the line */
	struct buf answer;
	struct loop_timer timer;
	int wish; /* WAITS: what for, 0: nothing; this and all below belongs to
		     the `asked` of control_init */
	bool begun;
	char note[CONTROL_NOTE];
	char item[CONTROL_NOTE];
	int64_t serial;
};

/* Append it as a record; its descriptor then stays open over exec(3). */
void control_client_put(const struct control_client *client,
    struct buf *out);

/* Make the client of such a record: without watch and timer, and FREE if the
 * record is of no use.  If memory ran out, answer.failed is set. */
void control_client_recall(const struct record *record,
    struct control_client *client);

#endif

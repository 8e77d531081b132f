#ifndef MASTER_CONTROL_H
#define MASTER_CONTROL_H

/*
 * The control socket: clients that each send one line, get an answer and the
 * end of file.  A few are served at a time and more wait in the queue of the
 * socket; each has a few seconds for its line and for taking the answer, so
 * that none can hold up the master or the others.  Root and the daemon's own
 * user may ask.  Runs in the master; what a line asks for is not known here.
 */

#include <stdbool.h>

#include "base/loop.h"
#include "base/why.h"
#include "master/control_client.h"

/* First thing.  asked is called with each whole line, and control_answer then
 * or later. */
void control_init(struct loop *loop,
    void (*asked)(struct control_client *client, char *line));

/*
 * To listen at `path` (NULL: nowhere) instead of where it did before, in two
 * steps: listen there as well, nobody being heard yet; then go over to it, or
 * let it go.  Whoever was taken over from another image is heard only after
 * the second step, whichever it is.  0, or -1 and why: nothing has changed.
 */
int control_prepare(const char *path, struct why *why);
void control_commit(void);
void control_abandon(void);

/* Where it listens, NULL: nowhere. */
const char *control_path(void);

/* Send "ok" or "failed" as the first line and then text, n bytes.  The client
 * is not to be touched after that. */
void control_answer(struct control_client *client, bool good,
    const void *text, size_t n);
void control_answerf(struct control_client *client, bool good,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Call fn for every client with a wish; it may answer. */
void control_each(void (*fn)(struct control_client *client));

/* Leave the socket and its clients to another image of the daemon; take over
 * what a record says. */
void control_hand_over(struct buf *out);
void control_take_over(const struct record *record);

/* Serve nobody any more, and give everything back; answers that were given are
 * sent as far as that goes at once. */
void control_close(void);

#endif

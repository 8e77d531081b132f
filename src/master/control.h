#ifndef MASTER_CONTROL_H
#define MASTER_CONTROL_H

/*
 * The control socket: each client sends one line, gets one answer and then end
 * of file.  A few clients are served at a time, and more wait in the socket's
 * queue; each has a few seconds (tuning.control) to send its line and as long
 * to take its answer, so that none can hold up the master or the others.  Only
 * root and the daemon's own user may ask.  Runs in the master; what a line
 * means is command.h's.
 */

#include <stdbool.h>

#include "base/loop.h"
#include "base/why.h"
#include "master/control_client.h"

/* To be called first.  asked is called with each line, without its end; the
 * client waits until control_answer is called, then or later. */
void control_init(struct loop *loop,
    void (*asked)(struct control_client *client, char *line));

/*
 * Change where the socket listens, in two steps.  control_prepare listens at
 * `path` (NULL: nowhere) beside the present socket, but accepts nothing there
 * yet: 0, or -1 and why, and nothing has changed.  Then control_commit goes
 * over to it and closes the present socket, or control_abandon drops it.  A
 * socket that was taken over from another image accepts nothing until one of
 * these two is called.
 */
int control_prepare(const char *path, struct why *why);
void control_commit(void);
void control_abandon(void);

/* The path of the socket, or NULL if it listens nowhere. */
const char *control_path(void);

/* Send "ok" or "failed" as the first line, then n bytes of text, then end of
 * file; the client must not be used any more.  control_answerf sends one
 * formatted line, of at most 1022 bytes, and adds its newline.  Neither waits;
 * if memory runs out, the client gets no answer. */
void control_answer(struct control_client *client, bool good,
    const void *text, size_t n);
void control_answerf(struct control_client *client, bool good,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/*
 * Within `asked`: give the client's connection to another process, which is to
 * answer it: one message through the socket `door`, the connection with `line`,
 * its newline, and what has come behind it.  0, and the client must not be used
 * any more; or -1 with errno, and it still waits.  Does not wait.
 */
#define CONTROL_PASSED 1024 /* bytes of that message, at most */
int control_pass(struct control_client *client, int door, const char *line);

/* Call fn, which may answer, for every waiting client with a wish. */
void control_each(void (*fn)(struct control_client *client));

/* Over an upgrade in place: append a record for the socket and one for each
 * client, whose descriptors then stay open over exec(3).  Take over what such a
 * record says; other records are ignored. */
void control_hand_over(struct buf *out);
void control_take_over(const struct record *record);

/* Close the socket and all clients.  The part of an answer that could not be
 * sent at once is lost. */
void control_close(void);

#endif

#ifndef MASTER_SLOT_H
#define MASTER_SLOT_H

/*
 * One worker as the master sees it: its process, its channel, its output, its
 * deadline.  Runs in the master; what its words mean for the pool is the
 * pool's (a function pointer).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/log.h"
#include "base/loop.h"
#include "ipc/board.h"
#include "ipc/record.h"
#include "ipc/worker_args.h"
#include "master/spawn.h"
#include "master/worker_output.h"

#define SLOT_LOOK 20 /* ms between two looks whether it loads (slot_loads) */

enum slot_state {
	SLOT_FREE,
	SLOT_STARTING, /* READY is due */
	SLOT_UP,
	SLOT_LEAVING /* told to leave, or has said that it does */
};

enum slot_debt { /* what it has been asked to say, and has not */
	SLOT_OWES_NOTHING,
	SLOT_OWES_ANSWER, /* ORDER_ASK */
	SLOT_OWES_RESTART /* HUP: what has come of it */
};

struct slot {
	enum slot_state state;
	pid_t pid;
	int channel; /* -1 once the worker has closed its end */
	struct worker_output output;
	int64_t born; /* clock_ms() */
	int64_t due;  /* clock_ms() at which it is killed, -1: never */
	bool killed;
	bool works;	/* STARTING: it took processor time of late */
	int64_t looked; /* clock_ms() at which that was found out */
	int64_t cpu;	/* ns that it had taken by then */
	struct slot *succeeds; /* STARTING: the worker that leaves for it */
	enum slot_debt owes;
	bool wish;	       /* UP: to be succeeded, when there is room */
	char *said; /* WORD_FAILED: why it does not come up; NULL */
	bool foreign; /* another build's: speaks another WORKER_PROTOCOL */
	int64_t span;	/* clock_ms() since which its words are counted, */
	unsigned words; /* this many, */
	int64_t took;	/* us of processor time that the master has
			   spent on them */
	struct loop_timer pause; /* set: it is not heard until then */
	unsigned faults; /* of what it does, which have been told: bits */
	struct loop *loop;
	void (*heard)(void *arg, struct slot *slot, enum worker_word word);
	void *arg;
};

/*
 * Fork a worker into a free slot; heard is called with each of its words,
 * WORD_CLOSED being the last, and READY is due within limit ms.  One that says
 * more than a worker has to say is heard no more often than that.  0, or -1
 * with errno and the slot is free.
 */
int slot_fork(struct slot *slot, const struct spawn_order *order,
    struct loop *loop, int64_t limit,
    void (*heard)(void *arg, struct slot *slot, enum worker_word word),
    void *arg);

/* Its process has ended: take in all that it had said, and what it started
 * ends too.  The process is still to be waited for: its number is nobody
 * else's. */
void slot_ended(struct slot *slot);

/* Does it load at this moment, or has it only just been born?  One that waits
 * (for a database, for a timer) takes nothing away from others. */
bool slot_loads(struct slot *slot, int64_t now);

/* Say something to it, without waiting; a foreign one would not understand. */
void slot_order(const struct slot *slot, enum worker_order order);

/* TERM, and KILL if it is still there after limit ms. */
void slot_tell_leave(struct slot *slot, int64_t limit);

/* KILL now, with the processes that it has started; it is reaped later as any
 * other. */
void slot_kill(struct slot *slot);

/* One line of the log about this worker, in its name. */
void slot_log(const struct slot *slot, enum log_level level, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));

/* The same about the request in its hands. */
void slot_log_request(const struct slot *slot, enum log_level level,
    const struct score_slot *seen, const char *text);

/* Its process was reaped: log what it still had to say; the slot is free. */
void slot_bury(struct slot *slot);

/* Over an upgrade in place: append the fields of a record, descriptors
 * staying open over exec(3); become what such a record says of a child that
 * is ours still.  `succeeds` is left to the pool.  -1: it tells of no child,
 * and the slot stays free. */
void slot_hand_over(const struct slot *slot, struct buf *out);
int slot_take_over(struct slot *slot, const struct record *record,
    struct loop *loop, const char *pool,
    void (*heard)(void *arg, struct slot *slot, enum worker_word word),
    void *arg);

/* It takes nothing that it is sent: say so, once. */
void slot_is_deaf(struct slot *slot);

/* How a process ended, in words: "exited with code 3", "was killed by signal
 * 9 (Killed)".  Returns out. */
const char *slot_end_text(int status, char *out, size_t n);

#endif

#ifndef MASTER_SLOT_H
#define MASTER_SLOT_H

/*
 * One worker as the master sees it: its process, its channel, its output, its
 * deadline.  Runs in the master; what its words mean is the caller's business
 * (a function pointer).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/index.h"
#include "ipc/board.h"
#include "ipc/record.h"
#include "ipc/worker_args.h"
#include "master/spawn.h"
#include "master/worker_output.h"

#define SLOT_LOOK 20 /* ms between two looks of slot_loads */

enum slot_state {
	SLOT_FREE,
	SLOT_STARTING, /* forked, READY is due */
	SLOT_UP,
	SLOT_LEAVING /* told to leave, or has said that it leaves */
};

enum slot_debt { /* the answer that it owes */
	SLOT_OWES_NOTHING,
	SLOT_OWES_ANSWER, /* to ORDER_ASK */
	SLOT_OWES_RESTART /* to HUP: whether it has restarted */
};

struct slot {
	enum slot_state state;
	pid_t pid;
	struct index_entry by_pid;
	int channel; /* -1 once the worker has closed its end */
	struct worker_output output;
	int64_t born; /* clock_ms() */
	int64_t up;   /* clock_ms() at which it came up; 0: under another image */
	int64_t due;  /* clock_ms() at which it is killed, -1: never */
	bool killed; /* slot_kill was called */
	bool works;	/* STARTING: it loads, as slot_loads saw last */
	int64_t looked; /* clock_ms() of that look */
	int64_t cpu;	/* ns of processor time that it had taken by then */
	struct slot *succeeds; /* STARTING: the worker that it replaces; NULL */
	enum slot_debt owes;
	bool wish;	       /* UP: it has asked for a successor */
	char *said; /* from WORD_FAILED: why it does not come up; or from the
		       last word about a run; NULL */
	bool foreign; /* of another build, with another WORKER_PROTOCOL */
	int64_t span;	/* clock_ms() since which its words are counted */
	unsigned words; /* how many words since then */
	int64_t took;	/* us of processor time that the master has spent on
			   these words */
	struct loop_timer pause; /* set: its channel is not read until then */
	unsigned faults; /* enum fault of slot.c: those already logged */
	struct loop *loop;
	void (*heard)(void *arg, struct slot *slot, enum worker_word word);
	void *arg;
};

/*
 * Fork a worker into a free slot.  heard is called with each of its words,
 * WORD_CLOSED being the last, and with arg; READY is due within limit ms.  The
 * channel of a worker that says more than workers have to say is read less
 * often.  0, or -1 with errno and the slot is free.
 */
int slot_fork(struct slot *slot, const struct spawn_order *order,
    struct loop *loop, int64_t limit,
    void (*heard)(void *arg, struct slot *slot, enum worker_word word),
    void *arg);

/* Its process has ended: kill what it has started, and take in all words that
 * it had sent.  It must not be waited for yet, so that its pid, which names its
 * group, is not in use again. */
void slot_ended(struct slot *slot);

/* True if it loads now, or was only just forked.  One that sleeps (for a
 * database, for a timer) leaves the processor to others, and does not count. */
bool slot_loads(struct slot *slot, int64_t now);

/* Send it an order, without waiting.  Nothing is sent to a foreign one, which
 * would not understand. */
void slot_order(const struct slot *slot, enum worker_order order);

/* Send TERM, and have it killed if it is still there after limit ms; one that
 * leaves already keeps an earlier deadline. */
void slot_tell_leave(struct slot *slot, int64_t limit);

/* Send KILL now, to its processes too; it is reaped later as any other. */
void slot_kill(struct slot *slot);

/* Log one line about this worker, in its name. */
void slot_log(const struct slot *slot, enum log_level level, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));

/* The same about the request that it serves, as board_read has it. */
void slot_log_request(const struct slot *slot, enum log_level level,
    const struct score_slot *seen, const char *text);

/* Its process has ended, and slot_ended was called: log the rest of its output;
 * the slot is free. */
void slot_bury(struct slot *slot);

/* Free what it holds.  A process that is still there is not known any more. */
void slot_close(struct slot *slot);

/* Over an upgrade in place: append the fields of a record, whose descriptors
 * then stay open over exec(3); become what such a record says of a process that
 * is still a child of ours.  `succeeds` is left to the caller.  0, or -1: there
 * is no such child, and the slot stays free. */
void slot_hand_over(const struct slot *slot, struct buf *out);
int slot_take_over(struct slot *slot, const struct record *record,
    struct loop *loop, const char *pool,
    void (*heard)(void *arg, struct slot *slot, enum worker_word word),
    void *arg);

/* The name of the pool of which that process is, of all that have a slot; NULL:
 * of none. */
const char *slot_pool_of(pid_t pid);

/* Log, once, that it does not take what it is sent. */
void slot_is_deaf(struct slot *slot);

/* How a process ended, in words: "exited with code 3", "was killed by signal
 * 9 (Killed)".  Returns out. */
const char *slot_end_text(int status, char *out, size_t n);

#endif

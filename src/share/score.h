#ifndef SHARE_SCORE_H
#define SHARE_SCORE_H

/*
 * The scoreboard of one pool: a slot for each worker in memory that master
 * and workers share over fork (a memfd).  A slot has one writer: the worker
 * from its first instruction, the master before fork and after death.  A
 * sequence counter makes snapshots whole or refused, never torn and never
 * waited for.  Who is idle and who was told to leave are bitmaps beside the
 * slots, a bit per slot, so that a worker that goes busy learns how many are
 * left idle with one atomic operation, and a kill -9 at any instruction
 * leaves nothing that drifts.  Knows nothing of pools or Lua.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum score_state {
	SCORE_FREE,	/* no process */
	SCORE_STARTING, /* forked, not READY */
	SCORE_IDLE,
	SCORE_BUSY,   /* a request is in its hands */
	SCORE_LEAVING /* told to leave, or leaving of its own accord */
};

struct score;

struct score_slot { /* a snapshot of one worker */
	enum score_state state;
	pid_t pid;
	int64_t born;	   /* clock_ms() at fork */
	int64_t since;	   /* clock_ms() of the last change of state, that to
			      LEAVING excepted (it is not the writer's) */
	uint64_t requests; /* begun by this process */
	char method[16];   /* of the last request; cut, not escaped */
	char uri[128];
};

struct score_counts {
	unsigned starting, idle, busy, leaving;
};

/* A scoreboard of n slots, all free; NULL with errno.  Freed in a process,
 * it lives on in the others. */
struct score *score_new(unsigned n);
void score_free(struct score *score);

/*
 * A free slot becomes STARTING: the master before it forks, with pid 0 (a
 * call after fork would race with a child that is soon idle), then the child
 * first thing, with its own pid.  If fork fails: score_dead.
 */
void score_born(struct score *score, unsigned slot, pid_t pid);

/* Master: the worker was reaped; whatever it left half done is repaired. */
void score_dead(struct score *score, unsigned slot);

/* Master (it sent TERM) or the worker itself; stays until score_dead. */
void score_leaving(struct score *score, unsigned slot);

/* Worker, its own slot only. */
void score_idle(struct score *score, unsigned slot);
/* A request begins (method and uri are copied, cut, may be NULL).  True if
 * the master asked to be told because fewer than its threshold are idle now;
 * then exactly one worker is told so until the master calls
 * score_wake_below again. */
bool score_busy(struct score *score, unsigned slot, const char *method,
    const char *uri);

/* Master: ask to be woken when fewer than `idle` workers are idle; 0: never.
 * Count after asking: who went busy before that is not told. */
void score_wake_below(struct score *score, unsigned idle);

/* Master: workers told to leave must first serve all that waits in the
 * listen queue (the daemon stops); workers ask. */
void score_set_last(struct score *score, bool last);
bool score_last(const struct score *score);

/* Master: workers of another scoreboard have taken over (a new generation);
 * the ones of this one may hand their connections to them.  Workers ask: will
 * anybody go on serving when those that are leaving have left? */
void score_set_replaced(struct score *score, bool replaced);
bool score_heirs(const struct score *score);

/* Anyone.  Counts over all slots; a snapshot of one slot: false if its
 * writer was in the middle of it every time. */
void score_count(const struct score *score, struct score_counts *counts);
bool score_read(const struct score *score, unsigned slot,
    struct score_slot *out);
unsigned score_slots(const struct score *score);

#endif

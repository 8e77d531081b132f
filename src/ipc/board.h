#ifndef IPC_BOARD_H
#define IPC_BOARD_H

/*
 * The scoreboard of one generation of a pool, on the master's side.  The list
 * of slots, their processes and the totals are private memory of the master;
 * each worker writes a memfd of its own (score.h).  That memfd may be hostile:
 * numbers are clamped to possible values, texts are cut, nothing in it is used
 * as a pid, an index or an address, and impossible counts are refused.
 *
 * The generations of a pool share their totals, which go on over reloads, and
 * each of them can list the workers of all.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ipc/record.h"
#include "ipc/score.h"

/* What the master knows of a pool, for the status. */
enum board_fact {
	FACT_STARTED,	 /* seconds since 1970 when counting began */
	FACT_GENERATION, /* number of the newest one; the first is 1 */
	FACT_RELOADS,	 /* reloads that were put into effect, ever */
	FACT_REFUSED,	 /* reloads that were refused, ever */
	FACT_LAST_REFUSED, /* 1: the last reload was refused */
	FACT_FORKED,	 /* workers forked, ever */
	FACT_CRASHES,	 /* workers that were up and died without an order to
			    leave */
	FACT_LOADS_FAILED, /* workers that died before they were up */
	FACT_RESTARTS,	 /* workers forked in the place of another */
	FACT_RECYCLED,	 /* and on, by enum score_cause: workers replaced */
	FACT_RECYCLED_END = FACT_RECYCLED + SCORE_CAUSES - 1,
	FACT_FAILURES,	   /* workers that failed to start or to live, in a
			      row */
	FACT_RETRY,	   /* clock_ms() before which no worker is forked */
	FACT_MAX_CHILDREN, /* how often the active workers reached the limit
			      (board_set_limit) */
	FACT_MAX_ACTIVE,   /* the most workers of a generation active at once */
	FACT_MAX_QUEUE,	   /* the longest listen queue that was seen */
	FACT_PEAK,	   /* bytes of the largest Lua heap of a worker */
	BOARD_FACTS
};

struct score_slot { /* a snapshot of one worker */
	enum score_state state;
	pid_t pid;
	int64_t born;	   /* clock_ms() at fork */
	int64_t since;	   /* clock_ms() of the worker's last change of state;
			      the master's change to LEAVING does not count */
	uint64_t requests; /* begun by this process */
	uint64_t done;	   /* finished; one less than requests while busy */
	int64_t begun;	   /* clock_us() at the begin of the last request */
	int64_t took;	   /* us; the last request that is over */
	int64_t length;	   /* CONTENT_LENGTH of the last, -1: not given */
	int status;	   /* HTTP status of the last; 0: not yet known */
	int64_t line;	   /* score_line of the last, or SCORE_NO_LINE */
	int64_t gauge[SCORE_GAUGES];
	unsigned number;   /* of the slot, unique in all generations */
	char method[16];   /* of the last request; cut, a NUL byte is "?" */
	char uri[512];
	char script[256];
	char user[64];
	char remote[48];
	char id[64]; /* an id (output_tag.h), or "" */
};

struct score_counts {
	unsigned starting, idle, busy, leaving;
};

struct score_sum { /* over all generations */
	uint64_t n[SCORE_COUNTERS];  /* since FACT_STARTED */
	int64_t gauge[SCORE_GAUGES]; /* of living workers */
	struct score_counts workers; /* RESTARTING counts as busy */
};

struct board;

/* ---- a generation's board ------------------------------------------------ */

/*
 * Make a board of so many free slots that shares the totals of the generation
 * `before` it (NULL: none).  NULL with errno.  board_free allows NULL.
 */
struct board *board_new(unsigned slots, const struct board *before);
void board_free(struct board *board);

/* Its processes are no workers: they are listed and their counts are added, but
 * score_sum.workers is without them. */
void board_set_aside(struct board *board);

/* The number of slots. */
unsigned board_slots(const struct board *board);

/* ---- a worker's life ----------------------------------------------------- */

/*
 * Take a free slot for a worker that is about to be forked.  The worker maps
 * both descriptors (score_open): the head, which is read-only, and the slot,
 * which is new memory.  The board owns both.  0, or -1 with errno.  If no
 * worker is forked, call board_dead.
 */
struct board_lease {
	int head, slot;
};
int board_lease(struct board *board, unsigned slot, struct board_lease *lease);

/* Note the pid of the worker in a slot. */
void board_born(struct board *board, unsigned slot, pid_t pid);

/* Mark the worker as told to leave. */
void board_leaving(struct board *board, unsigned slot);

/* Add the counts of a worker that was reaped to the totals and free the slot.
 * False if its counts became impossible; the last possible ones are added. */
bool board_dead(struct board *board, unsigned slot);

/* Count the worker in FACT_RECYCLED, by the cause for which it was replaced. */
void board_recycled(struct board *board, unsigned slot);

/* The word of log lines that the worker counted and did not write (log_bury);
 * its stash (spool_salvage), NULL if the slot is free or of another build. */
uint64_t board_repeats(const struct board *board, unsigned slot);
const void *board_stash(const struct board *board, unsigned slot);

/* ---- what all workers are told ------------------------------------------- */

/* The number of active workers that counts as FACT_MAX_CHILDREN; 0: none. */
void board_set_limit(struct board *board, unsigned limit);

/* What score_last and score_heirs tell the workers: no other generation serves
 * the listen queue; another generation has taken over. */
void board_set_last(struct board *board, bool last);
void board_set_replaced(struct board *board, bool replaced);

/*
 * Ask `idle` idle workers to report when they go busy (score_busy), so that the
 * master hears of it as soon as fewer than `idle` workers are idle; 0: ask
 * none.  It asks those that have been idle longest, because the kernel wakes
 * them last.  False: fewer are idle already, so that none may report.
 */
bool board_ask(struct board *board, unsigned idle);

/* ---- facts --------------------------------------------------------------- */

/* Set a fact; add 1 to it; set it if `value` is larger; read it. */
void board_set_fact(struct board *board, enum board_fact fact, int64_t value);
void board_add_fact(struct board *board, enum board_fact fact);
void board_raise_fact(struct board *board, enum board_fact fact,
    int64_t value);
int64_t board_fact(const struct board *board, enum board_fact fact);

/* ---- lines that a log does not take -------------------------------------- */

/* Count a line that the master itself has lost, with the errno. */
void board_lose_line(struct board *board, unsigned log, int error);

/* True once if lines were lost: *error is the errno of one of them, the caller
 * reports it, and the log is lossy until board_forget_lost. */
bool board_loses(struct board *board, unsigned log, int *error);
bool board_is_lossy(const struct board *board, unsigned log);

/* The log takes lines again, in all generations.  Returns how many lines were
 * lost, and counts from 0 again. */
uint64_t board_forget_lost(struct board *board, unsigned log);

/* ---- reading ------------------------------------------------------------- */

/* Count the workers of this generation by state, and update FACT_MAX_ACTIVE
 * and FACT_MAX_CHILDREN. */
void board_look(struct board *board, struct score_counts *counts);

/* The number of connections that workers of this generation have accepted from
 * the listener of that number, or, from SCORE_LISTENERS - 1 on, from all of
 * those together.  It falls only if a worker forges it. */
uint64_t board_accepted(const struct board *board, size_t listener);

/* Take a snapshot of one worker; its state is STARTING until it has set one.
 * False: the slot is free or of another build, or its worker was writing at
 * each try. */
bool board_read(const struct board *board, unsigned slot,
    struct score_slot *out);

/* The same for a worker that was reaped, before board_dead.  If it died while
 * it was writing, parts of two requests may be mixed. */
bool board_read_last(const struct board *board, unsigned slot,
    struct score_slot *out);

/*
 * Over all generations: the sum; and the next worker, that with the lowest slot
 * number from *at on (0 at first), which moves behind it; false: no more.  Of a
 * worker that was writing at each try only state, pid and birth are set.
 */
void board_sum(struct board *board, struct score_sum *sum);
bool board_next(const struct board *board, unsigned *at,
    struct score_slot *out);

/* ---- over an upgrade in place -------------------------------------------- */

/* Append the board as the fields of a record; its descriptors stay open over
 * exec(3).  Make a board from such a record; of a slot from another build only
 * pid, counts and birth are known.  NULL with errno. */
void board_hand_over(struct board *board, struct buf *out);
struct board *board_take_over(const struct record *record);

/* Call after the last such record: releases the list in which generations of
 * one pool find their totals. */
void board_all_taken_over(void);

#endif

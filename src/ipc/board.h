#ifndef IPC_BOARD_H
#define IPC_BOARD_H

/*
 * The scoreboard of one generation of a pool, as the master has it: which
 * slots there are, whose they are and what was counted is its private memory;
 * each worker writes a memfd of its own (score.h).  That is read as hostile:
 * numbers are clamped to what can be true, texts are cut, nothing in it is a
 * pid, an index or an address, and counts that cannot be true are not taken.
 *
 * The generations of a pool share what was counted: it goes on over reloads,
 * and a look at one of them sees the workers of all.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ipc/record.h"
#include "ipc/score.h"

/* What the master knows of the pool, for whoever shows it. */
enum board_fact {
	FACT_STARTED,	 /* seconds since 1970: counts begin here */
	FACT_GENERATION, /* of the newest workers; the first is 1 */
	FACT_FORKED,	 /* workers, ever */
	FACT_CRASHES,	 /* workers that died unasked */
	FACT_RESTARTS,	 /* workers forked in another's place */
	FACT_RECYCLED,	 /* and on: by enum score_cause, workers replaced */
	FACT_RECYCLED_END = FACT_RECYCLED + SCORE_CAUSES - 1,
	FACT_FAILURES,	   /* of workers to start or to live, in a row */
	FACT_RETRY,	   /* clock_ms() before which none is forked */
	FACT_MAX_CHILDREN, /* times that as many workers were active as the
			      limit allows (board_set_limit) */
	FACT_MAX_ACTIVE,   /* the most workers of a generation active at once */
	FACT_MAX_QUEUE,	   /* the longest listen queue that was seen */
	FACT_PEAK,	   /* the largest Lua heap of a worker, bytes */
	BOARD_FACTS
};

struct score_slot { /* a snapshot of one worker */
	enum score_state state;
	pid_t pid;
	int64_t born;	   /* clock_ms() at fork */
	int64_t since;	   /* clock_ms() of the last change of state, that to
			      LEAVING excepted (it is not the worker's) */
	uint64_t requests; /* begun by this process */
	uint64_t done;	   /* of these are over; one less: it is in hand */
	int64_t begun;	   /* clock_us(): the last request began */
	int64_t took;	   /* us; the last request that is over */
	int64_t length;	   /* CONTENT_LENGTH of the last, -1: not given */
	int status;	   /* the last is answered with; 0: not yet known */
	int64_t line;	   /* score_line of the last, or SCORE_NO_LINE */
	int64_t gauge[SCORE_GAUGES];
	unsigned number;   /* among those of all generations */
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
	uint64_t n[SCORE_COUNTERS];  /* ever */
	int64_t gauge[SCORE_GAUGES]; /* of the living */
	struct score_counts workers; /* RESTARTING counts as busy */
};

struct board;

/* ---- a generation's board ------------------------------------------------ */

/*
 * A board of so many slots, all free, that goes on with what the generation
 * `before` it (NULL: none) has counted.  NULL with errno.
 */
struct board *board_new(unsigned slots, const struct board *before);
void board_free(struct board *board);
unsigned board_slots(const struct board *board);

/* ---- a worker's life ----------------------------------------------------- */

/*
 * A worker is about to be born in a free slot, and maps these two
 * (score_open); the head is opened read-only and stays the board's, the slot
 * is fresh memory and stays the board's too.  0, or -1 with errno.  If
 * nothing is born: board_dead.
 */
struct board_lease {
	int head, slot;
};
int board_lease(struct board *board, unsigned slot, struct board_lease *lease);

/* It was born as that process. */
void board_born(struct board *board, unsigned slot, pid_t pid);

/* It has been told to leave. */
void board_leaving(struct board *board, unsigned slot);

/* It was reaped: what it counted goes into the totals; the slot is free.
 * False: its counts could not be true, and were not taken. */
bool board_dead(struct board *board, unsigned slot);

/* It has been replaced, for the cause that it gave. */
void board_recycled(struct board *board, unsigned slot);

/* The log lines that it has counted and not written (log_bury), and its stash
 * (spool_salvage); NULL: there is none, or it is of another build. */
uint64_t board_repeats(const struct board *board, unsigned slot);
const void *board_stash(const struct board *board, unsigned slot);

/* ---- what all workers are told ------------------------------------------- */

/* No more workers than that may be active. */
void board_set_limit(struct board *board, unsigned limit);

void board_set_last(struct board *board, bool last);
void board_set_replaced(struct board *board, bool replaced);

/*
 * Have workers that go busy say so (score_busy), such that at least one does
 * before fewer than `idle` of them are idle; 0: none is to.  Those that have
 * been idle longest are asked, as the kernel wakes them last.  False: so few
 * are idle already; look again.
 */
bool board_ask(struct board *board, unsigned idle);

/* ---- facts --------------------------------------------------------------- */

void board_set_fact(struct board *board, enum board_fact fact, int64_t value);
void board_add_fact(struct board *board, enum board_fact fact);
void board_raise_fact(struct board *board, enum board_fact fact,
    int64_t value);
int64_t board_fact(const struct board *board, enum board_fact fact);

/* ---- lines that a log does not take -------------------------------------- */

/* The master has lost one itself.  Is any lost of which nothing was said?
 * Then *error is the reason of one. */
void board_lose_line(struct board *board, unsigned log, int error);
bool board_loses(struct board *board, unsigned log, int *error);

/* Has that been said, and not yet that it takes lines again? */
bool board_is_lossy(const struct board *board, unsigned log);

/* The log takes lines again, for all: how many were lost. */
uint64_t board_forget_lost(struct board *board, unsigned log);

/* ---- reading ------------------------------------------------------------- */

/* Count the workers of this generation, and take note of how many are active
 * at once. */
void board_look(struct board *board, struct score_counts *counts);

/* A snapshot of one worker; STARTING until it has said anything.  False: the
 * slot is free, of another build, or its worker was in the middle of writing
 * every time. */
bool board_read(const struct board *board, unsigned slot,
    struct score_slot *out);

/* The same of one that was reaped, which has died in the middle of writing
 * perhaps: then texts may be mixed up. */
bool board_read_last(const struct board *board, unsigned slot,
    struct score_slot *out);

/*
 * All generations.  The next worker at or behind place *at (begin with 0);
 * false: no more.  A worker in mid-write has its state and pid alone.
 */
void board_sum(struct board *board, struct score_sum *sum);
bool board_next(const struct board *board, unsigned *at,
    struct score_slot *out);

/* ---- over an upgrade in place -------------------------------------------- */

/* Append the fields of a record; descriptors stay open over exec(3).  Become
 * what such a record says; slots of another build have no more than a pid.
 * NULL with errno. */
void board_hand_over(struct board *board, struct buf *out);
struct board *board_take_over(const struct record *record);

/* There are no more such records. */
void board_all_taken_over(void);

#endif

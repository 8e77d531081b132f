#ifndef IPC_BOARD_IMPL_H
#define IPC_BOARD_IMPL_H

/*
 * The inside of a board, for board*.c only.
 */

#include "ipc/board.h"
#include "ipc/score_page.h"

struct place { /* a slot; a free one is all zero, with fd -1 */
	bool alive;
	bool leaving;
	bool untrue; /* its counts were impossible once: ignored since then */
	pid_t pid;
	int64_t born; /* clock_ms() */
	int fd;
	const struct score_memory *memory; /* NULL: of another build */
	uint64_t counts[SCORE_COUNTERS];   /* the last possible ones */
	uint64_t told[SCORE_LOGS]; /* lost lines that have been reported */
};

struct sums { /* the totals that all generations of a pool share */
	unsigned users;
	int64_t id; /* names it in records: its address in the image before */
	struct board *boards;
	uint64_t n[SCORE_COUNTERS]; /* by workers that have died */
	int64_t facts[BOARD_FACTS];
	uint64_t lost[SCORE_LOGS]; /* lines lost by dead workers and by the
				      master, not reported yet */
	int error[SCORE_LOGS];	   /* errno of the last the master lost */
	struct sums *next; /* while records are taken over */
};

struct rest { /* of an idle worker */
	int64_t since;
	unsigned slot;
};

struct board {
	struct board *next; /* of the same sums */
	struct sums *sums;
	struct score_head *head;
	int fd;	    /* of the head */
	int fd_read; /* of the head, read-only: for the workers */
	unsigned first; /* number of its first slot among all generations */
	unsigned nslots;
	bool aside; /* board_set_aside */
	unsigned limit; /* of active workers; 0: none */
	bool full; /* the active workers have reached the limit */
	uint64_t accepted[SCORE_LISTENERS]; /* by workers that have died */
	struct rest *rests; /* room for nslots */
	struct place place[];
};

/* Add the board to those that share sums; its slots get numbers that no other
 * slot has, from board->first upwards. */
void board_join(struct board *board, struct sums *sums);

/* Map the memory of a place, read-only: 0, or -1 with errno.  Unmap it. */
int board_map(struct place *place);
void board_unmap(struct place *place);

/* A board of n free places, without a head.  NULL: no memory. */
struct board *board_make(unsigned slots);

/* Map the head for writing.  0, or -1 with errno. */
int board_map_head(struct board *board);

/* Copy the counts of a living worker to its place, if they are possible. */
void board_count_place(struct board *board, struct place *place);

#endif

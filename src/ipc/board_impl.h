#ifndef IPC_BOARD_IMPL_H
#define IPC_BOARD_IMPL_H

/*
 * The inside of a board: for board*.c alone.
 */

#include "ipc/board.h"
#include "ipc/score_page.h"

struct place { /* a slot; all zero but fd, which is -1: free */
	bool alive;
	bool leaving;
	bool untrue; /* its counts could not be true at some time */
	pid_t pid;
	int64_t born; /* clock_ms() */
	int fd;
	const struct score_memory *memory; /* NULL: of another build */
	uint64_t counts[SCORE_COUNTERS];   /* the last that could be true */
	uint64_t told[SCORE_LOGS]; /* lost lines that have been told of */
};

struct sums { /* of all generations */
	unsigned users;
	int64_t id; /* over an upgrade, of the image before */
	struct board *boards;
	uint64_t n[SCORE_COUNTERS]; /* of the dead */
	int64_t facts[BOARD_FACTS];
	uint64_t lost[SCORE_LOGS]; /* lines of the dead and of the master, not
				      told of */
	int error[SCORE_LOGS];
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
	int fd_read; /* the same, read-only: what workers get */
	unsigned first; /* number of its first slot among all generations */
	unsigned nslots;
	unsigned limit; /* of active workers; 0: none */
	bool full; /* as many are active as may be */
	struct rest *rests; /* room for nslots */
	struct place place[];
};

/* Join the generations that share sums, with numbers of its own.  */
void board_join(struct board *board, struct sums *sums);

/* Map a place's memory, 0, or -1 with errno; do so no more. */
int board_map(struct place *place);
void board_unmap(struct place *place);

/* A board of so many free places, without a head.  NULL: no memory. */
struct board *board_make(unsigned slots);

/* Map a head for writing.  0, or -1 with errno. */
int board_map_head(struct board *board);

/* Take over what a living worker has counted, if that can be true. */
void board_count_place(struct board *board, struct place *place);

#endif

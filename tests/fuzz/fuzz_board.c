/* A slot of the scoreboard, in which its worker has left anything. */

#include <sys/mman.h>

#include <string.h>

#include "base/clock.h"
#include "fuzz.h"
#include "ipc/board.h"
#include "ipc/output_tag.h"
#include "ipc/score_page.h"

static void
look(struct board *board)
{
	struct score_counts counts;
	struct score_slot seen;
	struct score_sum sum;
	unsigned at = 0;
	int error;

	board_look(board, &counts);
	must(counts.starting + counts.idle + counts.busy + counts.leaving == 1);
	board_ask(board, 1);
	board_loses(board, 0, &error);
	board_forget_lost(board, 0);
	board_recycled(board, 0);
	board_repeats(board, 0);
	board_sum(board, &sum);
	must(sum.n[SCORE_BEGUN] <= INT64_MAX);
	must(board_next(board, &at, &seen));
	must(board_read_last(board, 0, &seen));
	must(seen.state > SCORE_FREE && seen.state < SCORE_STATES);
	must(seen.since >= seen.born && seen.since <= clock_ms());
	must(strlen(seen.uri) < sizeof(seen.uri));
	must(seen.id[0] == '\0' || output_tag_is_id(seen.id, strlen(seen.id)));
}

FUZZ(board)
{
	struct board *board = board_new(1, NULL);
	struct board_lease lease;
	void *memory;

	must(board != NULL && board_lease(board, 0, &lease) == 0);
	memory = mmap(NULL, sizeof(struct score_memory),
	    PROT_READ | PROT_WRITE, MAP_SHARED, lease.slot, 0);
	must(memory != MAP_FAILED);
	memcpy(memory, data, size < sizeof(struct score_memory) ? size :
	    sizeof(struct score_memory));
	look(board);
	board_dead(board, 0);
	munmap(memory, sizeof(struct score_memory));
	board_free(board);
}

#ifndef TESTS_UNIT_BOARD_UNIT_H
#define TESTS_UNIT_BOARD_UNIT_H

/* A board, and in the same process the scores of its workers. */

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "ipc/board.h"

#include "unit.h"

static inline struct board *
board_unit_new(unsigned n, const struct board *before)
{
	struct board *made = board_new(n, before);

	ck_assert_ptr_nonnull(made);
	ck_assert_uint_eq(board_slots(made), n);
	return made;
}

/* What a worker tells with; it lives as long as the process, and so does what
 * a later one of the slot takes the place of. */
static inline struct score *
board_unit_open(const struct board_lease *lease, unsigned slot)
{
	static struct score *opened[4096];
	static size_t n;

	ck_assert_uint_lt(n, sizeof(opened) / sizeof(opened[0]));
	opened[n] = score_open(dup(lease->head), dup(lease->slot), slot);
	ck_assert_ptr_nonnull(opened[n]);
	return opened[n++];
}

/* A worker with that pid is born, and has what it tells with. */
static inline struct score *
board_unit_born(struct board *board, unsigned slot, pid_t pid)
{
	struct board_lease lease;
	struct score *score;

	ck_assert_int_eq(board_lease(board, slot, &lease), 0);
	score = board_unit_open(&lease, slot);
	board_born(board, slot, pid);
	return score;
}

static inline struct score_slot
board_unit_look(const struct board *board, unsigned slot)
{
	struct score_slot seen;

	ck_assert(board_read(board, slot, &seen));
	return seen;
}

/* A request begins. */
static inline bool
board_unit_busy(struct score *score, const char *method, const char *uri)
{
	const struct score_request request = { .begun = clock_us(),
		.length = -1,
		.text[TEXT_METHOD] = { method,
		    method == NULL ? 0 : strlen(method) },
		.text[TEXT_URI] = { uri, uri == NULL ? 0 : strlen(uri) } };

	return score_busy(score, &request);
}

#endif

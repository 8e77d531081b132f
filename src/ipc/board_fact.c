#include "ipc/board_impl.h"

void
board_set_fact(struct board *board, enum board_fact fact, int64_t value)
{
	board->sums->facts[fact] = value;
}

void
board_add_fact(struct board *board, enum board_fact fact)
{
	board->sums->facts[fact]++;
}

void
board_raise_fact(struct board *board, enum board_fact fact, int64_t value)
{
	if (value > board->sums->facts[fact])
		board->sums->facts[fact] = value;
}

int64_t
board_fact(const struct board *board, enum board_fact fact)
{
	return board->sums->facts[fact];
}

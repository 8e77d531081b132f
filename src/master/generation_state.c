#include "master/generation_state.h"

#include <string.h>

/* No event leads to TRIAL, which is 0: a cell that is not written keeps the
 * state. */
#define STAY GENERATION_TRIAL

/* The same for each state that serves. */
#define LEAVING \
	[GENERATION_REPLACED] = { GENERATION_DRAINING, GENERATION_LEAVE }, \
	[GENERATION_SPLIT] = { GENERATION_PARTED, GENERATION_KEEP }, \
	[GENERATION_DROPPED] = { GENERATION_LAST, GENERATION_SERVE }, \
	[GENERATION_KILLED] = { GENERATION_DRAINING, GENERATION_KILL }

#define GIVEN_UP \
	[GENERATION_REPLACED] = { GENERATION_DISCARDED, GENERATION_DISCARD }, \
	[GENERATION_SPLIT] = { GENERATION_DISCARDED, GENERATION_DISCARD }, \
	[GENERATION_DROPPED] = { GENERATION_DISCARDED, GENERATION_DISCARD }, \
	[GENERATION_KILLED] = { GENERATION_DISCARDED, GENERATION_KILL }

static const struct generation_move moves[][GENERATION_EVENTS] = {
	[GENERATION_TRIAL] = {
		[GENERATION_COMPLETE] = { GENERATION_READY, GENERATION_NOTHING },
		[GENERATION_STUNTED] = { GENERATION_FAILED, GENERATION_NOTHING },
		[GENERATION_LOST] = { GENERATION_FAILED, GENERATION_NOTE },
		GIVEN_UP },
	[GENERATION_READY] = {
		[GENERATION_LOST] = { GENERATION_FAILED, GENERATION_NOTE },
		[GENERATION_OPEN] = { GENERATION_SERVING, GENERATION_ADMIT },
		GIVEN_UP },
	[GENERATION_FAILED] = {
		GIVEN_UP },
	[GENERATION_STARTING] = {
		[GENERATION_UP] = { GENERATION_SERVING, GENERATION_NOTHING },
		[GENERATION_STUNTED] = { GENERATION_BROKEN, GENERATION_NOTHING },
		[GENERATION_LOST] = { GENERATION_BROKEN, GENERATION_SUFFER },
		LEAVING },
	[GENERATION_SERVING] = {
		[GENERATION_LOST] = { STAY, GENERATION_COUNT },
		LEAVING },
	[GENERATION_BROKEN] = {
		[GENERATION_UP] = { GENERATION_SERVING, GENERATION_NOTHING },
		[GENERATION_LOST] = { STAY, GENERATION_COUNT },
		LEAVING },
	[GENERATION_DISCARDED] = {
		[GENERATION_DROPPED] = { STAY, GENERATION_HASTEN },
		[GENERATION_KILLED] = { STAY, GENERATION_KILL } },
	[GENERATION_DRAINING] = {
		[GENERATION_DROPPED] = { GENERATION_LAST, GENERATION_SERVE },
		[GENERATION_KILLED] = { STAY, GENERATION_KILL } },
	[GENERATION_PARTED] = { /* what waits there now is for others */
		[GENERATION_DROPPED] = { STAY, GENERATION_HASTEN },
		[GENERATION_KILLED] = { STAY, GENERATION_KILL } },
	[GENERATION_LAST] = {
		[GENERATION_DROPPED] = { STAY, GENERATION_SERVE },
		[GENERATION_KILLED] = { GENERATION_DRAINING,
		    GENERATION_KILL } }
};

static const char *const names[] = {
	[GENERATION_TRIAL] = "trial",
	[GENERATION_READY] = "ready",
	[GENERATION_FAILED] = "failed",
	[GENERATION_STARTING] = "starting",
	[GENERATION_SERVING] = "serving",
	[GENERATION_BROKEN] = "broken",
	[GENERATION_DISCARDED] = "discarded",
	[GENERATION_DRAINING] = "draining",
	[GENERATION_PARTED] = "parted",
	[GENERATION_LAST] = "last"
};

struct generation_move
generation_move(enum generation_state now, enum generation_event event)
{
	struct generation_move move = moves[now][event];

	if (move.next == STAY)
		move.next = now;
	return move;
}

bool
generation_on_trial(enum generation_state state)
{
	return state <= GENERATION_FAILED;
}

bool
generation_serves(enum generation_state state)
{
	return !generation_on_trial(state) && !generation_leaves(state);
}

bool
generation_leaves(enum generation_state state)
{
	return state >= GENERATION_DISCARDED;
}

const char *
generation_state_name(enum generation_state state)
{
	return names[state];
}

enum generation_state
generation_state_find(const char *name)
{
	int state = 0;

	while (state < GENERATION_STATES && strcmp(names[state], name) != 0)
		state++;
	return (enum generation_state)state;
}

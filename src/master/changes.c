#include "master/changes.h"

#include <stdlib.h>
#include <string.h>

/* ---- the plan ------------------------------------------------------------ */

/* The configurations of all generations that serve, for comparing; they may be
 * older than the newest one.  The copies are shallow. */
static struct conf_pool *
present(const struct pools *pools, size_t *n)
{
	struct conf_pool *copies = calloc(pools_serving(pools) + 1,
	    sizeof(*copies));
	struct generation *g;

	*n = 0;
	for (g = pools->first; copies != NULL && g != NULL;
	    g = *generation_link(g))
		if (pools_find(pools, generation_name(g)) == g)
			copies[(*n)++] = *generation_conf(g);
	return copies;
}

static const char *
pool_of(const struct diff_step *step)
{
	return step->after != NULL ? step->after->name : step->before->name;
}

/* A pool that is out of service is skipped: no reload brings it back. */
static void
add(struct changes *changes, const struct pools *pools,
    const struct diff_step *step, bool all)
{
	struct change *change = &changes->item[changes->n];

	if (step->verb == DIFF_ADD &&
	    pools_parked(pools, step->after->name) != NULL)
		return;
	*change = (struct change){ .verb = step->verb, .after = step->after };
	if (step->before != NULL)
		change->old = pools_find(pools, step->before->name);
	if (all && (step->verb == DIFF_KEEP || step->verb == DIFF_TUNE))
		change->verb = DIFF_REPLACE;
	changes->n++;
}

int
changes_plan(struct changes *changes, const struct pools *pools,
    const struct conf *conf, bool all, const char *only)
{
	struct conf before = { 0 };
	struct diff_step *steps = NULL;
	size_t n = 0;

	*changes = (struct changes){ 0 };
	before.pools = present(pools, &before.npools);
	if (before.pools != NULL)
		steps = conf_diff(&before, conf, &n);
	if (steps != NULL)
		changes->item = calloc(n, sizeof(*changes->item));
	for (size_t i = 0; changes->item != NULL && i < n; i++)
		if (only == NULL || strcmp(pool_of(&steps[i]), only) == 0)
			add(changes, pools, &steps[i], all);
	free(steps);
	free(before.pools);
	return changes->item == NULL ? -1 : 0;
}

void
changes_free(struct changes *changes)
{
	free(changes->item);
	*changes = (struct changes){ 0 };
}

/* ---- where connections go ------------------------------------------------ */

/* The new generation that has the listener, or NULL. */
static struct generation *
owner(const struct changes *changes, const struct listener *listener)
{
	for (size_t i = 0; i < changes->n; i++) {
		struct generation *made = changes->item[i].made;

		if (made != NULL &&
		    listen_set_has(generation_listens(made), listener))
			return made;
	}
	return NULL;
}

struct generation *
changes_heir(const struct changes *changes, const struct change *change,
    bool *several)
{
	const struct listen_set *set = generation_listens(change->old);
	struct generation *heir = NULL, *one;

	*several = false;
	for (size_t i = 0; i < set->n; i++) {
		one = owner(changes, set->listeners[i]);
		*several |= one != NULL && heir != NULL && one != heir;
		heir = heir == NULL ? one : heir;
	}
	return heir == NULL ? change->made : heir;
}

/* The change whose old generation gives its exchange to `made`; that of the
 * same pool comes first. */
static const struct change *
predecessor(const struct changes *changes, const struct generation *made)
{
	const struct change *found = NULL, *change = changes->item;
	bool several;

	for (; change < changes->item + changes->n; change++)
		if (change->old != NULL &&
		    changes_heir(changes, change, &several) == made &&
		    !several && (found == NULL || change->made == made))
			found = change;
	return found;
}

int
changes_connect(struct changes *changes)
{
	const struct change *from;

	for (size_t i = 0; i < changes->n; i++) {
		struct generation *made = changes->item[i].made;

		if (made == NULL)
			continue;
		from = predecessor(changes, made);
		if (listen_set_follow(generation_listens(made), from == NULL ?
			NULL : generation_listens(from->old)) == -1)
			return -1;
	}
	return 0;
}

/* Connections of an address that is dropped go to the heir. */
static int
forward(const struct changes *changes, const struct change *change,
    struct loop *loop)
{
	struct listen_set *set = generation_listens(change->old);
	const struct listen_set **heirs;
	struct generation *heir, *one;
	bool several;
	int result;

	heir = changes_heir(changes, change, &several);
	if (heir == NULL || predecessor(changes, heir) == change)
		return 0;
	if ((heirs = calloc(set->n, sizeof(*heirs))) == NULL)
		return -1;
	for (size_t i = 0; i < set->n; i++) {
		one = owner(changes, set->listeners[i]);
		heirs[i] = generation_listens(one == NULL ? heir : one);
	}
	result = listen_set_forward(set, loop, heirs);
	free(heirs);
	return result;
}

int
changes_forward(const struct changes *changes, struct loop *loop)
{
	const struct change *change = changes->item;

	for (; change < changes->item + changes->n; change++)
		if (change->old != NULL &&
		    (change->made != NULL || change->verb == DIFF_DROP) &&
		    forward(changes, change, loop) == -1)
			return -1;
	return 0;
}

#include "master/changes.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/index.h"

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
	conf_index(&before);
	if (before.pools != NULL)
		steps = conf_diff(&before, conf, &n);
	if (steps != NULL)
		changes->item = calloc(n, sizeof(*changes->item));
	for (size_t i = 0; changes->item != NULL && i < n; i++)
		if (only == NULL || strcmp(pool_of(&steps[i]), only) == 0)
			add(changes, pools, &steps[i], all);
	free(steps);
	conf_unindex(&before);
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

struct owner { /* of a listener */
	struct index_entry entry;
	const struct listener *listener;
	struct change *change; /* whose `made` has it */
};

struct owners {
	struct index by_listener;
	struct owner *owner;
};

static struct change *
owner(const struct owners *owners, const struct listener *listener)
{
	struct index_entry *e = index_first(&owners->by_listener,
	    (uintptr_t)listener);

	return e == NULL ? NULL : ((struct owner *)e->of)->change;
}

/* 0, or -1 with errno. */
static int
find_owners(struct owners *owners, const struct changes *changes)
{
	struct change *change, *end = changes->item + changes->n;
	struct owner *one;
	size_t n = 1;

	for (change = changes->item; change < end; change++)
		if (change->made != NULL)
			n += generation_listens(change->made)->n;
	*owners = (struct owners){ .owner = calloc(n, sizeof(*one)) };
	if ((one = owners->owner) == NULL)
		return -1;
	for (change = changes->item; change < end; change++) {
		const struct listen_set *set = change->made == NULL ? NULL :
		    generation_listens(change->made);

		for (size_t i = 0; set != NULL && i < set->n; i++, one++) {
			one->listener = set->listeners[i];
			one->change = change;
			index_add(&owners->by_listener, &one->entry,
			    (uintptr_t)one->listener, one);
		}
	}
	return 0;
}

static void
free_owners(struct owners *owners)
{
	index_free(&owners->by_listener);
	free(owners->owner);
}

static void
find_heir(const struct owners *owners, struct change *change)
{
	const struct listen_set *set = generation_listens(change->old);
	struct change *one;

	change->heir = NULL;
	change->several = false;
	for (size_t i = 0; i < set->n; i++) {
		one = owner(owners, set->listeners[i]);
		change->several |= one != NULL && change->heir != NULL &&
		    one != change->heir;
		if (change->heir == NULL)
			change->heir = one;
	}
	if (change->heir == NULL && change->made != NULL)
		change->heir = change;
}

/* Of several that could give their exchange the same pool comes first, then the
 * first one. */
static void
find_heirs(const struct owners *owners, struct changes *changes)
{
	struct change *change, *heir, *end = changes->item + changes->n;

	for (change = changes->item; change < end; change++)
		change->from = NULL;
	for (change = changes->item; change < end; change++) {
		if (change->old == NULL)
			continue;
		find_heir(owners, change);
		heir = change->heir;
		if (heir != NULL && !change->several &&
		    (heir->from == NULL || heir == change))
			heir->from = change;
	}
}

int
changes_connect(struct changes *changes)
{
	struct change *change, *end = changes->item + changes->n;
	struct owners owners;
	int result = 0;

	if (find_owners(&owners, changes) == -1)
		return -1;
	find_heirs(&owners, changes);
	free_owners(&owners);
	for (change = changes->item; result == 0 && change < end; change++)
		if (change->made != NULL)
			result = listen_set_follow(
			    generation_listens(change->made),
			    change->from == NULL ? NULL :
			    generation_listens(change->from->old));
	return result;
}

/* Connections of an address that is dropped go to the heir. */
static int
forward(const struct owners *owners, const struct change *change,
    struct loop *loop)
{
	struct listen_set *set = generation_listens(change->old);
	const struct listen_set **heirs;
	const struct change *one;
	int result;

	if (change->heir == NULL || change->heir->from == change)
		return 0;
	if ((heirs = calloc(set->n, sizeof(*heirs))) == NULL)
		return -1;
	for (size_t i = 0; i < set->n; i++) {
		one = owner(owners, set->listeners[i]);
		heirs[i] = generation_listens(one == NULL ?
		    change->heir->made : one->made);
	}
	result = listen_set_forward(set, loop, heirs);
	free(heirs);
	return result;
}

int
changes_forward(struct changes *changes, struct loop *loop)
{
	const struct change *change, *end = changes->item + changes->n;
	struct owners owners;
	int result = 0;

	if (find_owners(&owners, changes) == -1)
		return -1;
	find_heirs(&owners, changes);
	for (change = changes->item; result == 0 && change < end; change++)
		if (change->old != NULL &&
		    (change->made != NULL || change->verb == DIFF_DROP))
			result = forward(&owners, change, loop);
	free_owners(&owners);
	return result;
}

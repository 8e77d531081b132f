#include "master/changes.h"

#include <stdlib.h>
#include <string.h>

#include "master/steer.h"

/* ---- the plan ------------------------------------------------------------ */

/* What is being served, which after a failed replacement is not what the
 * last configuration said.  The copies are shallow: good for comparing. */
static struct conf_pool *
present(const struct pools *pools, size_t *n)
{
	struct conf_pool *copies = calloc(pools_serving(pools) + 1,
	    sizeof(*copies));
	const struct pool *pool;

	*n = 0;
	for (pool = pools->first; copies != NULL && pool != NULL;
	    pool = pool->next)
		if (pools_find(pools, pool->conf->name) == pool)
			copies[(*n)++] = *pool->conf;
	return copies;
}

/* A pool that is out of service stays so. */
static void
add(struct changes *changes, const struct pools *pools,
    const struct diff_step *step, bool all)
{
	struct change *change = &changes->item[changes->n];

	if (step->verb == DIFF_ADD &&
	    steer_parked(pools, step->after->name) != NULL)
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
    const struct conf *conf, bool all)
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

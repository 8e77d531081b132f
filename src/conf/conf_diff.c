#include "conf/conf_diff.h"

#include <stdlib.h>
#include <string.h>

#include "conf/conf_value.h"

/* A pool's first timer: its workers were not asked for an interval when they
 * loaded the application. */
static bool
is_first_timer(const struct conf_key *key, const struct conf_pool *before)
{
	return key->type == KEY_TIMERS && before->timers.n == 0;
}

/* The strongest action that a key with a new value requires. */
static enum diff_verb
compare(const struct conf_pool *before, const struct conf_pool *after)
{
	enum diff_verb verb = DIFF_KEEP;
	const struct conf_key *key;

	for (key = conf_keys; key->name != NULL; key++) {
		if (key->group == GROUP_TOP ||
		    conf_value_same(key, before, after))
			continue;
		if (key->class != CLASS_TUNE || is_first_timer(key, before))
			return DIFF_REPLACE;
		verb = DIFF_TUNE;
	}
	return verb;
}

static struct diff_step
step_for(const struct conf *before, const struct conf_pool *after)
{
	const struct conf_pool *old = conf_find(before, after->name);

	return (struct diff_step){
		old == NULL ? DIFF_ADD : compare(old, after), old, after
	};
}

struct diff_step *
conf_diff(const struct conf *before, const struct conf *after, size_t *n)
{
	struct diff_step *plan;

	*n = 0;
	plan = calloc(before->npools + after->npools, sizeof(*plan));
	if (plan == NULL || before->npools + after->npools == 0) {
		free(plan);
		return NULL;
	}
	for (size_t i = 0; i < after->npools; i++)
		plan[(*n)++] = step_for(before, &after->pools[i]);
	for (size_t i = 0; i < before->npools; i++) {
		const struct conf_pool *old = &before->pools[i];

		if (conf_find(after, old->name) == NULL)
			plan[(*n)++] = (struct diff_step){ DIFF_DROP, old, NULL };
	}
	return plan;
}

const char *
conf_diff_besides(const struct conf *before, const struct conf *after,
    const char *pool)
{
	const struct conf_key *key;
	const struct conf_pool *one;

	for (key = conf_keys; key->name != NULL; key++)
		if (key->group == GROUP_TOP &&
		    !conf_value_same(key, before, after))
			return key->name;
	for (size_t i = 0; i < after->npools; i++) {
		one = &after->pools[i];
		if (strcmp(one->name, pool) != 0 &&
		    step_for(before, one).verb != DIFF_KEEP)
			return one->name;
	}
	for (size_t i = 0; i < before->npools; i++) {
		one = &before->pools[i];
		if (strcmp(one->name, pool) != 0 &&
		    conf_find(after, one->name) == NULL)
			return one->name;
	}
	return NULL;
}

#include "conf/conf_near.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/distance.h"
#include "conf/php_key.h"

#define FAR 1000

struct best {
	enum key_group group; /* of the key; GROUP_COUNT: a group itself */
	const char *name;
	unsigned points; /* the fewer the nearer */
};

/* A long name may have more mistakes than a short one.  In another group only a
 * name that is right counts. */
static void
try(struct best *best, const char *name, enum key_group group,
    const char *other, bool here)
{
	unsigned far = distance(name, other);
	unsigned most = here ? 1 + (unsigned)strlen(other) / 5 : 0;
	unsigned points = 2 * far + !here;

	if (far > most || far >= strlen(name) || points >= best->points)
		return;
	*best = (struct best){ group, other, points };
}

static void
say(const struct best *best, enum key_group group, char out[NEAR_TEXT])
{
	const char *within = "", *place = "";

	if (best->group != GROUP_COUNT && best->group != group) {
		within = conf_group_name(best->group);
		if (best->group == GROUP_TOP)
			place = " at the top, outside of pools";
		else if (group == GROUP_TOP)
			place = " of a pool";
	}
	snprintf(out, NEAR_TEXT, "; did you mean \"%s%s%s\"%s?", within,
	    *within != '\0' ? "." : "", best->name, place);
}

const char *
conf_near(enum key_group group, const char *name, char out[NEAR_TEXT])
{
	struct best best = { .points = FAR };
	const struct php_key *php;
	const struct conf_key *key;

	for (key = conf_keys; key->name != NULL; key++)
		try(&best, name, key->group, key->name, key->group == group);
	for (int g = GROUP_WORKERS; g < GROUP_COUNT && group == GROUP_POOL; g++)
		try(&best, name, GROUP_COUNT,
		    conf_group_name((enum key_group)g), true);
	if (group == GROUP_TOP)
		try(&best, name, GROUP_COUNT, "pools", true);
	if (best.points > 0 && (php = php_key_near(name)) != NULL)
		best = (struct best){ php->group, php->ours, 0 };
	*out = '\0';
	if (best.points < FAR)
		say(&best, group, out);
	return out;
}

#include "conf/conf_near.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/distance.h"

#define FAR 1000

/* Names of php-fpm that are far from ours, without "pm." and the like. */
static const struct {
	const char *theirs;
	enum key_group group;
	const char *ours;
} php[] = {
	{ "pm", GROUP_WORKERS, "mode" },
	{ "max_children", GROUP_WORKERS, "max" },
	{ "start_servers", GROUP_WORKERS, "start" },
	{ "min_spare_servers", GROUP_WORKERS, "min_spare" },
	{ "max_spare_servers", GROUP_WORKERS, "max_spare" },
	{ "max_spawn_rate", GROUP_WORKERS, "spawn_rate" },
	{ "process_idle_timeout", GROUP_WORKERS, "idle_timeout" },
	{ "request_terminate_timeout", GROUP_TIMEOUTS, "request" },
	{ "request_slowlog_timeout", GROUP_TIMEOUTS, "slow" },
	{ "request_slowlog_trace_depth", GROUP_LOGS, "slow_depth" },
	{ "slowlog", GROUP_LOGS, "slow" },
	{ "access_log", GROUP_LOGS, "access" },
	{ "rlimit_files", GROUP_LIMITS, "files" },
	{ "rlimit_core", GROUP_LIMITS, "core" },
	{ "chdir", GROUP_POOL, "directory" },
	{ "env", GROUP_POOL, "environment" },
	{ "clear_env", GROUP_POOL, "clear_environment" },
	{ "process_priority", GROUP_POOL, "priority" },
	{ "pid", GROUP_TOP, "pid_file" },
};

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
	const struct conf_key *key;

	for (key = conf_keys; key->name != NULL; key++)
		try(&best, name, key->group, key->name, key->group == group);
	for (int g = GROUP_WORKERS; g < GROUP_COUNT && group == GROUP_POOL; g++)
		try(&best, name, GROUP_COUNT,
		    conf_group_name((enum key_group)g), true);
	if (group == GROUP_TOP)
		try(&best, name, GROUP_COUNT, "pools", true);
	for (size_t i = 0; i < sizeof(php) / sizeof(php[0]); i++)
		if (strcmp(php[i].theirs, name) == 0)
			best = (struct best){ php[i].group, php[i].ours, 0 };
	*out = '\0';
	if (best.points < FAR)
		say(&best, group, out);
	return out;
}

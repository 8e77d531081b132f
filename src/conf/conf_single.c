#include "conf/conf_single.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "conf/conf_check.h"
#include "conf/conf_file.h"
#include "conf/conf_value.h"

#define PLACE "command line"

static int
set(struct conf_pool *pool, enum key_group group, const char *name,
    const char *text, struct conf_faults *faults)
{
	const struct conf_key *key = conf_key_find(group, name);
	char expects[VALUE_TEXT];

	if (text == NULL || conf_value_set(key, pool, text) == 0)
		return 0;
	conf_fault(faults, PLACE, 0, "%s: expected %s, found \"%.80s\"", name,
	    conf_value_expects(key, expects), text);
	return -1;
}

/* The absolute path of the application: the daemon changes its directory. */
static char *
full_path(const char *app)
{
	char *cwd = conf_file_directory("");
	char *path = cwd != NULL ? conf_file_join(cwd, app) : NULL;

	free(cwd);
	return path;
}

static int
fill(struct conf_pool *pool, const char *app, const char *address,
    int workers, const char *user, struct conf_faults *faults)
{
	char max[NUM_TEXT];
	char *path = *app != '\0' ? full_path(app) : NULL;
	int result;

	snprintf(max, sizeof(max), "%d", workers);
	result = set(pool, GROUP_POOL, "app", path != NULL ? path : app,
	    faults);
	result |= set(pool, GROUP_POOL, "listen", address, faults);
	result |= set(pool, GROUP_POOL, "user", user, faults);
	result |= set(pool, GROUP_POOL, "clear_environment", "false", faults);
	result |= set(pool, GROUP_WORKERS, "mode", "static", faults);
	result |= set(pool, GROUP_WORKERS, "max", max, faults);
	conf_complete(pool);
	free(path);
	return result;
}

/* All defaults, and one pool with its name; NULL if memory ran out. */
static struct conf *
bare(void)
{
	struct conf *conf = calloc(1, sizeof(*conf));
	struct conf_pool *pool = calloc(1, sizeof(*pool));

	if (conf == NULL || pool == NULL) {
		free(conf);
		free(pool);
		return NULL;
	}
	conf->pools = pool;
	conf->npools = 1;
	pool->name = strdup("main");
	pool->file = strdup(PLACE);
	if (pool->name != NULL && pool->file != NULL &&
	    conf_value_defaults(conf) == 0 &&
	    conf_value_pool_defaults(pool) == 0)
		return conf;
	conf_free(conf);
	return NULL;
}

struct conf *
conf_single(const char *app, const char *address, int workers,
    const char *user, struct conf_faults *faults)
{
	const struct conf_origin origin = { 0 };
	struct conf *conf = bare();

	if (conf == NULL) {
		conf_fault(faults, PLACE, 0, "%s", strerror(ENOMEM));
		return NULL;
	}
	if (fill(&conf->pools[0], app, address, workers, user, faults) == 0 &&
	    conf_check(conf, &origin, faults) == 0)
		return conf;
	conf_free(conf);
	return NULL;
}

#include "conf/conf_single.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log_target.h"
#include "base/num.h"
#include "conf/conf_check.h"
#include "conf/conf_file.h"
#include "conf/conf_value.h"

#define PLACE "command line"

const struct single_setting single_settings[SINGLE_SETTINGS] = {
	{ "timeout", "LUA_FPM_TIMEOUT", GROUP_TIMEOUTS, "request" },
	{ "slow", "LUA_FPM_SLOW", GROUP_TIMEOUTS, "slow" },
	{ "memory", "LUA_FPM_MEMORY", GROUP_LIMITS, "memory" },
	{ "max-requests", "LUA_FPM_MAX_REQUESTS", GROUP_WORKERS,
	    "max_requests" },
	{ "error-log", "LUA_FPM_ERROR_LOG", GROUP_TOP, "error_log" },
	{ "interface", "LUA_FPM_INTERFACE", GROUP_POOL, "interface" },
	{ "shared", "LUA_FPM_SHARED", GROUP_POOL, "shared" },
};

/* Set a key from text (NULL: leave it), for which the user wrote `name` on the
 * command line or in the environment. */
static int
set(const struct conf_key *key, void *object, const char *place,
    const char *name, const char *text, struct conf_faults *faults)
{
	char expects[VALUE_TEXT];

	if (text == NULL || conf_value_set(key, object, text) == 0)
		return 0;
	conf_fault(faults, place, 0, "%s: expected %s, found \"%.80s\"", name,
	    conf_value_expects(key, expects), text);
	return -1;
}

static int
set_own(struct conf_pool *pool, enum key_group group, const char *name,
    const char *text, struct conf_faults *faults)
{
	return set(conf_key_find(group, name), pool, PLACE, name, text,
	    faults);
}

/* The absolute path of a file: the daemon changes its directory. */
static char *
full_path(const char *file)
{
	char *cwd = conf_file_directory("");
	char *path = cwd != NULL ? conf_file_join(cwd, file) : NULL;

	free(cwd);
	return path;
}

/* The option wins over the variable. */
static int
set_setting(struct conf *conf, const struct single_setting *setting,
    const char *given, struct conf_faults *faults)
{
	const struct conf_key *key = conf_key_find(setting->group,
	    setting->key);
	void *object = setting->group == GROUP_TOP ? (void *)conf : conf->pools;
	char option[32];

	if (given == NULL)
		return set(key, object, "environment", setting->variable,
		    getenv(setting->variable), faults);
	snprintf(option, sizeof(option), "--%s", setting->option);
	return set(key, object, PLACE, option, given, faults);
}

static void
complete_error_log(struct conf *conf)
{
	const char *file = log_target_path(conf->error_log);
	char *path = file != NULL ? full_path(file) : NULL;

	if (path == NULL)
		return;
	free(conf->error_log);
	conf->error_log = path;
}

static int
fill(struct conf *conf, const struct conf_single *single,
    struct conf_faults *faults)
{
	struct conf_pool *pool = conf->pools;
	const char *app = single->app;
	char max[NUM_TEXT];
	char *path = *app != '\0' ? full_path(app) : NULL;
	bool rooted;
	int result = 0;

	snprintf(max, sizeof(max), "%d", single->workers);
	for (int i = 0; i < SINGLE_SETTINGS; i++)
		result |= set_setting(conf, &single_settings[i],
		    single->set[i], faults);
	rooted = conf_has_root((enum conf_interface)pool->interface);
	result |= set_own(pool, GROUP_POOL, rooted ? "root" : "app",
	    path != NULL ? path : app, faults);
	result |= set_own(pool, GROUP_POOL, "listen", single->address, faults);
	result |= set_own(pool, GROUP_POOL, "user", single->user, faults);
	result |= set_own(pool, GROUP_POOL, "clear_environment", "false",
	    faults);
	result |= set_own(pool, GROUP_POOL, "develop",
	    single->develop ? "true" : "false", faults);
	result |= set_own(pool, GROUP_WORKERS, "mode", "static", faults);
	result |= set_own(pool, GROUP_WORKERS, "max", max, faults);
	complete_error_log(conf);
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
conf_single(const struct conf_single *single, struct conf_faults *faults)
{
	const struct conf_origin origin = { 0 };
	struct conf *conf = bare();

	if (conf == NULL) {
		conf_fault(faults, PLACE, 0, "%s", strerror(ENOMEM));
		return NULL;
	}
	if (fill(conf, single, faults) == 0 &&
	    conf_check(conf, &origin, faults) == 0)
		return conf;
	conf_free(conf);
	return NULL;
}

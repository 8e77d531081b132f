#include "conf/conf_read.h"

#include <errno.h>
#include <libconfig.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/num.h"
#include "conf/conf_check.h"
#include "conf/conf_file.h"
#include "conf/conf_scan.h"
#include "conf/conf_setting.h"
#include "conf/conf_value.h"

struct reader {
	struct conf *conf;
	struct conf_origin top;	     /* of the keys outside every pool */
	struct conf_origin *origins; /* one for every pool of conf */
	struct conf_faults *faults;
	const char *file; /* being read, as faults name it */
	char *base;	  /* its directory, absolute */
	bool included;
	bool failed;
};

struct target { /* what a group of settings is read into */
	void *object;		    /* struct conf or struct conf_pool */
	struct conf_origin *origin;
	const char *pool;	    /* its name, NULL at the top */
};

/* ---- faults ------------------------------------------------------------- */

static void __attribute__((format(printf, 3, 4)))
fault(struct reader *r, int line, const char *fmt, ...)
{
	char text[320];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r->failed = true;
	conf_fault(r->faults, r->file, line, "%s", text);
}

static void
fault_memory(struct reader *r)
{
	fault(r, 0, "%s", strerror(ENOMEM));
}

/* "pool www: workers.max", whatever of it there is; for faults. */
static const char *
full_name(const struct target *target, enum key_group group, const char *name,
    char out[128])
{
	const char *within = conf_group_name(group);
	const char *pool = target->pool;

	snprintf(out, 128, "%s%.32s%s%s%s%.48s", pool != NULL ? "pool " : "",
	    pool != NULL ? pool : "", pool != NULL ? ": " : "", within,
	    *within != '\0' ? "." : "", name);
	return out;
}

/* ---- one setting -------------------------------------------------------- */

static int
fault_value(struct reader *r, const struct target *target,
    const struct conf_key *key, const config_setting_t *setting)
{
	char name[128], expects[VALUE_TEXT], found[SETTING_TEXT];

	fault(r, (int)config_setting_source_line(setting),
	    "%s: expected %s, found %s",
	    full_name(target, key->group, key->name, name),
	    conf_value_expects(key, expects), conf_setting_found(setting, found));
	return -1;
}

static int
read_value(struct reader *r, const struct target *target,
    const struct conf_key *key, const config_setting_t *setting)
{
	char scratch[NUM_TEXT];

	if (!conf_setting_fits(key->type, setting))
		return fault_value(r, target, key, setting);
	if (conf_value_set(key, target->object,
	    conf_setting_text(setting, scratch)) == 0)
		return 0;
	if (errno != ENOMEM)
		return fault_value(r, target, key, setting);
	fault_memory(r);
	return -1;
}

static int
read_list(struct reader *r, const struct target *target,
    const struct conf_key *key, const config_setting_t *setting)
{
	int n = config_setting_length(setting), result = 0;

	if (n == 0 && key->min > 0)
		return fault_value(r, target, key, setting);
	for (int i = 0; i < n; i++) {
		if (read_value(r, target, key,
		    config_setting_get_elem(setting, i)) == -1)
			result = -1;
	}
	return result;
}

static int
read_variable(struct reader *r, const struct target *target,
    const struct conf_key *key, const config_setting_t *setting)
{
	const char *name = config_setting_name(setting);
	const char *value = config_setting_get_string(setting);
	char within[128], found[SETTING_TEXT], *text = NULL;
	int result = -1;

	full_name(target, key->group, key->name, within);
	if (value == NULL)
		fault(r, (int)config_setting_source_line(setting),
		    "%s.%.64s: expected a string, found %s", within, name,
		    conf_setting_found(setting, found));
	else if (asprintf(&text, "%s=%s", name, value) == -1)
		fault_memory(r);
	else if ((result = conf_value_set(key, target->object, text)) == -1)
		fault(r, (int)config_setting_source_line(setting),
		    "%s.%.64s: no name of a variable: letters, digits and "
		    "'_'", within, name);
	free(text);
	return result;
}

static int
read_variables(struct reader *r, const struct target *target,
    const struct conf_key *key, const config_setting_t *setting)
{
	int result = 0;

	if (!config_setting_is_group(setting))
		return fault_value(r, target, key, setting);
	for (int i = 0; i < config_setting_length(setting); i++) {
		if (read_variable(r, target, key,
		    config_setting_get_elem(setting, (unsigned)i)) == -1)
			result = -1;
	}
	return result;
}

static void
read_key(struct reader *r, const struct target *target,
    const struct conf_key *key, const config_setting_t *setting)
{
	int line = (int)config_setting_source_line(setting);
	bool many = key->type == KEY_STRINGS &&
	    (config_setting_is_list(setting) || config_setting_is_array(setting));
	int result;

	conf_value_clear(key, target->object);
	if (key->type == KEY_VARIABLES)
		result = read_variables(r, target, key, setting);
	else
		result = (many ? read_list : read_value)(r, target, key,
		    setting);
	target->origin->line[key - conf_keys] = result == 0 ? line : -line;
}

/* ---- groups ------------------------------------------------------------- */

static void
fault_unknown(struct reader *r, const struct target *target,
    enum key_group group, const config_setting_t *setting)
{
	char name[128];

	fault(r, (int)config_setting_source_line(setting), "%s: unknown key",
	    full_name(target, group, config_setting_name(setting), name));
}

static bool
check_group_type(struct reader *r, const struct target *target,
    const config_setting_t *setting)
{
	char name[128], found[SETTING_TEXT];

	if (config_setting_is_group(setting))
		return true;
	fault(r, (int)config_setting_source_line(setting),
	    "%s: expected a group in braces, found %s",
	    full_name(target, GROUP_TOP, config_setting_name(setting), name),
	    conf_setting_found(setting, found));
	return false;
}

static void
read_group(struct reader *r, const struct target *target, enum key_group group,
    const config_setting_t *setting)
{
	for (int i = 0; i < config_setting_length(setting); i++) {
		const config_setting_t *child =
		    config_setting_get_elem(setting, (unsigned)i);
		const char *name = config_setting_name(child);
		const struct conf_key *key = conf_key_find(group, name);
		int inner = group == GROUP_POOL ? conf_group_find(name) : -1;

		if (key != NULL)
			read_key(r, target, key, child);
		else if (inner == -1)
			fault_unknown(r, target, group, child);
		else if (check_group_type(r, target, child))
			read_group(r, target, (enum key_group)inner, child);
	}
}

/* ---- pools -------------------------------------------------------------- */

/* A new pool at the end of the configuration, its defaults set, or NULL. */
static struct conf_pool *
pool_new(struct reader *r, const char *name, int line)
{
	size_t n = r->conf->npools;
	struct conf_pool *pools =
	    reallocarray(r->conf->pools, n + 1, sizeof(*pools));
	struct conf_origin *origins =
	    reallocarray(r->origins, n + 1, sizeof(*origins));

	if (pools != NULL)
		r->conf->pools = pools;
	if (origins != NULL)
		r->origins = origins;
	if (pools == NULL || origins == NULL)
		return NULL;
	origins[n] = (struct conf_origin){ 0 };
	pools[n] = (struct conf_pool){ .line = line };
	pools[n].name = strdup(name);
	pools[n].file = strdup(r->file);
	r->conf->npools++; /* from here on conf_free gives it back */
	if (pools[n].name == NULL || pools[n].file == NULL ||
	    conf_value_pool_defaults(&pools[n]) == -1)
		return NULL;
	return &pools[n];
}

static void
resolve_app(struct reader *r, struct conf_pool *pool)
{
	const char *base = pool->chroot != NULL ? "" : r->base;
	char *path;

	if (pool->app == NULL)
		return;
	if ((path = conf_file_join(base, pool->app)) == NULL) {
		fault_memory(r);
		return;
	}
	free(pool->app);
	pool->app = path;
}

static void
read_pool(struct reader *r, const config_setting_t *setting)
{
	const char *name = config_setting_name(setting);
	struct conf_pool *pool =
	    pool_new(r, name, (int)config_setting_source_line(setting));
	struct target target = { .object = pool, .pool = name };

	if (pool == NULL) {
		fault_memory(r);
		return;
	}
	target.origin = &r->origins[r->conf->npools - 1];
	read_group(r, &target, GROUP_POOL, setting);
	resolve_app(r, pool);
	conf_complete(pool);
}

static void
read_pools(struct reader *r, const config_setting_t *setting)
{
	const struct target top = { .object = r->conf, .origin = &r->top };

	if (!check_group_type(r, &top, setting))
		return;
	for (int i = 0; i < config_setting_length(setting); i++) {
		const config_setting_t *pool =
		    config_setting_get_elem(setting, (unsigned)i);

		if (check_group_type(r, &top, pool))
			read_pool(r, pool);
	}
}

/* ---- files -------------------------------------------------------------- */

static void
read_top(struct reader *r, const config_setting_t *root)
{
	const struct target top = { .object = r->conf, .origin = &r->top };

	for (int i = 0; i < config_setting_length(root); i++) {
		const config_setting_t *setting =
		    config_setting_get_elem(root, (unsigned)i);
		const char *name = config_setting_name(setting);
		const struct conf_key *key = conf_key_find(GROUP_TOP, name);

		if (strcmp(name, "pools") == 0)
			read_pools(r, setting);
		else if (key == NULL)
			fault_unknown(r, &top, GROUP_TOP, setting);
		else if (r->included)
			fault(r, (int)config_setting_source_line(setting),
			    "%s: an included file may hold nothing but pools",
			    name);
		else
			read_key(r, &top, key, setting);
	}
}

static void
read_text(struct reader *r, struct buf *text)
{
	config_t config;
	struct why why;
	const char *string = buf_string(text);

	if (string == NULL) {
		fault_memory(r);
		return;
	}
	if (conf_scan(string, text->len, &why) == -1) {
		fault(r, why.line, "%s", why.text);
		return;
	}
	config_init(&config);
	if (config_read_string(&config, string) == CONFIG_TRUE)
		read_top(r, config_root_setting(&config));
	else
		fault(r, config_error_line(&config), "%s",
		    config_error_text(&config));
	config_destroy(&config);
}

static void
read_file(struct reader *r, const char *file)
{
	struct buf text = { 0 };

	r->file = file;
	free(r->base);
	if ((r->base = conf_file_directory(file)) == NULL)
		fault(r, 0, "%s", strerror(errno));
	else if (conf_file_load(file, &text) == -1)
		fault(r, 0, "cannot be read: %s", strerror(errno));
	else
		read_text(r, &text);
	buf_free(&text);
}

static int
top_line(const struct reader *r, const char *name)
{
	return r->top.line[conf_key_find(GROUP_TOP, name) - conf_keys];
}

static void
read_included(struct reader *r, const char *main_file)
{
	const char *pattern = r->conf->include;
	struct conf_list files = { 0 };

	if (pattern == NULL)
		return;
	if (conf_file_expand(r->base, pattern, &files) == -1)
		fault(r, top_line(r, "include"), "include: %s: %s", pattern, strerror(errno));
	r->included = true;
	for (size_t i = 0; i < files.n; i++)
		read_file(r, files.item[i]);
	r->file = main_file;
	conf_list_free(&files);
	/* What it named is here now: read again, a dump must not include. */
	free(r->conf->include);
	r->conf->include = NULL;
}

/* ---- the whole ---------------------------------------------------------- */

static void
read_all(struct reader *r, const char *file)
{
	if (conf_value_defaults(r->conf) == -1) {
		fault_memory(r);
		return;
	}
	read_file(r, file);
	read_included(r, file);
	if (r->conf->npools == 0 && !r->failed)
		fault(r, 0, "there is no pool");
	if (conf_check(r->conf, r->origins, r->faults) == -1 ||
	    conf_check_control(r->conf, file, top_line(r, "control"),
		r->faults) == -1)
		r->failed = true;
	if (!r->failed && conf_check_total(r->conf, file,
		top_line(r, "process_max"), r->faults) == -1)
		r->failed = true;
}

struct conf *
conf_read(const char *file, struct conf_faults *faults)
{
	struct conf *conf = calloc(1, sizeof(*conf));
	struct reader r = { .conf = conf, .faults = faults, .file = file };

	if (conf == NULL)
		fault_memory(&r);
	else
		read_all(&r, file);
	free(r.origins);
	free(r.base);
	if (!r.failed)
		return conf;
	conf_free(conf);
	return NULL;
}

struct conf *
conf_recall(const char *dump, size_t n)
{
	struct conf *conf = calloc(1, sizeof(*conf));
	struct conf_faults none = { 0 };
	struct reader r = { .conf = conf, .faults = &none, .file = "a dump" };
	struct buf text = { 0 };

	if (conf != NULL && conf_value_defaults(conf) == 0 &&
	    (r.base = conf_file_directory("")) != NULL &&
	    buf_add(&text, dump, n) == 0)
		read_text(&r, &text);
	buf_free(&text);
	free(r.origins);
	free(r.base);
	conf_faults_free(&none);
	return conf;
}

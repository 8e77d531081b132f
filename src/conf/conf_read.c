#include "conf/conf_read.h"

#include <errno.h>
#include <libconfig.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "conf/conf_check.h"
#include "conf/conf_file.h"
#include "conf/conf_reader.h"
#include "conf/conf_scan.h"
#include "conf/conf_syntax.h"
#include "conf/conf_value.h"

/* ---- pools -------------------------------------------------------------- */

/* Append a pool that has its defaults; NULL if memory ran out. */
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
	r->conf->npools++; /* from here on conf_free frees it */
	if (pools[n].name == NULL || pools[n].file == NULL ||
	    conf_value_pool_defaults(&pools[n]) == -1)
		return NULL;
	return &pools[n];
}

static void
resolve(struct reader *r, const struct conf_pool *pool, char **file)
{
	const char *base = pool->chroot != NULL ? "" : r->base;
	char *path;

	if (*file == NULL)
		return;
	if ((path = conf_file_join(base, *file)) == NULL) {
		reader_fault_memory(r);
		return;
	}
	free(*file);
	*file = path;
}

static void
read_pool(struct reader *r, const config_setting_t *setting)
{
	const char *name = config_setting_name(setting);
	struct conf_pool *pool =
	    pool_new(r, name, (int)config_setting_source_line(setting));
	struct target target = { .object = pool, .pool = name };

	if (pool == NULL) {
		reader_fault_memory(r);
		return;
	}
	target.origin = &r->origins[r->conf->npools - 1];
	reader_group(r, &target, GROUP_POOL, setting);
	resolve(r, pool, &pool->app);
	resolve(r, pool, &pool->root);
	conf_complete(pool);
}

static void
read_pools(struct reader *r, const config_setting_t *setting)
{
	const struct target top = { .object = r->conf, .origin = &r->top };

	if (!reader_is_group(r, &top, setting))
		return;
	for (int i = 0; i < config_setting_length(setting); i++) {
		const config_setting_t *pool =
		    config_setting_get_elem(setting, (unsigned)i);

		if (reader_is_group(r, &top, pool))
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
			reader_fault_unknown(r, &top, GROUP_TOP, setting);
		else if (r->included)
			reader_fault(r, (int)config_setting_source_line(setting),
			    "%s: an included file may hold nothing but pools",
			    name);
		else
			reader_key(r, &top, key, setting);
	}
}

static void
read_text(struct reader *r, struct buf *text)
{
	config_t config;
	struct why why;
	const char *string;

	/* libconfig wants a newline after a comment, at the end too */
	if (buf_putc(text, '\n') == -1 ||
	    (string = buf_string(text)) == NULL) {
		reader_fault_memory(r);
		return;
	}
	if (conf_scan(string, text->len, &why) == -1) {
		reader_fault(r, why.line, "%s", why.text);
		return;
	}
	config_init(&config);
	if (config_read_string(&config, string) == CONFIG_TRUE)
		read_top(r, config_root_setting(&config));
	else if (conf_syntax(string, text->len, &why) == -1)
		reader_fault(r, why.line, "%s", why.text);
	else
		reader_fault(r, config_error_line(&config), "%s",
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
		reader_fault(r, 0, "%s", strerror(errno));
	else if (conf_file_load(file, &text) == -1)
		reader_fault(r, 0, "cannot be read: %s", strerror(errno));
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
	const int line = top_line(r, "include");
	struct conf_list files = { 0 };

	if (pattern == NULL)
		return;
	if (conf_file_expand(r->base, pattern, &files) == -1)
		reader_fault(r, line, "include: %s: %s", pattern,
		    errno == ENOENT ? "the directory is missing" :
		    strerror(errno));
	else if (files.n == 0 && r->conf->npools == 0)
		reader_fault(r, line, "there is no pool: include: no file "
		    "matches %s", pattern);
	else if (files.n == 0)
		conf_fault(&r->conf->notes, main_file, line, "warning: "
		    "include: no file matches %s", pattern);
	r->included = true;
	for (size_t i = 0; i < files.n; i++)
		read_file(r, files.item[i]);
	r->file = main_file;
	conf_list_free(&files);
	/* Its pools are in conf: a dump that includes would read them twice. */
	free(r->conf->include);
	r->conf->include = NULL;
}

/* ---- the whole ---------------------------------------------------------- */

static void
read_all(struct reader *r, const char *file)
{
	if (conf_value_defaults(r->conf) == -1) {
		reader_fault_memory(r);
		return;
	}
	read_file(r, file);
	read_included(r, file);
	if (r->exhausted)
		return;
	if (r->conf->npools == 0 && !r->failed)
		reader_fault(r, 0, "there is no pool");
	conf_index(r->conf);
	if (conf_check(r->conf, r->origins, r->faults) == -1 ||
	    conf_check_control(r->conf, file, top_line(r, "control"),
		r->faults) == -1)
		r->failed = true;
	if (!r->failed && conf_check_total(r->conf, file,
		top_line(r, "process_max"), r->faults) == -1)
		r->failed = true;
	if (r->failed)
		conf_check_apps(r->conf, r->origins, r->faults);
	conf_check_notes(r->conf, r->origins);
}

struct conf *
conf_read(const char *file, struct conf_faults *faults)
{
	struct conf *conf = calloc(1, sizeof(*conf));
	struct reader r = { .conf = conf, .faults = faults, .file = file };

	if (conf == NULL)
		reader_fault_memory(&r);
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
	bool good = conf != NULL && conf_value_defaults(conf) == 0 &&
	    (r.base = conf_file_directory("")) != NULL &&
	    buf_add(&text, dump, n) == 0;

	if (good)
		read_text(&r, &text);
	if (good)
		conf_index(conf);
	buf_free(&text);
	free(r.origins);
	free(r.base);
	conf_faults_free(&none);
	if (good)
		return conf;
	conf_free(conf);
	return NULL;
}

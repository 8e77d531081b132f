#include "conf/conf.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"

/* A copy of a text that may hold any bytes, escaped: a fault is one line on a
 * terminal. */
static char *
shown(const char *text)
{
	size_t n = strlen(text), size = 4 * n + 1; /* \xHH for each byte */
	char *copy = malloc(size);

	if (copy != NULL)
		escape_cut(text, n, copy, size);
	return copy;
}

void
conf_faultv(struct conf_faults *faults, const char *file, int line,
    const char *fmt, va_list ap)
{
	struct conf_fault *grown, *fault;
	char *text;

	grown = reallocarray(faults->item, faults->n + 1, sizeof(*grown));
	if (grown == NULL)
		return;
	faults->item = grown;
	if (vasprintf(&text, fmt, ap) == -1)
		return;
	fault = &grown[faults->n];
	fault->line = line;
	fault->file = shown(file);
	fault->text = shown(text);
	free(text);
	if (fault->file != NULL && fault->text != NULL) {
		faults->n++;
		return;
	}
	free(fault->file);
	free(fault->text);
}

void
conf_fault(struct conf_faults *faults, const char *file, int line,
    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	conf_faultv(faults, file, line, fmt, ap);
	va_end(ap);
}

void
conf_fault_text(const struct conf_fault *fault, char *out, size_t size)
{
	if (fault->line > 0)
		snprintf(out, size, "%s:%d: %s", fault->file, fault->line,
		    fault->text);
	else
		snprintf(out, size, "%s: %s", fault->file, fault->text);
}

void
conf_faults_print(const struct conf_faults *faults, FILE *out)
{
	const struct conf_fault *fault;

	for (fault = faults->item; fault < faults->item + faults->n; fault++) {
		if (fault->line > 0)
			fprintf(out, "%s:%d: %s\n", fault->file, fault->line,
			    fault->text);
		else
			fprintf(out, "%s: %s\n", fault->file, fault->text);
	}
}

void
conf_faults_free(struct conf_faults *faults)
{
	for (size_t i = 0; i < faults->n; i++) {
		free(faults->item[i].file);
		free(faults->item[i].text);
	}
	free(faults->item);
	*faults = (struct conf_faults){ 0 };
}

int
conf_list_add(struct conf_list *list, const char *text)
{
	char **grown = reallocarray(list->item, list->n + 1, sizeof(*grown));

	if (grown == NULL)
		return -1;
	list->item = grown;
	if ((grown[list->n] = strdup(text)) == NULL)
		return -1;
	list->n++;
	return 0;
}

void
conf_list_free(struct conf_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->item[i]);
	free(list->item);
	*list = (struct conf_list){ 0 };
}

int64_t
conf_shared_item(const char *item, size_t *name_len)
{
	*name_len = strcspn(item, "=");
	return item[*name_len] == '=' ? strtoll(item + *name_len + 1, NULL, 10) :
					0;
}

static void
pool_clear(struct conf_pool *pool)
{
	conf_list_free(&pool->listen);
	conf_list_free(&pool->listen_acl_users);
	conf_list_free(&pool->listen_acl_groups);
	conf_list_free(&pool->allowed_clients);
	free(pool->name);
	free(pool->file);
	free(pool->app);
	free(pool->root);
	free(pool->mount);
	free(pool->listen_owner);
	free(pool->listen_group);
	free(pool->user);
	free(pool->group);
	free(pool->chroot);
	free(pool->request_id);
	conf_list_free(&pool->status_listen);
	conf_list_free(&pool->http.proxies);
	conf_list_free(&pool->websocket.origins);
	conf_list_free(&pool->timers);
	free(pool->status_path);
	free(pool->ping_path);
	free(pool->ping_response);
	free(pool->directory);
	conf_list_free(&pool->environment);
	conf_list_free(&pool->shared);
	free(pool->logs.access);
	free(pool->logs.access_format);
	conf_list_free(&pool->logs.access_suppress);
	free(pool->logs.slow);
	free(pool->lua.path);
	free(pool->lua.cpath);
	conf_list_free(&pool->lua.disable);
	conf_list_free(&pool->lua.libraries);
}

void
conf_free(struct conf *conf)
{
	if (conf == NULL)
		return;
	for (size_t i = 0; i < conf->npools; i++)
		pool_clear(&conf->pools[i]);
	free(conf->pools);
	conf_unindex(conf);
	conf_faults_free(&conf->notes);
	free(conf->pid_file);
	free(conf->control);
	free(conf->error_log);
	free(conf->include);
	free(conf);
}

bool
conf_has_root(enum conf_interface interface)
{
	return interface == INTERFACE_FILES || interface == INTERFACE_CGI;
}

const char *
conf_pool_serves(const struct conf_pool *pool)
{
	const char *what = pool->app != NULL ? pool->app : pool->root;

	return what != NULL ? what : "";
}

int64_t
conf_body_limit(const struct conf_pool *pool, enum sock_protocol protocol)
{
	if (pool->limits.body > 0 || protocol == SOCK_FCGI)
		return pool->limits.body;
	return pool->http.max_body;
}

void
conf_index(struct conf *conf)
{
	struct index_entry *entry = calloc(conf->npools + 1, sizeof(*entry));

	conf_unindex(conf);
	conf->entries = entry;
	for (size_t i = 0; entry != NULL && i < conf->npools; i++)
		index_add(&conf->names, &entry[i],
		    index_hash_text(conf->pools[i].name), &conf->pools[i]);
}

void
conf_unindex(struct conf *conf)
{
	index_free(&conf->names);
	free(conf->entries);
	conf->entries = NULL;
}

static const struct conf_pool *
look_through(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->npools; i++) {
		if (strcmp(conf->pools[i].name, name) == 0)
			return &conf->pools[i];
	}
	return NULL;
}

const struct conf_pool *
conf_find(const struct conf *conf, const char *name)
{
	const struct conf_pool *pool;
	const struct index_entry *e;

	if (conf->entries == NULL)
		return look_through(conf, name);
	for (e = index_first(&conf->names, index_hash_text(name)); e != NULL;
	    e = index_next(e))
		if (strcmp((pool = e->of)->name, name) == 0)
			return pool;
	return NULL;
}

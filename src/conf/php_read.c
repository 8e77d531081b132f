#include "conf/php_read.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cidr.h"
#include "base/num.h"
#include "base/why.h"
#include "conf/conf_file.h"
#include "conf/conf_rules.h"
#include "conf/conf_value.h"
#include "conf/php_key.h"
#include "conf/php_line.h"

#define DEEPEST	  4  /* includes within each other */
#define NAME_MOST 32 /* of a pool here */
#define FILES_LEAST  64
#define MEMORY_LEAST ((int64_t)256 * 1024)

struct reader {
	struct php *php;
	struct php_part *part; /* the section being read */
	const char *file;
	int line;
	int depth;
	const struct php_entry *entry; /* being translated */
	struct why *why;
	bool exhausted; /* out of memory */
};

static int
fail(struct reader *r, const char *what)
{
	if (r->line > 0)
		why_set(r->why, "%s:%d: %s", r->file, r->line, what);
	else
		why_set(r->why, "%s: %s", r->file, what);
	return -1;
}

/* ---- notes --------------------------------------------------------------- */

/* Say of the entry what its translation alone does not. */
static void __attribute__((format(printf, 2, 3)))
note(struct reader *r, const char *fmt, ...)
{
	const struct php_entry *e = r->entry;
	struct buf *notes = &r->part->notes;
	va_list ap;

	buf_addf(notes, "%s%s%s%s = %s: ", e->name, e->inner != NULL ? "[" : "",
	    e->inner != NULL ? e->inner : "", e->inner != NULL ? "]" : "",
	    e->value);
	va_start(ap, fmt);
	buf_addv(notes, fmt, ap);
	va_end(ap);
	if (buf_putc(notes, '\n') == -1)
		r->exhausted = true;
}

/* ---- setting ------------------------------------------------------------- */

static struct conf_pool *
pool_of(const struct reader *r)
{
	return &r->php->conf->pools[r->part - r->php->pools];
}

static void *
object_of(const struct reader *r, enum key_group group)
{
	return group == GROUP_TOP ? (void *)r->php->conf : pool_of(r);
}

/* Set the key, or append to its list; a value that it does not accept is
 * noted. */
static void
set(struct reader *r, const struct conf_key *key, const char *text)
{
	char expects[VALUE_TEXT];

	if (conf_value_set(key, object_of(r, key->group), text) == 0)
		r->part->set[key - conf_keys] = true;
	else if (errno == ENOMEM)
		r->exhausted = true;
	else
		note(r, "not taken over: %s%s%s: expected %s",
		    conf_group_name(key->group),
		    key->group > GROUP_POOL ? "." : "", key->name,
		    conf_value_expects(key, expects));
}

static void
set_format(struct reader *r, const struct conf_key *key, const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) == -1)
		text = NULL;
	va_end(ap);
	if (text == NULL)
		r->exhausted = true;
	else
		set(r, key, text);
	free(text);
}

/* What a directive says a second time replaces what it said before. */
static void
forget(struct reader *r, const struct conf_key *key)
{
	conf_value_clear(key, object_of(r, key->group));
	r->part->set[key - conf_keys] = false;
}

static bool
is_among(const char *text, const char *const *words)
{
	for (; *words != NULL; words++) {
		if (strcasecmp(*words, text) == 0)
			return true;
	}
	return false;
}

static void
set_bool(struct reader *r, const struct conf_key *key, const char *text)
{
	static const char *const yes[] = { "1", "yes", "on", "true", NULL };
	static const char *const no[] = { "0", "no", "off", "false", "none", "",
		NULL };

	set(r, key, is_among(text, yes) ? "true" :
	    is_among(text, no) ? "false" : text);
}

static void
set_path(struct reader *r, const struct conf_key *key, const char *text)
{
	if (*text == '/')
		set(r, key, text);
	else if (r->part->prefix != NULL)
		set_format(r, key, "%s/%s", r->part->prefix, text);
	else
		note(r, "not taken over: it is below the prefix that php-fpm "
		    "was built with, and a full path is needed");
}

static void
set_log(struct reader *r, const struct conf_key *key, const char *text)
{
	static const char *const words[] = { "/dev/stderr", "/proc/self/fd/2",
		"stderr", NULL };

	if (strcmp(text, "syslog") == 0)
		set(r, key, text);
	else if (is_among(text, words))
		set(r, key, "stderr");
	else
		set_path(r, key, text);
}

static void
set_list(struct reader *r, const struct conf_key *key, const char *text)
{
	bool clients = strcmp(key->name, "allowed_clients") == 0;
	char *copy = strdup(text), *item, *rest = NULL;
	struct cidr cidr;

	if (copy == NULL)
		r->exhausted = true;
	forget(r, key);
	for (item = copy == NULL ? NULL : strtok_r(copy, ",", &rest);
	    item != NULL; item = strtok_r(NULL, ",", &rest)) {
		item = php_line_trim(item);
		if (!clients || cidr_parse(item, &cidr, NULL) == 0)
			set(r, key, item);
		else
			note(r, "not taken over: %s is no address", item);
	}
	free(copy);
}

static void
forget_variable(struct conf_list *list, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < list->n; i++) {
		if (strncmp(list->item[i], name, len) != 0 ||
		    list->item[i][len] != '=')
			continue;
		free(list->item[i]);
		list->item[i] = list->item[--list->n];
		return;
	}
}

/* "NAME" is replaced in php-fpm if a dollar stands before it. */
static void
set_variable(struct reader *r, const struct conf_key *key, const char *text)
{
	const char *name = r->entry->inner != NULL ? r->entry->inner : "";

	forget_variable(&pool_of(r)->environment, name);
	if (*text == '$')
		set_format(r, key, "%s=${%s}", name, text + 1);
	else
		set_format(r, key, "%s=%s", name, text);
}

/* ---- addresses ----------------------------------------------------------- */

static bool
is_numeric(const char *host, size_t len)
{
	char copy[INET6_ADDRSTRLEN + 2] = "";
	unsigned char address[sizeof(struct in6_addr)];

	if (len >= sizeof(copy))
		return false;
	memcpy(copy, host, len);
	return *copy == '[' || strcmp(copy, "*") == 0 ||
	    inet_pton(AF_INET, copy, address) == 1;
}

/* A socket of php-fpm on all of IPv6 takes IPv4 as well, one here does not. */
static void
set_inet(struct reader *r, const struct conf_key *key, const char *text)
{
	const char *colon = strrchr(text, ':');

	if (is_numeric(text, (size_t)(colon - text))) {
		set(r, key, text);
		if (strncmp(text, "[::]:", 5) == 0)
			set_format(r, key, "*%s", colon);
		return;
	}
	set_format(r, key, "127.0.0.1%s", colon);
	note(r, "names are not looked up: this is 127.0.0.1 now");
}

static void
set_address(struct reader *r, const struct conf_key *key, const char *text)
{
	forget(r, key);
	if (*text != '\0' && text[strspn(text, "0123456789")] == '\0') {
		set_format(r, key, "*:%s", text);
		note(r, "every interface, but of IPv4 only; \"[::]:%s\" beside "
		    "it is IPv6", text);
	} else if (*text == '/' || strrchr(text, ':') == NULL) {
		set_path(r, key, text);
	} else {
		set_inet(r, key, text);
	}
}

/* ---- entries ------------------------------------------------------------- */

static void
translate(struct reader *r, const struct php_key *php, const char *text)
{
	const struct conf_key *key = conf_key_find(php->group, php->ours);

	switch (php->kind) {
	case PHP_BOOL:
		set_bool(r, key, text);
		break;
	case PHP_PATH:
		set_path(r, key, text);
		break;
	case PHP_LOG:
		set_log(r, key, text);
		break;
	case PHP_LIST:
		set_list(r, key, text);
		break;
	case PHP_ADDRESS:
		set_address(r, key, text);
		break;
	case PHP_BACKLOG:
		set(r, key, strcmp(text, "-1") == 0 ? "65535" : text);
		break;
	case PHP_VARIABLES:
		set_variable(r, key, text);
		break;
	default:
		set(r, key, text);
	}
	if (php->note != NULL)
		note(r, "%s", php->note);
}

/* Of the settings of PHP one has a counterpart. */
static bool
is_memory(const struct php_entry *entry)
{
	return (strcmp(entry->name, "php_value") == 0 ||
	    strcmp(entry->name, "php_admin_value") == 0) &&
	    entry->inner != NULL && strcmp(entry->inner, "memory_limit") == 0 &&
	    *entry->value != '-';
}

static void
take(struct reader *r, const struct php_entry *entry, const char *value)
{
	const struct php_key *php = php_key_find(r->part->name == NULL,
	    entry->name);

	if (r->part->name != NULL && is_memory(entry))
		set(r, conf_key_find(GROUP_LIMITS, "memory"), value);
	else if (php == NULL)
		note(r, "no directive of php-fpm");
	else if (php->ours == NULL)
		note(r, "%s", php->note);
	else if (*value != '\0' || php->kind == PHP_VARIABLES)
		translate(r, php, value);
	if (strcmp(entry->name, "prefix") == 0 && r->part->prefix == NULL &&
	    *value == '/' && (r->part->prefix = strdup(value)) == NULL)
		r->exhausted = true;
}

/* The value with the pool's name in place of each $pool. */
static char *
with_pool(const char *value, const char *name)
{
	struct buf text = { 0 };
	const char *at;

	for (; (at = strstr(value, "$pool")) != NULL; value = at + 5) {
		buf_add(&text, value, (size_t)(at - value));
		buf_puts(&text, name);
	}
	buf_puts(&text, value);
	return (char *)(uintptr_t)buf_string(&text); /* freed as text.data */
}

/* ---- sections ------------------------------------------------------------ */

/* A name as pools have it here; libconfig knows no dots. */
static char *
our_name(const struct php *php, const char *theirs)
{
	char name[NAME_MOST + 1] = "", *copy;
	size_t n = 0;

	if (!isalpha((unsigned char)*theirs))
		name[n++] = 'p';
	for (; *theirs != '\0' && n < NAME_MOST; theirs++)
		name[n++] = isalnum((unsigned char)*theirs) ||
		    *theirs == '-' ? *theirs : '_';
	copy = strdup(name);
	for (int i = 2; copy != NULL && conf_find(php->conf, copy) != NULL;
	    i++) {
		free(copy);
		if (asprintf(&copy, "%.*s_%d", NAME_MOST - 6, name, i) == -1)
			copy = NULL;
	}
	return copy;
}

static int
add_pool(struct reader *r, const char *name)
{
	struct php *php = r->php;
	size_t n = php->conf->npools;
	struct conf_pool *pools = reallocarray(php->conf->pools, n + 1,
	    sizeof(*pools));
	struct php_part *parts = reallocarray(php->pools, n + 1,
	    sizeof(*parts));

	if (pools != NULL)
		php->conf->pools = pools;
	if (parts != NULL)
		php->pools = parts;
	if (pools == NULL || parts == NULL)
		return fail(r, strerror(ENOMEM));
	pools[n] = (struct conf_pool){ .name = our_name(php, name) };
	parts[n] = (struct php_part){ .name = strdup(name) };
	php->conf->npools++;
	if (pools[n].name == NULL || parts[n].name == NULL)
		return fail(r, strerror(ENOMEM));
	r->part = &parts[n];
	if (strcmp(pools[n].name, name) != 0)
		buf_addf(&r->part->notes, "[%s]: a name here begins with a "
		    "letter and has letters, digits, '_' and '-'\n", name);
	return 0;
}

static int
enter(struct reader *r, const char *name)
{
	r->part = &r->php->global;
	if (strcasecmp(name, "global") == 0)
		return 0;
	for (size_t i = 0; i < r->php->conf->npools; i++) {
		r->part = &r->php->pools[i];
		if (strcmp(r->part->name, name) == 0)
			return 0;
	}
	return add_pool(r, name);
}

/* ---- files --------------------------------------------------------------- */

static int read_file(struct reader *r, const char *file);

static int
include(struct reader *r, const char *pattern)
{
	const ptrdiff_t at = r->part - r->php->pools;
	const bool global = r->part == &r->php->global;
	struct conf_list files = { 0 };
	struct reader inner = *r;
	char *base = conf_file_directory(r->file);
	int result = base == NULL ? -1 :
	    conf_file_expand(base, pattern, &files);

	free(base);
	if (result == -1)
		fail(r, strerror(errno));
	if (result == 0 && ++inner.depth > DEEPEST)
		result = fail(r, "files include each other too deeply");
	for (size_t i = 0; i < files.n && result == 0; i++)
		result = read_file(&inner, files.item[i]);
	r->exhausted = inner.exhausted;
	r->part = global ? &r->php->global : &r->php->pools[at];
	conf_list_free(&files);
	return result;
}

static int
read_entry(struct reader *r, const struct php_entry *entry)
{
	char *value;

	if (strcmp(entry->name, "include") == 0)
		return include(r, entry->value);
	value = r->part->name == NULL ? strdup(entry->value) :
	    with_pool(entry->value, r->part->name);
	r->entry = entry;
	if (value != NULL)
		take(r, entry, value);
	else
		r->exhausted = true;
	free(value);
	return r->exhausted ? fail(r, strerror(ENOMEM)) : 0;
}

static int
read_line(struct reader *r, char *line)
{
	struct php_entry entry;

	switch (php_line_parse(line, &entry)) {
	case PHP_LINE_NONE:
		return 0;
	case PHP_LINE_SECTION:
		return enter(r, entry.name);
	case PHP_LINE_ENTRY:
		return read_entry(r, &entry);
	default:
		return fail(r, "neither [section] nor name = value");
	}
}

/* A file that is included begins outside of all pools, and the pool of the
 * including file goes on after it. */
static int
read_file(struct reader *r, const char *file)
{
	struct buf text = { 0 };
	char *line, *next;
	int result = 0;

	r->file = file;
	r->line = 0;
	r->part = &r->php->global;
	if (conf_file_load(file, &text) == -1)
		result = fail(r, strerror(errno));
	else if (text.len > 0 && memchr(text.data, '\0', text.len) != NULL)
		result = fail(r, "a NUL byte: this is no text");
	line = result == 0 ? (char *)(uintptr_t)buf_string(&text) : NULL;
	for (; line != NULL && result == 0; line = next) {
		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = '\0';
		r->line++;
		result = read_line(r, line);
	}
	buf_free(&text);
	return result;
}

/* ---- what does not go together ------------------------------------------- */

static void __attribute__((format(printf, 5, 6)))
drop(struct php_part *part, enum key_group group, const char *name,
    const char *value, const char *fmt, ...)
{
	const struct conf_key *key = conf_key_find(group, name);
	va_list ap;

	part->set[key - conf_keys] = false;
	buf_addf(&part->notes, "not taken over: %s%s%s%s%s: ",
	    conf_group_name(group), group > GROUP_POOL ? "." : "", name,
	    *value != '\0' ? " = " : "", value);
	va_start(ap, fmt);
	buf_addv(&part->notes, fmt, ap);
	va_end(ap);
	buf_putc(&part->notes, '\n');
}

static void
drop_rule(void *part, enum key_group group, const char *key, const char *text)
{
	drop(part, group, key, "", "%s", text);
}

/* Take back what is right by itself and wrong together with the rest. */
static void
settle(struct php_part *part, const struct conf_pool *pool)
{
	const struct conf_timeouts *t = &pool->timeouts;
	char text[NUM_TEXT];

	conf_rules(pool, drop_rule, part);
	if (pool->status_path != NULL && *pool->status_path != '/')
		drop(part, GROUP_POOL, "status_path", pool->status_path,
		    "it does not begin with '/'");
	if (pool->ping_path != NULL && (*pool->ping_path != '/' ||
	    (pool->status_path != NULL &&
		strcmp(pool->ping_path, pool->status_path) == 0)))
		drop(part, GROUP_POOL, "ping_path", pool->ping_path,
		    "it does not begin with '/', or is status_path");
	if (t->request > 0 && t->slow >= t->request)
		drop(part, GROUP_TIMEOUTS, "slow",
		    num_duration_text(t->slow, text),
		    "it is not below timeouts.request");
	if (pool->limits.files > 0 && pool->limits.files < FILES_LEAST)
		drop(part, GROUP_LIMITS, "files", "", "it is below %d",
		    FILES_LEAST);
	if (pool->limits.memory > 0 && pool->limits.memory < MEMORY_LEAST)
		drop(part, GROUP_LIMITS, "memory", "", "it is below 256K");
	if (pool->group != NULL && pool->user == NULL)
		drop(part, GROUP_POOL, "group", pool->group, "there is no "
		    "user");
}

int
php_read(const char *file, struct php *php, struct why *why)
{
	struct reader r = { .php = php, .why = why, .file = file };

	php->conf = calloc(1, sizeof(*php->conf));
	if (php->conf == NULL)
		return fail(&r, strerror(ENOMEM));
	if (read_file(&r, file) == -1)
		return -1;
	for (size_t i = 0; i < php->conf->npools; i++)
		settle(&php->pools[i], &php->conf->pools[i]);
	return 0;
}

static void
part_free(struct php_part *part)
{
	free(part->name);
	free(part->prefix);
	buf_free(&part->notes);
}

void
php_free(struct php *php)
{
	for (size_t i = 0; php->conf != NULL && i < php->conf->npools; i++)
		part_free(&php->pools[i]);
	part_free(&php->global);
	free(php->pools);
	conf_free(php->conf);
	*php = (struct php){ 0 };
}

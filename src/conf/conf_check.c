#include "conf/conf_check.h"

#include <sys/stat.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cidr.h"
#include "base/num.h"
#include "base/index.h"
#include "base/user.h"
#include "conf/conf_rules.h"
#include "net/ws_handshake.h"

#define NAME_MOST 32
#define FILES_LEAST 64
#define VARIABLE "ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz" \
    "0123456789"
#define SPARE	  3 /* the default of workers.max_spare, if max allows */

struct judge { /* of one pool */
	const struct conf_pool *pool;
	const struct conf_origin *origin;
	struct conf_faults *faults;
	int verdict;
};

void
conf_complete(struct conf_pool *pool)
{
	struct conf_workers *w = &pool->workers;

	/* 0 is out of their range, so it means "not set" */
	if (w->max_spare == 0)
		w->max_spare = num_least(w->max, num_most(w->min_spare, SPARE));
	if (w->start == 0)
		w->start = w->min_spare + (w->max_spare - w->min_spare) / 2;
}

/* ---- faults ------------------------------------------------------------- */

static int
line_of(const struct judge *judge, enum key_group group, const char *name)
{
	return judge->origin->line[conf_key_find(group, name) - conf_keys];
}

static void __attribute__((format(printf, 4, 5)))
blame(struct judge *judge, enum key_group group, const char *name,
    const char *fmt, ...)
{
	int line = name != NULL ? abs(line_of(judge, group, name)) : 0;
	struct buf text = { 0 };
	va_list ap;

	va_start(ap, fmt);
	buf_addv(&text, fmt, ap);
	va_end(ap);
	judge->verdict = -1;
	conf_fault(judge->faults, judge->pool->file,
	    line != 0 ? line : judge->pool->line, "pool %s: %.*s",
	    judge->pool->name, (int)text.len, text.len > 0 ? text.data : "");
	buf_free(&text);
}

/* ---- names, users and groups -------------------------------------------- */

static void
check_name(struct judge *judge)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz" "0123456789_-";
	const char *name = judge->pool->name;
	size_t len = strspn(name, allowed);

	if (len == 0 || len > NAME_MOST || name[len] != '\0')
		blame(judge, GROUP_POOL, NULL, "the name must be 1 to %d "
		    "letters, digits, '_' or '-'", NAME_MOST);
}

static void
check_user(struct judge *judge, const char *key, const char *name)
{
	struct why why;
	uid_t uid;
	gid_t gid;

	if (name != NULL && user_find(name, &uid, &gid, &why) == -1)
		blame(judge, GROUP_POOL, key, "%s: %s", key, why.text);
}

static void
check_group(struct judge *judge, const char *key, const char *name)
{
	struct why why;
	gid_t gid;

	if (name != NULL && user_find_group(name, &gid, &why) == -1)
		blame(judge, GROUP_POOL, key, "%s: %s", key, why.text);
}

static void
check_acl(struct judge *judge)
{
	const struct conf_list *users = &judge->pool->listen_acl_users;
	const struct conf_list *groups = &judge->pool->listen_acl_groups;

	for (size_t i = 0; i < users->n; i++)
		check_user(judge, "listen_acl_users", users->item[i]);
	for (size_t i = 0; i < groups->n; i++)
		check_group(judge, "listen_acl_groups", groups->item[i]);
}

static void
check_identity(struct judge *judge)
{
	const struct conf_pool *pool = judge->pool;

	check_user(judge, "user", pool->user);
	check_group(judge, "group", pool->group);
	check_user(judge, "listen_owner", pool->listen_owner);
	check_group(judge, "listen_group", pool->listen_group);
	check_acl(judge);
	if (pool->group != NULL && pool->user == NULL &&
	    line_of(judge, GROUP_POOL, "user") >= 0)
		blame(judge, GROUP_POOL, "group", "group is set without user");
}

/* ---- processes ----------------------------------------------------------- */

static void
check_absolute(struct judge *judge, const char *key, const char *path)
{
	if (path != NULL && *path != '/')
		blame(judge, GROUP_POOL, key,
		    "%s: \"%s\" does not begin with '/'", key, path);
}

static void
check_process(struct judge *judge)
{
	const struct conf_pool *pool = judge->pool;

	check_absolute(judge, "chroot", pool->chroot);
	check_absolute(judge, "directory", pool->directory);
	check_absolute(judge, "status_path", pool->status_path);
	check_absolute(judge, "ping_path", pool->ping_path);
	if (pool->status_path != NULL && pool->ping_path != NULL &&
	    strcmp(pool->status_path, pool->ping_path) == 0)
		blame(judge, GROUP_POOL, "ping_path",
		    "ping_path is the same as status_path");
	if (pool->limits.files > 0 && pool->limits.files < FILES_LEAST)
		blame(judge, GROUP_LIMITS, "files",
		    "limits.files (%" PRId64 ") is below %d, of which a worker "
		    "needs some itself", pool->limits.files, FILES_LEAST);
}

/* ---- peers --------------------------------------------------------------- */

static void
check_clients(struct judge *judge)
{
	const struct conf_list *list = &judge->pool->allowed_clients;
	struct cidr cidr;
	struct why why;

	for (size_t i = 0; i < list->n; i++) {
		if (cidr_parse(list->item[i], &cidr, &why) == -1)
			blame(judge, GROUP_POOL, "allowed_clients",
			    "allowed_clients: %s", why.text);
	}
}

static void
check_proxies(struct judge *judge)
{
	const struct conf_list *list = &judge->pool->http.proxies;
	struct why why;

	for (size_t i = 0; i < list->n; i++) {
		if (cidr_set_add(NULL, list->item[i], &why) == -1)
			blame(judge, GROUP_HTTP, "proxies", "http.proxies: %s",
			    why.text);
	}
}

static void
check_origins(struct judge *judge)
{
	const struct conf_list *list = &judge->pool->websocket.origins;

	for (size_t i = 0; i < list->n; i++)
		if (!ws_origin_is_valid(list->item[i]))
			blame(judge, GROUP_WEBSOCKET, "origins",
			    "websocket.origins: expected \"same\", \"*\", a "
			    "host, or an origin as \"https://example.com\", "
			    "found \"%s\"", list->item[i]);
}

/* ---- required keys ------------------------------------------------------- */

/* A pool has app or root, as its interface wants. */
static void
check_served(struct judge *judge)
{
	const struct conf_pool *pool = judge->pool;
	bool rooted = conf_has_root((enum conf_interface)pool->interface);
	const char *wanted = rooted ? "root" : "app";
	const char *other = rooted ? "app" : "root";

	if (line_of(judge, GROUP_POOL, "interface") < 0)
		return;
	if ((rooted ? pool->app : pool->root) != NULL)
		blame(judge, GROUP_POOL, other, "%s: interface = \"%s\" "
		    "takes %s", other, conf_interface_name(
		    (enum conf_interface)pool->interface), wanted);
	if ((rooted ? pool->root : pool->app) == NULL &&
	    line_of(judge, GROUP_POOL, wanted) >= 0)
		blame(judge, GROUP_POOL, NULL, "%s is missing", wanted);
}

/* Where there is no application, nothing has an interval. */
static void
check_timers(struct judge *judge)
{
	const struct conf_pool *pool = judge->pool;

	if (pool->timers.n > 0 &&
	    conf_has_root((enum conf_interface)pool->interface))
		blame(judge, GROUP_POOL, "timers", "timers: interface = "
		    "\"%s\" has no interval", conf_interface_name(
		    (enum conf_interface)pool->interface));
}

static void
check_required(struct judge *judge)
{
	check_served(judge);
	check_timers(judge);
	if (judge->pool->listen.n == 0 &&
	    line_of(judge, GROUP_POOL, "listen") == 0)
		blame(judge, GROUP_POOL, NULL, "listen is missing");
}

/* ---- numbers of workers ------------------------------------------------- */

static bool
is_judgeable(const struct judge *judge)
{
	const struct conf_key *key;

	for (key = conf_keys; key->name != NULL; key++) {
		if (key->group == GROUP_WORKERS &&
		    judge->origin->line[key - conf_keys] < 0)
			return false;
	}
	return judge->pool->workers.mode == MODE_DYNAMIC;
}

static bool
check_order(struct judge *judge, const char *name, int64_t value,
    const char *bound, int64_t limit)
{
	if (value <= limit)
		return true;
	blame(judge, GROUP_WORKERS, name, "workers.%s (%" PRId64 ") is above "
	    "workers.%s (%" PRId64 ")", name, value, bound, limit);
	return false;
}

/* min_spare <= start <= max_spare <= max.  All that is set is judged, by the
 * closest bound that holds itself, so that each mistake is told once and none
 * hides another. */
static void
check_workers(struct judge *judge)
{
	const struct conf_workers *w = &judge->pool->workers;
	const char *bound = "max";
	int64_t most = w->max;
	bool good;

	if (!is_judgeable(judge))
		return;
	if (check_order(judge, "max_spare", w->max_spare, "max", w->max) &&
	    w->max_spare < w->max) {
		bound = "max_spare";
		most = w->max_spare;
	}
	good = check_order(judge, "min_spare", w->min_spare, bound, most);
	if (line_of(judge, GROUP_WORKERS, "start") == 0 ||
	    !check_order(judge, "start", w->start, bound, most) || !good)
		return;
	if (w->start < w->min_spare)
		blame(judge, GROUP_WORKERS, "start", "workers.start (%" PRId64
		    ") is below workers.min_spare (%" PRId64 ")", w->start,
		    w->min_spare);
}

static void
check_least(struct judge *judge, enum key_group group, const char *name,
    int64_t value, int64_t least, const char *text)
{
	if (value > 0 && value < least)
		blame(judge, group, name, "%s.%s is neither 0 nor at least %s",
		    conf_group_name(group), name, text);
}

/* Below this hardly any response has a head that is short enough. */
static void
check_head(struct judge *judge)
{
	check_least(judge, GROUP_LIMITS, "response_head",
	    judge->pool->limits.response_head, 1024, "1K");
}

/* A worker exceeds lower limits without serving a request, so that workers
 * would be replaced without end. */
static void
check_recycling(struct judge *judge)
{
	const struct conf_pool *pool = judge->pool;

	check_least(judge, GROUP_WORKERS, "max_age", pool->workers.max_age,
	    1000, "1s");
	check_least(judge, GROUP_LIMITS, "memory", pool->limits.memory,
	    256 * 1024, "256K");
	check_least(judge, GROUP_LIMITS, "rss", pool->limits.rss,
	    8 * 1024 * 1024, "8M");
}

/* Below 100 ms the watchdog is too coarse.  These three statuses are the ones
 * that a web server or a client takes for a timeout. */
static void
check_request(struct judge *judge)
{
	int64_t limit = judge->pool->timeouts.request;
	int64_t status = judge->pool->timeout_status;

	if (limit > 0 && limit < 100)
		blame(judge, GROUP_TIMEOUTS, "request",
		    "timeouts.request is below 100ms");
	if (judge->pool->timeouts.queue > 0 &&
	    judge->pool->timeouts.queue < 100)
		blame(judge, GROUP_TIMEOUTS, "queue",
		    "timeouts.queue is below 100ms");
	if (status != 408 && status != 503 && status != 504)
		blame(judge, GROUP_POOL, "timeout_status",
		    "timeout_status is none of 408, 503 and 504");
}

/* If timeouts.request ends a request first, it is never logged as slow. */
static void
check_slow(struct judge *judge)
{
	const struct conf_timeouts *t = &judge->pool->timeouts;

	if (t->slow == 0)
		return;
	if (t->slow < 100)
		blame(judge, GROUP_TIMEOUTS, "slow",
		    "timeouts.slow is below 100ms");
	if (t->request > 0 && t->slow >= t->request)
		blame(judge, GROUP_TIMEOUTS, "slow", "timeouts.slow is not "
		    "below timeouts.request");
}

/* ---- logs and lua -------------------------------------------------------- */

static void
say(void *arg, enum key_group group, const char *key, const char *text)
{
	blame(arg, group, key, "%s.%s: %s", conf_group_name(group), key, text);
}

/* ---- across pools ------------------------------------------------------- */

/* Where an address stands first. */
struct claim {
	struct index_entry entry;
	const char *address;
	const struct conf_pool *pool;
};

struct claims {
	struct index addresses;
	struct claim *claim; /* has room for all of a configuration */
	size_t n;
};

/* 0, or -1 if memory ran out. */
static int
claims_open(struct claims *claims, const struct conf *conf)
{
	size_t n = 1;

	for (size_t i = 0; i < conf->npools; i++)
		n += conf->pools[i].listen.n;
	*claims = (struct claims){ .claim = calloc(n,
	    sizeof(*claims->claim)) };
	return claims->claim == NULL ? -1 : 0;
}

static void
claims_close(struct claims *claims)
{
	index_free(&claims->addresses);
	free(claims->claim);
}

/* The pool that has the address already; NULL: this one has it now. */
static const struct conf_pool *
claim(struct claims *claims, const char *address, const struct conf_pool *pool)
{
	uint64_t hash = index_hash_text(address);
	struct index_entry *e = index_first(&claims->addresses, hash);
	struct claim *claim;

	for (; e != NULL; e = index_next(e))
		if (strcmp((claim = e->of)->address, address) == 0)
			return claim->pool;
	claim = &claims->claim[claims->n++];
	claim->address = address;
	claim->pool = pool;
	index_add(&claims->addresses, &claim->entry, hash, claim);
	return NULL;
}

static void
check_address(struct judge *judge, struct claims *claims, const char *address)
{
	const struct conf_pool *other = claim(claims, address, judge->pool);

	if (other == judge->pool)
		blame(judge, GROUP_POOL, "listen",
		    "listen: \"%s\" is there twice", address);
	else if (other != NULL)
		blame(judge, GROUP_POOL, "listen", "listen: "
		    "\"%s\" belongs to pool %s already",
		    address, other->name);
}

static void
check_across(struct judge *judge, const struct conf *conf,
    struct claims *claims)
{
	const struct conf_pool *pool = judge->pool;
	const struct conf_pool *first = conf_find(conf, pool->name);

	if (first != pool)
		blame(judge, GROUP_POOL, NULL,
		    "defined already at %s:%d", first->file, first->line);
	for (size_t i = 0; i < pool->listen.n; i++)
		check_address(judge, claims, pool->listen.item[i]);
}

/* A main thread and a watchdog; for CGI programs another process, and one of
 * theirs. */
static int64_t
threads_of_worker(const struct conf_pool *pool)
{
	return pool->interface == INTERFACE_CGI ? 4 : 2;
}

/* The most threads of the pool's workers and other processes during a reload:
 * old and new workers, and old and new processes for status_listen, with a main
 * thread and a watchdog; of the process for timers there is never more than
 * one. */
static int64_t
threads_of_pool(const struct conf_pool *pool)
{
	return 2 * threads_of_worker(pool) * pool->workers.max +
	    2 * 2 * (pool->status_listen.n > 0) + 2 * (pool->timers.n > 0);
}

/* The threads of all pools by user, in which each pool has an element: the
 * first one of a user has the sum. */
struct threads {
	struct index by_uid;
	struct tally {
		struct index_entry entry;
		int64_t n;
	} *tally;
};

static struct tally *
threads_find(const struct threads *threads, uid_t uid)
{
	struct index_entry *e = index_first(&threads->by_uid, uid);

	return e == NULL ? NULL : e->of;
}

/* Users are looked up only if a pool limits its processes.  0, or -1 if memory
 * ran out. */
static int
threads_open(struct threads *threads, const struct conf *conf)
{
	const struct conf_pool *pool = conf->pools;
	const struct conf_pool *end = pool + conf->npools;
	struct tally *tally;
	uid_t uid;
	gid_t gid;

	*threads = (struct threads){ 0 };
	while (pool < end && pool->limits.processes == 0)
		pool++;
	if (pool == end)
		return 0;
	threads->tally = calloc(conf->npools, sizeof(*threads->tally));
	if (threads->tally == NULL)
		return -1;
	for (pool = conf->pools; pool < end; pool++) {
		if (pool->user == NULL ||
		    user_find(pool->user, &uid, &gid, NULL) == -1)
			continue;
		tally = threads_find(threads, uid);
		if (tally == NULL) {
			tally = &threads->tally[pool - conf->pools];
			index_add(&threads->by_uid, &tally->entry, uid, tally);
		}
		tally->n += threads_of_pool(pool);
	}
	return 0;
}

static void
threads_close(struct threads *threads)
{
	index_free(&threads->by_uid);
	free(threads->tally);
}

static void
check_processes(struct judge *judge, const struct threads *threads)
{
	const struct conf_pool *pool = judge->pool;
	const struct tally *tally;
	uid_t uid;
	gid_t gid;

	if (pool->limits.processes == 0 || pool->user == NULL ||
	    user_find(pool->user, &uid, &gid, NULL) == -1)
		return;
	tally = threads_find(threads, uid);
	if (tally != NULL && pool->limits.processes < tally->n)
		blame(judge, GROUP_LIMITS, "processes", "limits.processes "
		    "(%" PRId64 ") is below the %" PRId64 " threads that the "
		    "processes of user %s may have during a reload",
		    pool->limits.processes, tally->n, pool->user);
}

static void
check_pool(struct judge *judge)
{
	check_name(judge);
	check_required(judge);
	check_identity(judge);
	check_workers(judge);
	check_head(judge);
	check_recycling(judge);
	check_process(judge);
	check_request(judge);
	check_slow(judge);
	check_clients(judge);
	check_proxies(judge);
	check_origins(judge);
	conf_rules(judge->pool, say, judge);
}

int
conf_check(const struct conf *conf, const struct conf_origin *origins,
    struct conf_faults *faults)
{
	struct judge judge = { .faults = faults };
	struct threads threads = { .tally = NULL };
	struct claims claims;

	if (claims_open(&claims, conf) == -1 ||
	    threads_open(&threads, conf) == -1) {
		conf_fault(faults, conf->npools > 0 ? conf->pools->file : "",
		    0, "%s", strerror(ENOMEM));
		claims_close(&claims);
		return -1;
	}
	for (size_t i = 0; i < conf->npools; i++) {
		judge.pool = &conf->pools[i];
		judge.origin = &origins[i];
		check_pool(&judge);
		check_across(&judge, conf, &claims);
		check_processes(&judge, &threads);
	}
	claims_close(&claims);
	threads_close(&threads);
	return judge.verdict;
}

/* ---- beside faults ------------------------------------------------------- */

void
conf_check_apps(const struct conf *conf, const struct conf_origin *origins,
    struct conf_faults *faults)
{
	static const struct conf_origin none;
	struct judge judge = { .faults = faults };
	struct stat st;
	char *path;

	for (size_t i = 0; i < conf->npools; i++) {
		const struct conf_pool *pool = &conf->pools[i];
		const char *root = pool->chroot != NULL ? pool->chroot : "";
		const char *served = conf_pool_serves(pool);
		const char *key = pool->app != NULL ? "app" : "root";

		judge.pool = pool;
		judge.origin = origins != NULL ? &origins[i] : &none;

		if (*served == '\0' || (*root != '\0' && *root != '/') ||
		    asprintf(&path, "%s%s", root, served) == -1)
			continue;
		if (stat(path, &st) == -1 &&
		    (errno == ENOENT || errno == ENOTDIR))
			blame(&judge, GROUP_POOL, key, "%s: %s: %s", key,
			    path, strerror(errno));
		free(path);
	}
}

/* True if the value of "NAME=value" looks as if it would be replaced: "$NAME"
 * alone, as in php-fpm, or "${NAME}" in a longer text. */
static bool
has_variable(const char *item)
{
	const char *value = strchr(item, '=') + 1;
	const char *brace = strstr(value, "${");
	size_t n = *value == '$' ? strspn(value + 1, VARIABLE) : 0;

	if (brace == NULL)
		return n > 0 && value[1 + n] == '\0';
	n = strspn(brace + 2, VARIABLE);
	return n > 0 && brace[2 + n] == '}' &&
	    (brace > value || brace[3 + n] != '\0');
}

void
conf_check_notes(struct conf *conf, const struct conf_origin *origins)
{
	const struct conf_key *key = conf_key_find(GROUP_POOL, "environment");

	for (size_t i = 0; i < conf->npools; i++) {
		const struct conf_pool *pool = &conf->pools[i];
		const struct conf_list *list = &pool->environment;

		for (size_t k = 0; k < list->n; k++) {
			if (has_variable(list->item[k]))
				conf_fault(&conf->notes, pool->file,
				    abs(origins[i].line[key - conf_keys]),
				    "warning: pool %s: environment.%.*s is "
				    "taken as it stands: only \"${NAME}\" "
				    "alone is replaced", pool->name,
				    (int)strcspn(list->item[k], "="),
				    list->item[k]);
		}
	}
}

static bool
has_address(const struct conf_list *list, const char *address)
{
	size_t i = 0;

	while (i < list->n && strcmp(list->item[i], address) != 0)
		i++;
	return i < list->n;
}

int
conf_check_control(const struct conf *conf, const char *file, int line,
    struct conf_faults *faults)
{
	const char *path = conf->control;

	if (path == NULL)
		return 0;
	if (path[0] != '/') {
		conf_fault(faults, file, line,
		    "control: \"%s\" does not begin with '/'", path);
		return -1;
	}
	for (size_t i = 0; i < conf->npools; i++) {
		const struct conf_pool *pool = &conf->pools[i];

		if (!has_address(&pool->listen, path) &&
		    !has_address(&pool->status_listen, path))
			continue;
		conf_fault(faults, file, line, "control: pool %s listens "
		    "on \"%s\" already", pool->name, path);
		return -1;
	}
	return 0;
}

static int64_t
workers_at_first(const struct conf_workers *w)
{
	switch (w->mode) {
	case MODE_STATIC:
		return w->max;
	case MODE_DYNAMIC:
		return w->start;
	default:
		return 0;
	}
}

int
conf_check_total(const struct conf *conf, const char *file, int line,
    struct conf_faults *faults)
{
	int64_t n = 0;

	for (size_t i = 0; i < conf->npools; i++)
		n += workers_at_first(&conf->pools[i].workers);
	if (conf->process_max == 0 || n <= conf->process_max)
		return 0;
	conf_fault(faults, file, line, "process_max (%" PRId64 ") is below the "
	    "%" PRId64 " workers that the pools start with",
	    conf->process_max, n);
	return -1;
}

#include "net/sock_check.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/index.h"
#include "net/sock_acl.h"
#include "net/sock_address.h"

struct site { /* an address of a pool */
	struct index_entry entry;
	const struct conf_pool *pool;
	const char *key, *text;
	struct sock_address address;
	bool bad; /* it cannot be parsed, and overlaps with none */
};

struct sites { /* in the order of the configuration */
	struct index by_address;
	struct site *site;
	size_t n;
};

/* A socket that was not passed to this process, as in a test of the
 * configuration, is known by its name alone. */
static uint64_t
hash(const char *text, const struct sock_address *address)
{
	return address->fd >= 0 ? sock_hash(address) :
				  index_hash_text(sock_place(text));
}

static bool
excludes(const struct site *site, const char *text,
    const struct sock_address *address)
{
	return site->address.fd >= 0 ? sock_overlap(&site->address, address) :
	    strcmp(sock_place(site->text), sock_place(text)) == 0;
}

/* The first one that overlaps with that address; NULL: none does. */
static const struct site *
owner(const struct sites *sites, const char *text,
    const struct sock_address *address)
{
	struct index_entry *e = index_first(&sites->by_address, hash(text, address));

	while (e != NULL && !excludes(e->of, text, address))
		e = index_next(e);
	return e == NULL ? NULL : e->of;
}

static void
add(struct sites *sites, const struct conf_pool *pool, const char *key,
    const struct conf_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		struct site *site = &sites->site[sites->n++];

		site->pool = pool;
		site->key = key;
		site->text = list->item[i];
		site->bad = sock_parse(site->text, &site->address, NULL) == -1;
		if (site->bad)
			continue;
		sock_locate(&site->address);
		index_add(&sites->by_address, &site->entry,
		    hash(site->text, &site->address), site);
	}
}

/* 0, or -1 if memory ran out. */
static int
open_sites(struct sites *sites, const struct conf *conf)
{
	const struct conf_pool *pool, *end = conf->pools + conf->npools;
	size_t n = 0;

	for (pool = conf->pools; pool < end; pool++)
		n += pool->listen.n + pool->status_listen.n;
	*sites = (struct sites){ .site = calloc(n + 1, sizeof(*sites->site)) };
	if (sites->site == NULL)
		return -1;
	for (pool = conf->pools; pool < end; pool++) {
		add(sites, pool, "listen", &pool->listen);
		add(sites, pool, "status_listen", &pool->status_listen);
	}
	return 0;
}

static void
close_sites(struct sites *sites)
{
	index_free(&sites->by_address);
	free(sites->site);
}

static void
tell_owner(const struct site *site, const struct site *other,
    struct conf_faults *faults)
{
	const struct conf_pool *pool = site->pool;
	bool both = sock_protocol(other->text) != sock_protocol(site->text);

	if (strcmp(other->text, site->text) == 0)
		conf_fault(faults, pool->file, pool->line,
		    "pool %s: %s %s: belongs to pool %s already", pool->name,
		    site->key, site->text, other->pool->name);
	else
		conf_fault(faults, pool->file, pool->line,
		    "pool %s: %s %s: belongs to pool %s already, as %s%s",
		    pool->name, site->key, site->text, other->pool->name,
		    other->text,
		    both ? ": an address has one protocol" : "");
}

static bool
check_one(const struct sites *sites, const struct site *site,
    struct conf_faults *faults)
{
	struct sock_address address;
	const struct site *other;
	struct why why;

	if (site->bad) {
		sock_parse(site->text, &address, &why);
		conf_fault(faults, site->pool->file, site->pool->line,
		    "pool %s: %s: %s", site->pool->name, site->key, why.text);
		return true;
	}
	other = owner(sites, site->text, &site->address);
	if (other == site)
		return false;
	tell_owner(site, other, faults);
	return true;
}

/* The control socket must not have the address of a pool. */
static bool
check_control(const struct conf *conf, const struct sites *sites,
    struct conf_faults *faults)
{
	const struct conf_pool *last = conf->pools + conf->npools - 1;
	const struct site *other;
	struct sock_address address;
	struct why why;

	if (conf->control == NULL)
		return false;
	if (sock_parse(conf->control, &address, &why) == -1) {
		conf_fault(faults, last->file, 0, "control: %s", why.text);
		return true;
	}
	sock_locate(&address);
	other = owner(sites, conf->control, &address);
	if (other == NULL)
		return false;
	conf_fault(faults, other->pool->file, other->pool->line, "control %s: "
	    "belongs to pool %s already, as %s", conf->control,
	    other->pool->name, other->text);
	return true;
}

static bool
check_acl(const struct conf_pool *pool, const char *key,
    const struct conf_list *list, struct conf_faults *faults)
{
	if (list->n == 0 || sock_acl_known())
		return false;
	conf_fault(faults, pool->file, pool->line, "pool %s: %s: this lua-fpm "
	    "was built without access control lists", pool->name, key);
	return true;
}

bool
sock_check(const struct conf *conf, struct conf_faults *faults)
{
	const struct conf_pool *pool = conf->pools;
	struct sites sites;
	size_t i = 0;
	bool bad;

	if (open_sites(&sites, conf) == -1) {
		conf_fault(faults, pool->file, 0, "%s", strerror(ENOMEM));
		return true;
	}
	bad = check_control(conf, &sites, faults);
	for (; pool < conf->pools + conf->npools; pool++) {
		for (; i < sites.n && sites.site[i].pool == pool; i++)
			bad |= check_one(&sites, &sites.site[i], faults);
		bad |= check_acl(pool, "listen_acl_users",
		    &pool->listen_acl_users, faults);
		bad |= check_acl(pool, "listen_acl_groups",
		    &pool->listen_acl_groups, faults);
	}
	close_sites(&sites);
	return bad;
}

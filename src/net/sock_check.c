#include "net/sock_check.h"

#include <stdint.h>
#include <string.h>

#include "net/sock_acl.h"
#include "net/sock_address.h"

/* The nth address of a pool, counting `listen` first, then `status_listen`, and
 * its key; NULL: there are fewer. */
static const char *
nth(const struct conf_pool *pool, size_t n, const char **key)
{
	bool first = n < pool->listen.n;
	const struct conf_list *list = first ? &pool->listen :
	    &pool->status_listen;

	n -= first ? 0 : pool->listen.n;
	*key = first ? "listen" : "status_listen";
	return n < list->n ? list->item[n] : NULL;
}

/* A socket that was not passed to this process, as in a test of the
 * configuration, is known by its name alone. */
static bool
excludes(const char *as, const char *text, const struct sock_address *address)
{
	struct sock_address other;

	if (sock_parse(as, &other, NULL) == -1)
		return false;
	sock_locate(&other);
	return other.fd >= 0 ? sock_overlap(&other, address) :
			       strcmp(sock_place(as), sock_place(text)) == 0;
}

/* The first pool with an address before the nth of `pool` that overlaps with
 * this one, and how it is written there; NULL: no pool. */
static const struct conf_pool *
owner(const struct conf *conf, const struct conf_pool *pool, size_t n,
    const char *text, const struct sock_address *address, const char **as)
{
	const char *key;

	for (const struct conf_pool *p = conf->pools; p <= pool; p++)
		for (size_t i = 0; (p != pool || i < n) &&
		    (*as = nth(p, i, &key)) != NULL; i++)
			if (excludes(*as, text, address))
				return p;
	return NULL;
}

static void
tell_owner(const struct conf_pool *pool, const char *key, const char *text,
    const struct conf_pool *other, const char *as, struct conf_faults *faults)
{
	bool both = sock_protocol(as) != sock_protocol(text);

	if (strcmp(as, text) == 0)
		conf_fault(faults, pool->file, pool->line,
		    "pool %s: %s %s: belongs to pool %s already", pool->name,
		    key, text, other->name);
	else
		conf_fault(faults, pool->file, pool->line,
		    "pool %s: %s %s: belongs to pool %s already, as %s%s",
		    pool->name, key, text, other->name, as,
		    both ? ": an address has one protocol" : "");
}

static bool
check_one(const struct conf *conf, const struct conf_pool *pool, size_t n,
    const char *key, const char *text, struct conf_faults *faults)
{
	const struct conf_pool *other;
	struct sock_address address;
	struct why why;
	const char *as;

	if (sock_parse(text, &address, &why) == -1) {
		conf_fault(faults, pool->file, pool->line,
		    "pool %s: %s: %s", pool->name, key, why.text);
		return true;
	}
	sock_locate(&address);
	other = owner(conf, pool, n, text, &address, &as);
	if (other == NULL)
		return false;
	tell_owner(pool, key, text, other, as, faults);
	return true;
}

/* The control socket must not have the address of a pool. */
static bool
check_control(const struct conf *conf, struct conf_faults *faults)
{
	const struct conf_pool *last = conf->pools + conf->npools - 1, *pool;
	struct sock_address address;
	struct why why;
	const char *as;

	if (conf->control == NULL)
		return false;
	if (sock_parse(conf->control, &address, &why) == -1) {
		conf_fault(faults, last->file, 0, "control: %s", why.text);
		return true;
	}
	sock_locate(&address);
	pool = owner(conf, last, SIZE_MAX, conf->control, &address, &as);
	if (pool == NULL)
		return false;
	conf_fault(faults, pool->file, pool->line, "control %s: belongs to "
	    "pool %s already, as %s", conf->control, pool->name, as);
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
	bool bad = check_control(conf, faults);

	for (size_t i = 0; i < conf->npools; i++) {
		const struct conf_pool *pool = &conf->pools[i];
		const char *text, *key;

		for (size_t n = 0; (text = nth(pool, n, &key)) != NULL; n++)
			bad = check_one(conf, pool, n, key, text, faults) ||
			    bad;
		bad = check_acl(pool, "listen_acl_users",
		    &pool->listen_acl_users, faults) || bad;
		bad = check_acl(pool, "listen_acl_groups",
		    &pool->listen_acl_groups, faults) || bad;
	}
	return bad;
}

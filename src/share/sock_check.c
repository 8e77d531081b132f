#include "share/sock_check.h"

#include <string.h>

#include "share/sock_acl.h"
#include "share/sock_address.h"

/* The nth address of a pool, those of status_listen after those of listen;
 * NULL: it has no more.  And the key. */
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

/* The first pool that has this address before the nth of `pool`; NULL. */
static const struct conf_pool *
owner(const struct conf *conf, const struct conf_pool *pool, size_t n,
    const struct sock_address *address)
{
	struct sock_address other;
	const char *text, *key;

	for (const struct conf_pool *p = conf->pools; p <= pool; p++)
		for (size_t i = 0; (p != pool || i < n) &&
		    (text = nth(p, i, &key)) != NULL; i++)
			if (sock_parse(text, &other, NULL) == 0 &&
			    other.fd >= 0 && sock_same(&other, address))
				return p;
	return NULL;
}

static bool
check_one(const struct conf *conf, const struct conf_pool *pool, size_t n,
    const char *key, const char *text, struct conf_faults *faults)
{
	const struct conf_pool *other;
	struct sock_address address;
	struct why why;

	if (sock_parse(text, &address, &why) == -1) {
		conf_fault(faults, pool->file, pool->line,
		    "pool %s: %s: %s", pool->name, key, why.text);
		return true;
	}
	other = owner(conf, pool, n, &address);
	if (other == NULL)
		return false;
	conf_fault(faults, pool->file, pool->line,
	    "pool %s: %s %s: belongs to pool %s already", pool->name, key,
	    text, other->name);
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
	bool bad = false;

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

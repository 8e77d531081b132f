#include "share/sock_check.h"

#include <string.h>

#include "share/sock_acl.h"
#include "share/sock_address.h"

/* The first pool that has this address before the nth of `pool`; NULL. */
static const struct conf_pool *
owner(const struct conf *conf, const struct conf_pool *pool, size_t n,
    const struct sock_address *address)
{
	struct sock_address other;

	for (const struct conf_pool *p = conf->pools; p <= pool; p++)
		for (size_t i = 0; i < (p == pool ? n : p->listen.n); i++)
			if (sock_parse(p->listen.item[i], &other, NULL) == 0 &&
			    other.fd >= 0 && sock_same(&other, address))
				return p;
	return NULL;
}

static bool
check_one(const struct conf *conf, const struct conf_pool *pool, size_t n,
    struct conf_faults *faults)
{
	const char *text = pool->listen.item[n];
	const struct conf_pool *other;
	struct sock_address address;
	struct why why;

	if (sock_parse(text, &address, &why) == -1) {
		conf_fault(faults, pool->file, pool->line,
		    "pool %s: listen: %s", pool->name, why.text);
		return true;
	}
	other = owner(conf, pool, n, &address);
	if (other == NULL)
		return false;
	conf_fault(faults, pool->file, pool->line,
	    "pool %s: listen %s: belongs to pool %s already", pool->name, text,
	    other->name);
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

		for (size_t n = 0; n < pool->listen.n; n++)
			bad = check_one(conf, pool, n, faults) || bad;
		bad = check_acl(pool, "listen_acl_users",
		    &pool->listen_acl_users, faults) || bad;
		bad = check_acl(pool, "listen_acl_groups",
		    &pool->listen_acl_groups, faults) || bad;
	}
	return bad;
}

#ifndef CONF_CONF_RULES_H
#define CONF_CONF_RULES_H

/*
 * The rules of the groups logs and lua: what a value must be that its row in
 * the table of keys cannot say, though no other key matters.  Pure.
 */

#include "conf/conf.h"
#include "conf/conf_key.h"

/* Judge a pool; say is called with what is wrong of a key, for each fault. */
void conf_rules(const struct conf_pool *pool,
    void (*say)(void *arg, enum key_group group, const char *key,
	const char *text), void *arg);

#endif

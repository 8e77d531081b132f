#ifndef CONF_CONF_RULES_H
#define CONF_CONF_RULES_H

/*
 * Rules for single values in the groups logs and lua that a row in the table of
 * keys cannot express.  Pure.
 */

#include "conf/conf.h"
#include "conf/conf_key.h"

/* Check a pool: call `say` for each fault, with the key and what is wrong. */
void conf_rules(const struct conf_pool *pool,
    void (*say)(void *arg, enum key_group group, const char *key,
	const char *text), void *arg);

#endif

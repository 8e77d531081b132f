#ifndef CONF_CONF_VALUE_H
#define CONF_CONF_VALUE_H

/*
 * The value of one key in its structure: set from text, compared, and
 * written as text again, all by the key's row in the table (conf_key.h).
 * Pure but for stdio; independent of libconfig.
 */

#include <stdbool.h>
#include <stdio.h>

#include "conf/conf_key.h"

#define VALUE_TEXT 160

/*
 * Set the key in its struct conf or struct conf_pool from text; append it as
 * an item if the value is a list.  0, or -1 with errno ENOMEM, EINVAL or
 * ERANGE, and the value is unchanged.
 */
int conf_value_set(const struct conf_key *key, void *object, const char *text);

/* Empty a list of strings, so that the items set next replace its default.  No
 * effect on other values. */
void conf_value_clear(const struct conf_key *key, void *object);

/* Set every key outside pools, or of a pool, that has a default.  0, or -1 with
 * ENOMEM. */
int conf_value_defaults(struct conf *conf);
int conf_value_pool_defaults(struct conf_pool *pool);

/* The values a key accepts, for faults: "an integer from 1 to 65535".  Returns
 * out. */
const char *conf_value_expects(const struct conf_key *key, char out[VALUE_TEXT]);

/* True if the key has the same value in two objects. */
bool conf_value_same(const struct conf_key *key, const void *a, const void *b);

/* Print the value in libconfig syntax. */
void conf_value_print(const struct conf_key *key, const void *object, FILE *out);

#endif

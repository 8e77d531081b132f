#ifndef CONF_CONF_VALUE_H
#define CONF_CONF_VALUE_H

/*
 * The value of one key in its structure: set from text, compared, and
 * written as text again, all by the key's row in the table (conf_key.h).
 * Pure but for stdio; knows neither libconfig nor any rule across keys.
 */

#include <stdbool.h>
#include <stdio.h>

#include "conf/conf_key.h"

#define VALUE_TEXT 128

/*
 * Set the key in its struct conf or struct conf_pool from text; to a list one
 * item is added.  0, or -1 with errno ENOMEM, EINVAL or ERANGE, and the value
 * stays as it was.
 */
int conf_value_set(const struct conf_key *key, void *object, const char *text);

/* Empty a list, so that what is set next replaces its default.  Other values
 * stay. */
void conf_value_clear(const struct conf_key *key, void *object);

/* Set every key of the object that has a default.  0, or -1 with ENOMEM. */
int conf_value_defaults(struct conf *conf);
int conf_value_pool_defaults(struct conf_pool *pool);

/* What may be written there: "an integer from 1 to 65535".  Returns out. */
const char *conf_value_expects(const struct conf_key *key, char out[VALUE_TEXT]);

/* Have two objects the same value? */
bool conf_value_same(const struct conf_key *key, const void *a, const void *b);

/* Write the value in libconfig syntax. */
void conf_value_print(const struct conf_key *key, const void *object, FILE *out);

#endif

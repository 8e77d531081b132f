#ifndef CONF_CONF_NEAR_H
#define CONF_CONF_NEAR_H

/*
 * The key that was meant by a name that is none: a misspelt one, one of
 * another group, one that php-fpm has.  Pure.
 */

#include "conf/conf_key.h"

#define NEAR_TEXT 128

/* "; did you mean "listen_owner"?" for a name in that group, or "".  Returns
 * out. */
const char *conf_near(enum key_group group, const char *name,
    char out[NEAR_TEXT]);

#endif

#ifndef CONF_PHP_READ_H
#define CONF_PHP_READ_H

/*
 * The configuration of php-fpm as one of ours: of each directive either the key
 * is set, or a comment says why there is none.  Files that it includes are read
 * too.  Runs in lua-fpm --from-php-fpm.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "base/why.h"
#include "conf/conf_key.h"

struct php_part { /* the section [global], or a pool */
	char *name;	     /* in php-fpm; NULL: [global] */
	char *prefix;	     /* of its paths; NULL: none */
	bool set[KEY_COUNT]; /* the keys that have a value, by conf_keys */
	struct buf notes;    /* lines */
};

struct php {
	struct conf *conf; /* holds those keys that are set, and no defaults */
	struct php_part global;
	struct php_part *pools; /* as many as conf has, in its order */
};

/* Fill php, all zero, from a file.  0, or -1 and why.  The caller calls
 * php_free in either case. */
int php_read(const char *file, struct php *php, struct why *why);
void php_free(struct php *php);

#endif

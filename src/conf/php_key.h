#ifndef CONF_PHP_KEY_H
#define CONF_PHP_KEY_H

/*
 * The directives of php-fpm and their counterparts here, as the table in
 * lua-fpm.conf(5) says.  Pure.
 */

#include <stdbool.h>

#include "conf/conf_key.h"

enum php_kind { /* how a value is translated */
	PHP_SAME,
	PHP_BOOL,
	PHP_PATH,      /* of a file, below the prefix */
	PHP_LOG,       /* as PHP_PATH, or a word */
	PHP_LIST,      /* items with commas between them */
	PHP_ADDRESS,
	PHP_BACKLOG,   /* -1 means no limit */
	PHP_VARIABLES, /* env[NAME] */
};

struct php_key {
	bool global; /* of the section [global]; otherwise of a pool */
	const char *theirs; /* without what stands in brackets */
	enum php_kind kind;
	enum key_group group;
	const char *ours; /* NULL: there is no counterpart */
	const char *note; /* what to do instead or to know; NULL: nothing */
};

/* The directive of that name, or NULL. */
const struct php_key *php_key_find(bool global, const char *name);

/* The directive of a pool or of [global] with a counterpart that may be meant
 * by a key such as max_children or pm_max_children; NULL: none. */
const struct php_key *php_key_near(const char *name);

#endif

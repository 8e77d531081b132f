#ifndef CONF_CONF_KEY_H
#define CONF_CONF_KEY_H

/*
 * The table of keys: one row has all that reading, defaults, dump and reload
 * need to know of a key of lua-fpm.conf(5) (conf_value.h).  Rules across keys
 * are in conf_check.h.  Pure; independent of libconfig.
 */

#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"

enum key_group {
	GROUP_TOP, /* members of struct conf; all others of struct conf_pool */
	GROUP_POOL,
	GROUP_WORKERS,
	GROUP_TIMEOUTS,
	GROUP_LIMITS,
	GROUP_LOGS,
	GROUP_LUA,
	GROUP_HTTP,
	GROUP_WEBSOCKET,
	GROUP_COUNT
};

enum key_type { /* the member of the structure is */
	KEY_STRING,   /* char *, NULL for the empty string */
	KEY_STRINGS,  /* struct conf_list */
	KEY_VARIABLES, /* struct conf_list of "NAME=value" */
	KEY_SIZES, /* struct conf_list of "NAME=BYTES", names of Lua; min and
		      max are of a size */
	KEY_TIMERS,   /* struct conf_list of texts of conf_timer.h */
	KEY_BOOL,     /* bool */
	KEY_INTEGER,  /* this and all below: int64_t */
	KEY_DURATION, /* ms */
	KEY_SIZE,     /* bytes; "unlimited" where max is CONF_UNLIMITED */
	KEY_FILEMODE, /* this and sizes: "" where min is CONF_UNSET */
	KEY_WORD, /* index into words */
};

enum key_class {   /* what a reload does when the value has changed */
	CLASS_RESTART, /* nothing: it is read when the daemon starts */
	CLASS_TUNE,    /* the master applies it in place */
	CLASS_REPLACE  /* the workers of the pool are replaced */
};

struct conf_key {
	enum key_group group;
	const char *name;
	enum key_type type;
	size_t offset;
	const char *initial;	  /* default; NULL: required, an empty list, or
				     conf_complete */
	int64_t min;		  /* of the value, or of a string's length;
				     of a list, 0 if it may be empty */
	int64_t max;
	enum key_class class;
	const char *const *words; /* for KEY_WORD; NULL at the end */
};

/* Ends with a row whose name is NULL. */
extern const struct conf_key conf_keys[];

#define KEY_COUNT 128 /* at least the number of rows */

/* The key of that name in a group, or NULL. */
const struct conf_key *conf_key_find(enum key_group group, const char *name);

/* "workers" -> GROUP_WORKERS and so on; -1 if no group within a pool has that
 * name.  And back; "" for GROUP_TOP and GROUP_POOL. */
int conf_group_find(const char *name);
const char *conf_group_name(enum key_group group);

/* The word of the key `interface`. */
const char *conf_interface_name(enum conf_interface interface);

#endif

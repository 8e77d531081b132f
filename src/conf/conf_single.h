#ifndef CONF_CONF_SINGLE_H
#define CONF_CONF_SINGLE_H

/* A configuration without a file, of one pool: for `lua-fpm -l ADDRESS [-n N]
 * app.lua` and for a worker that listens on descriptor 0. */

#include "conf/conf.h"
#include "conf/conf_key.h"

#define SINGLE_SETTINGS  7
#define SINGLE_INTERFACE 5 /* the one that has a short option too, -i */

/* The keys that an option of the command line sets, or else a variable of the
 * environment. */
extern const struct single_setting {
	const char *option; /* without its two dashes */
	const char *variable;
	enum key_group group;
	const char *key;
} single_settings[SINGLE_SETTINGS];

struct conf_single {
	const char *app;
	const char *address;
	int workers;
	const char *user; /* NULL: none */
	const char *set[SINGLE_SETTINGS]; /* arguments of the options; NULL: not
					     given */
	bool develop;
};

/*
 * No pid file, log to stderr, one static pool "main" of so many workers that
 * keep the environment; what no option and no variable sets has its default.
 * Returns a configuration to be freed with conf_free; or NULL with the faults
 * appended to `faults`, as of the file "command line" or "environment".
 */
struct conf *conf_single(const struct conf_single *single,
    struct conf_faults *faults);

#endif

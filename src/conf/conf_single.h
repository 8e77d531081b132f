#ifndef CONF_CONF_SINGLE_H
#define CONF_CONF_SINGLE_H

/* A configuration without a file: one pool, as `lua-fpm -l ADDRESS [-n N]
 * app.lua` and a worker on descriptor 0 have it. */

#include "conf/conf.h"

/*
 * No pid file, log to stderr, one static pool "main" of N workers, every
 * other key at its default.  user may be NULL.  To be freed with conf_free;
 * or NULL with at least one fault in `faults`, on the "command line".
 */
struct conf *conf_single(const char *app, const char *address, int workers,
    const char *user, struct conf_faults *faults);

#endif

#ifndef CONF_CONF_SINGLE_H
#define CONF_CONF_SINGLE_H

/* A configuration without a file, of one pool: for `lua-fpm -l ADDRESS [-n N]
 * app.lua` and for a worker that listens on descriptor 0. */

#include "conf/conf.h"

/*
 * No pid file, log to stderr, one static pool "main" of `workers` workers that
 * keep the environment; every other key has its default.  user may be NULL.
 * Returns a configuration to be freed with conf_free; or NULL with the faults
 * appended to `faults`, as of the file "command line".
 */
struct conf *conf_single(const char *app, const char *address, int workers,
    const char *user, struct conf_faults *faults);

#endif

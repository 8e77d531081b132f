#ifndef CONF_CONF_CHECK_H
#define CONF_CONF_CHECK_H

/*
 * Rules across keys, and the defaults that depend on other keys.  Each value
 * by itself has been checked before (conf_value.h).  Reads nothing but its
 * arguments and the user and group databases.
 */

#include <stdbool.h>

#include "conf/conf.h"
#include "conf/conf_key.h"

/*
 * Where the keys of a pool were set, by their index in conf_keys: the line; 0
 * if a key was not set; -line if the value there was wrong, so that no rule
 * judges the default that stands in its place.
 */
struct conf_origin {
	int line[KEY_COUNT];
};

/* Fill in the defaults that depend on other keys: workers.start and
 * workers.max_spare, if they are not set. */
void conf_complete(struct conf_pool *pool);

/*
 * Check a configuration; origins has one entry for every pool.  0, or -1 and a
 * fault for each mistake.
 */
int conf_check(const struct conf *conf, const struct conf_origin *origins,
    struct conf_faults *faults);

/* Check that `control` is an absolute path on which no pool listens.  0, or -1
 * and a fault at `line` of `file`, where it is set. */
int conf_check_control(const struct conf *conf, const char *file, int line,
    struct conf_faults *faults);

/* Check that process_max leaves room for the workers that the pools start with,
 * after everything else has passed.  0, or -1 and a fault at `line` of `file`,
 * where it is set. */
int conf_check_total(const struct conf *conf, const char *file, int line,
    struct conf_faults *faults);

/* Append a fault for each application whose file is missing: to be told in the
 * same round as faults that keep it from being loaded.  origins may be NULL. */
void conf_check_apps(const struct conf *conf,
    const struct conf_origin *origins, struct conf_faults *faults);

/* Append to the notes of conf, as warnings, what is right but not what it looks
 * like. */
void conf_check_notes(struct conf *conf, const struct conf_origin *origins);

#endif

#ifndef CONF_CONF_CHECK_H
#define CONF_CONF_CHECK_H

/*
 * Rules across keys, and the defaults that depend on other keys.  Values
 * alone are judged before (conf_value.h).  Reads nothing but its arguments
 * and the user and group databases.
 */

#include <stdbool.h>

#include "conf/conf.h"
#include "conf/conf_key.h"

/*
 * Where the keys of a pool were set, by their index in conf_keys: a line, 0
 * if a key was not set, or -line if what stood there was at fault, so that no
 * rule judges the default in its place.
 */
struct conf_origin {
	int line[KEY_COUNT];
};

/* Fill in what was not set and has no default of its own: workers.start and
 * workers.max_spare. */
void conf_complete(struct conf_pool *pool);

/*
 * Judge a configuration; origins has one entry for every pool.  0, or -1 and
 * a fault for everything that is wrong.
 */
int conf_check(const struct conf *conf, const struct conf_origin *origins,
    struct conf_faults *faults);

/* Is `control` a path that no pool listens on?  0, or -1 and a fault at that
 * line. */
int conf_check_control(const struct conf *conf, const char *file, int line,
    struct conf_faults *faults);

/* Does process_max leave room for the workers that the pools start with?
 * 0, or -1 and a fault at that line.  The rest must be good. */
int conf_check_total(const struct conf *conf, const char *file, int line,
    struct conf_faults *faults);

#endif

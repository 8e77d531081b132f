#ifndef CONF_CONF_DUMP_H
#define CONF_CONF_DUMP_H

/* The effective configuration as text (-T): every key with its value, in
 * libconfig syntax, so that conf_recall can read it.  Pure but for stdio. */

#include <stdio.h>

#include "conf/conf.h"

/* Print the configuration and flush `out`.  0, or -1 if writing failed. */
int conf_dump(const struct conf *conf, FILE *out);

#endif

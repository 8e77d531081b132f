#ifndef CONF_CONF_READ_H
#define CONF_CONF_READ_H

/*
 * Read libconfig text into a struct conf, by the table of keys (conf_key.h).
 * Reports every fault of every file at once: unknown keys, wrong types, values
 * out of range, contradictions across keys (conf_check.h).  Only this file,
 * conf_reader.h, conf_setting.h and conf_peek.h use libconfig.  Runs in the
 * master and in -t.
 */

#include "conf/conf.h"

/*
 * Read `file` and the files it includes.  Returns a configuration that passed
 * every check and has every default filled in, to be freed with conf_free; or
 * NULL with the faults appended to `faults` (none only if memory ran out).
 */
struct conf *conf_read(const char *file, struct conf_faults *faults);

/*
 * Read n bytes that conf_dump wrote, perhaps in another version.  A key that is
 * unknown or wrong is left out and the default stands; no rule is checked.  To
 * be freed with conf_free.  NULL: no memory; if it runs out later, the rest of
 * the values is missing.
 */
struct conf *conf_recall(const char *dump, size_t n);

#endif

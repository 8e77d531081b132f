#ifndef CONF_CONF_READ_H
#define CONF_CONF_READ_H

/*
 * libconfig text -> struct conf, by the table of keys (conf_key.h).  This and
 * what it is made of (conf_reader.h, conf_setting.h) know libconfig.  Runs in
 * the master and in -t.  Reports every fault of every file at once: unknown
 * keys, wrong types, values out of range, contradictions across keys
 * (conf_check.h).
 */

#include "conf/conf.h"

/*
 * Read `file` and what it includes.  Returns a configuration that passed
 * every check and has every default filled in, to be freed with conf_free;
 * or NULL with at least one fault in `faults`.
 */
struct conf *conf_read(const char *file, struct conf_faults *faults);

/*
 * Read what conf_dump wrote, perhaps by another build: what is not understood
 * keeps its default, and nothing is judged.  To be freed with conf_free; NULL:
 * no memory.
 */
struct conf *conf_recall(const char *dump, size_t n);

#endif

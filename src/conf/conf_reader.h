#ifndef CONF_CONF_READER_H
#define CONF_CONF_READER_H

/*
 * One file being read: its settings go into their structures by the table of
 * keys, and what is wrong with each becomes a fault with its line.  For
 * conf_read.c, which knows files and pools.
 */

#include "conf/conf_check.h"

struct config_setting_t;

struct reader {
	struct conf *conf;
	struct conf_origin top;	     /* of the keys outside every pool */
	struct conf_origin *origins; /* one for every pool of conf */
	struct conf_faults *faults;
	const char *file; /* being read, as faults name it */
	char *base;	  /* its directory, absolute */
	bool included;
	bool failed;
	bool exhausted; /* out of memory: values may be missing */
};

struct target { /* what a group of settings is read into */
	void *object;		    /* struct conf or struct conf_pool */
	struct conf_origin *origin;
	const char *pool;	    /* its name, NULL at the top */
};

/* Note a fault in the file being read. */
void reader_fault(struct reader *r, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void reader_fault_memory(struct reader *r);
void reader_fault_unknown(struct reader *r, const struct target *target,
    enum key_group group, const struct config_setting_t *setting);

/* Is it in braces?  If not, that is a fault. */
bool reader_is_group(struct reader *r, const struct target *target,
    const struct config_setting_t *setting);

/* Set one key; every key of a group, and of the groups within. */
void reader_key(struct reader *r, const struct target *target,
    const struct conf_key *key, const struct config_setting_t *setting);
void reader_group(struct reader *r, const struct target *target,
    enum key_group group, const struct config_setting_t *setting);

#endif

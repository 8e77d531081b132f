#ifndef CONF_CONF_READER_H
#define CONF_CONF_READER_H

/*
 * Read the settings of one file into their structures, by the table of keys; a
 * setting that is wrong becomes a fault with its line.  For conf_read.c, which
 * handles files and pools.
 */

#include "conf/conf_check.h"

struct config_setting_t;

struct reader {
	struct conf *conf;
	struct conf_origin top;	     /* of the keys outside all pools */
	struct conf_origin *origins; /* one for every pool of conf */
	struct conf_faults *faults;
	const char *file; /* being read, as faults name it */
	char *base;	  /* its directory, absolute */
	bool included;	  /* file is named by the key include */
	bool failed;	  /* there was a fault */
	bool exhausted;	  /* out of memory: values may be missing */
};

struct target { /* what a group of settings is read into */
	void *object;		    /* struct conf or struct conf_pool */
	struct conf_origin *origin; /* where its lines are noted */
	const char *pool;	    /* name of the pool; NULL: no pool */
};

/* Append a fault of the file being read: any; out of memory; a key that the
 * group does not have. */
void reader_fault(struct reader *r, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void reader_fault_memory(struct reader *r);
void reader_fault_unknown(struct reader *r, const struct target *target,
    enum key_group group, const struct config_setting_t *setting);

/* True if the setting is a group in braces; if not, a fault is appended. */
bool reader_is_group(struct reader *r, const struct target *target,
    const struct config_setting_t *setting);

/* Read one key; all keys of a group, and of the groups within it. */
void reader_key(struct reader *r, const struct target *target,
    const struct conf_key *key, const struct config_setting_t *setting);
void reader_group(struct reader *r, const struct target *target,
    enum key_group group, const struct config_setting_t *setting);

#endif

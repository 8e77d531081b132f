#ifndef IPC_SHARED_H
#define IPC_SHARED_H

/*
 * A dictionary in memory that all workers of a pool share: keys of 1 to 65535
 * bytes, values that are strings, integers, floats or booleans, each with an
 * end of its life or none.  If there is no room, entries go that were not used
 * for the longest time.  A worker that is killed leaves every value as it was
 * or as it should become; one that writes anything into the memory can make the
 * others lose what is in it, and nothing else (shared_store.h).
 *
 * Functions that return -1 set errno; each may fail with ETIMEDOUT (another
 * worker has held the dictionary for too long), ENOMEM, ENOLCK, or EPROTO (it
 * was broken twice in a row).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define SHARED_KEY_MOST 65535 /* bytes */

struct shared;

enum shared_type {
	SHARED_INTEGER = 1,
	SHARED_FLOAT,
	SHARED_BOOLEAN,
	SHARED_STRING
};

struct shared_value {
	enum shared_type type;
	int64_t integer; /* of a boolean: 0 or 1 */
	double number;
	const char *text;
	size_t len;
};

struct shared_key {
	const char *text;
	size_t len;
};

enum shared_how {
	SHARED_SET,
	SHARED_ADD,    /* fails with EEXIST if the key is there */
	SHARED_REPLACE /* fails with ENOENT if it is not */
};

struct shared_figures { /* of which a hostile worker decides, clamped */
	uint64_t room, free; /* bytes for entries; those that are free */
	uint64_t entries;    /* with those that are over and still in memory */
	uint64_t evictions;  /* of entries that were not over */
};

/* Map the memory of that descriptor (sealed_room), which stays open and must
 * not be closed before shared_close.  NULL with errno. */
struct shared *shared_open(int fd, size_t size);
void shared_close(struct shared *shared);

/* Get a value: 0, and its text is valid until the next call; or -1, with ENOENT
 * if there is none. */
int shared_get(struct shared *shared, const struct shared_key *key,
    struct shared_value *value);

/* Store a value for ttl ms (0: without end).  *forced becomes true if an entry
 * had to make room whose life was not over.  0, or -1: ENOSPC if the value is
 * larger than the dictionary. */
int shared_set(struct shared *shared, const struct shared_key *key,
    const struct shared_value *value, int64_t ttl, enum shared_how how,
    bool *forced);

/*
 * Add a number to the value, which keeps the end of its life; integers wrap
 * around.  If there is none, `initial` (NULL: fail with ENOENT) and the number
 * are stored for ttl ms.  0 and the new value; or -1: EINVAL if the value is no
 * number, or as of shared_set.
 */
int shared_incr(struct shared *shared, const struct shared_key *key,
    const struct shared_value *by, const struct shared_value *initial,
    int64_t ttl, struct shared_value *value, bool *forced);

/* Remove the key, if it is there. */
int shared_delete(struct shared *shared, const struct shared_key *key);

/* The ms for which the value is still there, 0: without end; set them.  -1 with
 * ENOENT if there is none. */
int shared_ttl(struct shared *shared, const struct shared_key *key,
    int64_t *ttl);
int shared_expire(struct shared *shared, const struct shared_key *key,
    int64_t ttl);

/*
 * Append keys to `out`, each as 4 bytes of length (of this machine) and its
 * bytes, in no order.  *place is 0 at first, and then as it was left.  1: there
 * may be more; 0: these were the last; -1.  A key that is there all the time is
 * among them once.
 */
int shared_keys(struct shared *shared, uint32_t *place, struct buf *out);

/* Remove all keys; takes no longer for many. */
int shared_flush(struct shared *shared);

int shared_figures(struct shared *shared, struct shared_figures *figures);

/* True, once, after the memory was found to be broken and was emptied. */
bool shared_was_broken(struct shared *shared);

#endif

#ifndef BASE_USER_H
#define BASE_USER_H

/*
 * Users and groups by name or number, as chown(1) takes them.  Runs
 * everywhere; knows nothing.
 */

#include <sys/types.h>

#include "base/why.h"

/* The user and its primary group; a number nobody has a name for is its own
 * group.  0, or -1 and why. */
int user_find(const char *name, uid_t *uid, gid_t *gid, struct why *why);
int user_find_group(const char *name, gid_t *gid, struct why *why);

#endif

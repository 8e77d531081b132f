#ifndef BASE_USER_H
#define BASE_USER_H

/*
 * Users and groups by name or number, as chown(1) takes them.  Runs
 * everywhere.
 */

#include <sys/types.h>

#include "base/why.h"

/* Find a user and its primary group (the same number, if the user is a number
 * without a name); find a group.  0, or -1 and why. */
int user_find(const char *name, uid_t *uid, gid_t *gid, struct why *why);
int user_find_group(const char *name, gid_t *gid, struct why *why);

#endif

#include "base/user.h"

#include <grp.h>
#include <pwd.h>
#include <stddef.h>
#include <stdint.h>

#include "base/num.h"

static int
by_number(const char *name, unsigned *id)
{
	int64_t value;

	/* The highest number means "no change" to the kernel. */
	if (num_integer(name, 0, UINT32_MAX - 1, &value) == -1)
		return -1;
	*id = (unsigned)value;
	return 0;
}

int
user_find(const char *name, uid_t *uid, gid_t *gid, struct why *why)
{
	const struct passwd *pw = getpwnam(name);

	if (pw == NULL && by_number(name, uid) == 0) {
		pw = getpwuid(*uid);
		*gid = pw != NULL ? pw->pw_gid : (gid_t)*uid;
		return 0;
	}
	if (pw == NULL) {
		why_set(why, "there is no user \"%s\"", name);
		return -1;
	}
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return 0;
}

int
user_find_group(const char *name, gid_t *gid, struct why *why)
{
	const struct group *gr = getgrnam(name);

	if (gr != NULL) {
		*gid = gr->gr_gid;
		return 0;
	}
	if (by_number(name, gid) == 0)
		return 0;
	why_set(why, "there is no group \"%s\"", name);
	return -1;
}

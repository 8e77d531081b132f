#include "worker/privs.h"

#include <sys/prctl.h>

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <unistd.h>

#include "base/user.h"

/* Groups first: without root they can no longer be changed. */
static int
become(const struct conf_pool *pool, uid_t uid, gid_t gid, struct why *why)
{
	if (geteuid() != 0) {
		if (uid == geteuid() && gid == getegid())
			return 0;
		why_set(why, "only root may start workers as another user");
		return -1;
	}
	if (initgroups(pool->user, gid) == -1 || setresgid(gid, gid, gid) == -1 ||
	    setresuid(uid, uid, uid) == -1) {
		why_set(why, "cannot become user \"%s\": %s", pool->user,
		    strerror(errno));
		return -1;
	}
	if (uid != 0 && (setuid(0) == 0 || geteuid() != uid)) {
		why_set(why, "user \"%s\" could become root again", pool->user);
		return -1;
	}
	return 0;
}

int
privs_drop(const struct conf_pool *pool, struct why *why)
{
	uid_t uid;
	gid_t gid;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1) {
		why_set(why, "no-new-privileges: %s", strerror(errno));
		return -1;
	}
	if (pool->user == NULL)
		return 0;
	if (user_find(pool->user, &uid, &gid, why) == -1)
		return -1;
	if (pool->group != NULL && user_find_group(pool->group, &gid, why) == -1)
		return -1;
	return become(pool, uid, gid, why);
}

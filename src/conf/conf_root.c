#include "conf/conf_root.h"

#include <unistd.h>

#include "base/user.h"

bool
conf_refuse_root(const struct conf *conf, bool allowed,
    struct conf_faults *faults)
{
	bool refused = false;
	uid_t uid;
	gid_t gid;

	if (allowed || geteuid() != 0)
		return false;
	for (size_t i = 0; i < conf->npools; i++) {
		const struct conf_pool *pool = &conf->pools[i];

		if (pool->user != NULL &&
		    (user_find(pool->user, &uid, &gid, NULL) == -1 ||
			uid != 0))
			continue;
		conf_fault(faults, pool->file, pool->line,
		    "pool %s: would run as root: give it a user%s, or "
		    "start with -R",
		    pool->name, pool->line == 0 ? " by -u" : "");
		refused = true;
	}
	return refused;
}

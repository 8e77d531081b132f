#include "worker/process/privs.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "worker/process/env_setup.h"

static int
fail(struct why *why, const char *what)
{
	why_set(why, "%s: %s", what, strerror(errno));
	return -1;
}

static int
no_new_privileges(struct why *why)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return fail(why, "no-new-privileges");
	return 0;
}

/* Soft and hard: the application could raise a soft limit again. */
static int
set_limit(int resource, const char *key, int64_t value, struct why *why)
{
	rlim_t most = value == CONF_UNLIMITED ? RLIM_INFINITY : (rlim_t)value;
	const struct rlimit limit = { most, most };

	return setrlimit(resource, &limit) == -1 ? fail(why, key) : 0;
}

static int
set_limits(const struct conf_pool *pool, struct why *why)
{
	const struct conf_limits *limits = &pool->limits;

	if (limits->files > 0 && set_limit(RLIMIT_NOFILE, "limits.files",
		limits->files, why) == -1)
		return -1;
	if (limits->processes > 0 && set_limit(RLIMIT_NPROC,
		"limits.processes", limits->processes, why) == -1)
		return -1;
	if (limits->core != CONF_UNSET && set_limit(RLIMIT_CORE, "limits.core",
		limits->core, why) == -1)
		return -1;
	if (pool->priority != 0 &&
	    setpriority(PRIO_PROCESS, 0, (int)pool->priority) == -1)
		return fail(why, "priority");
	if (pool->umask != CONF_UNSET)
		umask((mode_t)pool->umask);
	return 0;
}

static int
set_groups(const struct identity *who, struct why *why)
{
	if (who->changes && setgroups(who->ngroups, who->groups) == -1)
		return fail(why, "supplementary groups");
	return 0;
}

/* tzset(3) reads the time zone while /etc can still be seen. */
static int
set_root(const struct conf_pool *pool, struct why *why)
{
	tzset();
	if (pool->chroot == NULL)
		return 0;
	if (chroot(pool->chroot) == -1 || chdir("/") == -1) {
		why_set(why, "chroot %s: %s", pool->chroot, strerror(errno));
		return -1;
	}
	return 0;
}

/*
 * Empty the bounding set: neither this process nor its children can gain a
 * capability again.  That needs CAP_SETPCAP; without it no-new-privileges has
 * to suffice.
 */
static int
bound_capabilities(struct why *why)
{
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap) == -1)
			return errno == EPERM ? 0 :
			    fail(why, "bounding set of capabilities");
	return 0;
}

static int
become(const struct conf_pool *pool, const struct identity *who,
    struct why *why)
{
	uid_t uid = who->uid;
	gid_t gid = who->gid;

	if (!who->changes)
		return 0;
	if (setresgid(gid, gid, gid) == -1 || setresuid(uid, uid, uid) == -1) {
		why_set(why, "cannot become user \"%s\": %s", pool->user,
		    strerror(errno));
		return -1;
	}
	return 0;
}

/*
 * The change from user 0 has dropped the effective ones, unless securebits say
 * otherwise; if the user did not change so, all are still there.  The ambient
 * ones go with the permitted ones.
 */
static int
drop_capabilities(struct why *why)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct none[2] = { { 0, 0, 0 } };

	if (syscall(SYS_capset, &header, none) == -1)
		return fail(why, "capabilities");
	return 0;
}

static int
prove_no_return(const struct identity *who, struct why *why)
{
	if (who->uid == 0 || (setuid(0) == -1 && geteuid() == who->uid))
		return 0;
	why_set(why, "user %u could become root again", (unsigned)who->uid);
	return -1;
}

static int
enter_directory(const struct conf_pool *pool, struct why *why)
{
	if (pool->directory == NULL || chdir(pool->directory) == 0)
		return 0;
	why_set(why, "directory %s: %s", pool->directory, strerror(errno));
	return -1;
}

/* By default the kernel neither writes a core of a process that has changed its
 * user nor lets that user trace it. */
static int
allow_dump(const struct conf_pool *pool, struct why *why)
{
	if ((pool->dumpable || pool->limits.core > 0) &&
	    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == -1)
		return fail(why, "dumpable");
	return 0;
}

/* Limits, groups, the root and the bounding set come before the user, as they
 * need capabilities; the directory after it, as the user must be allowed to
 * enter it; dumpable too, as the change of user clears it. */
int
privs_drop(const struct conf_pool *pool, const struct conf_list *inherited,
    const struct identity *who, struct why *why)
{
	if (no_new_privileges(why) == -1 ||
	    env_setup(pool, inherited, who, why) == -1 ||
	    set_limits(pool, why) == -1 ||
	    set_groups(who, why) == -1 ||
	    set_root(pool, why) == -1 ||
	    bound_capabilities(why) == -1 ||
	    become(pool, who, why) == -1 ||
	    drop_capabilities(why) == -1 ||
	    prove_no_return(who, why) == -1 ||
	    enter_directory(pool, why) == -1 ||
	    allow_dump(pool, why) == -1)
		return -1;
	return 0;
}

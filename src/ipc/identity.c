#include "ipc/identity.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/user.h"

#define GROUPS_FIRST 64

static int
fail(struct why *why)
{
	why_set(why, "%s", strerror(errno));
	return -1;
}

static int
find_numbers(struct identity *id, const struct conf_pool *pool,
    struct why *why)
{
	id->uid = geteuid();
	id->gid = getegid();
	if (pool->user == NULL)
		return 0;
	if (user_find(pool->user, &id->uid, &id->gid, why) == -1 ||
	    (pool->group != NULL &&
		user_find_group(pool->group, &id->gid, why) == -1))
		return -1;
	id->changes = geteuid() == 0;
	if (id->changes || (id->uid == geteuid() && id->gid == getegid()))
		return 0;
	why_set(why, "only root may start workers as another user");
	return -1;
}

static int
find_name(struct identity *id, struct why *why)
{
	const struct passwd *pw = getpwuid(id->uid);

	if (pw == NULL)
		return 0;
	id->name = strdup(pw->pw_name);
	id->home = strdup(pw->pw_dir);
	return id->name == NULL || id->home == NULL ? fail(why) : 0;
}

/* The groups of the user database; a number without a name has only gid. */
static int
find_groups(struct identity *id, struct why *why)
{
	int n = GROUPS_FIRST, had;

	if (!id->changes)
		return 0;
	do {
		had = n;
		free(id->groups);
		id->groups = calloc((size_t)n, sizeof(*id->groups));
		if (id->groups == NULL)
			return fail(why);
		id->groups[0] = id->gid;
		if (id->name == NULL)
			n = 1;
		else
			getgrouplist(id->name, id->gid, id->groups, &n);
	} while (n > had);
	id->ngroups = (size_t)n;
	return 0;
}

int
identity_find(struct identity *id, const struct conf_pool *pool,
    struct why *why)
{
	*id = (struct identity){ 0 };
	if (find_numbers(id, pool, why) == -1 || find_name(id, why) == -1)
		return -1;
	return find_groups(id, why);
}

void
identity_free(struct identity *id)
{
	free(id->groups);
	free(id->name);
	free(id->home);
	*id = (struct identity){ 0 };
}

void
identity_put(const struct identity *id, struct buf *out)
{
	record_put_number(out, "changes", id->changes);
	record_put_number(out, "uid", id->uid);
	record_put_number(out, "gid", id->gid);
	for (size_t i = 0; i < id->ngroups; i++)
		record_put_number(out, "member", id->groups[i]);
	if (id->name == NULL)
		return;
	record_put_text(out, "name", id->name);
	record_put_text(out, "home", id->home);
}

static int
get_groups(struct identity *id, const struct record *record)
{
	const char *rest = record->value;
	size_t len = record->len;
	struct record part;
	gid_t *grown;
	int64_t gid;

	while (record_next(&rest, &len, &part)) {
		if (!record_is(&part, "member") ||
		    !record_is_number(&part, &gid))
			continue;
		grown = reallocarray(id->groups, id->ngroups + 1,
		    sizeof(*grown));
		if (grown == NULL)
			return -1;
		id->groups = grown;
		grown[id->ngroups++] = (gid_t)gid;
	}
	return 0;
}

int
identity_get(struct identity *id, const struct record *record)
{
	struct record unused;

	*id = (struct identity){ 0 };
	id->changes = record_number(record, "changes", 0) != 0;
	id->uid = (uid_t)record_number(record, "uid", -1);
	id->gid = (gid_t)record_number(record, "gid", -1);
	if (get_groups(id, record) == -1)
		return -1;
	if (!record_find(record, "name", &unused))
		return 0;
	id->name = record_text(record, "name");
	id->home = record_text(record, "home");
	return id->name == NULL || id->home == NULL ? -1 : 0;
}

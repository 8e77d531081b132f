#include "config.h"

#include "net/sock_acl.h"

#include <errno.h>
#include <string.h>

#include "base/user.h"

#ifdef HAVE_LIBACL

#include <acl/libacl.h>
#include <sys/acl.h>

bool
sock_acl_known(void)
{
	return true;
}

static int
find(const char *name, acl_tag_t tag, id_t *id, struct why *why)
{
	gid_t gid;
	uid_t uid;

	if (tag == ACL_GROUP) {
		if (user_find_group(name, &gid, why) == -1)
			return -1;
		*id = gid;
		return 0;
	}
	if (user_find(name, &uid, &gid, why) == -1)
		return -1;
	*id = uid;
	return 0;
}

/* True if the list has the entry: a user may be given by name and by number,
 * but an entry may occur only once. */
static bool
contains(acl_t acl, acl_tag_t tag, id_t id)
{
	int which = ACL_FIRST_ENTRY;
	acl_entry_t entry;
	acl_tag_t other;
	id_t *qualifier;
	bool same = false;

	for (; !same && acl_get_entry(acl, which, &entry) == 1;
	    which = ACL_NEXT_ENTRY) {
		if (acl_get_tag_type(entry, &other) == -1 || other != tag ||
		    (qualifier = acl_get_qualifier(entry)) == NULL)
			continue;
		same = *qualifier == id;
		acl_free(qualifier);
	}
	return same;
}

static int
add(acl_t *acl, acl_tag_t tag, id_t id)
{
	acl_entry_t entry;
	acl_permset_t rights;

	if (contains(*acl, tag, id))
		return 0;
	if (acl_create_entry(acl, &entry) == -1 ||
	    acl_set_tag_type(entry, tag) == -1 ||
	    acl_set_qualifier(entry, &id) == -1 ||
	    acl_get_permset(entry, &rights) == -1 ||
	    acl_add_perm(rights, ACL_READ) == -1 ||
	    acl_add_perm(rights, ACL_WRITE) == -1)
		return -1;
	return 0;
}

static int
add_all(acl_t *acl, acl_tag_t tag, const struct conf_list *list,
    struct why *why)
{
	id_t id;

	for (size_t i = 0; i < list->n; i++) {
		if (find(list->item[i], tag, &id, why) == -1)
			return -1;
		if (add(acl, tag, id) == -1) {
			why_set(why, "%s", strerror(errno));
			return -1;
		}
	}
	return 0;
}

int
sock_acl_set(const char *path, mode_t mode, const struct conf_list *users,
    const struct conf_list *groups, struct why *why)
{
	acl_t acl = acl_from_mode(mode);
	int result = -1;

	if (acl == NULL) {
		why_set(why, "%s", strerror(errno));
		return -1;
	}
	if (add_all(&acl, ACL_USER, users, why) == 0 &&
	    add_all(&acl, ACL_GROUP, groups, why) == 0) {
		if ((users->n + groups->n == 0 || acl_calc_mask(&acl) == 0) &&
		    acl_set_file(path, ACL_TYPE_ACCESS, acl) == 0)
			result = 0;
		else
			why_set(why, "%s", strerror(errno));
	}
	acl_free(acl);
	return result;
}

void *
sock_acl_get(const char *path)
{
	return acl_get_file(path, ACL_TYPE_ACCESS);
}

int
sock_acl_restore(const char *path, void *list)
{
	return acl_set_file(path, ACL_TYPE_ACCESS, list);
}

void
sock_acl_free(void *list)
{
	if (list != NULL)
		acl_free(list);
}

#else

bool
sock_acl_known(void)
{
	return false;
}

int
sock_acl_set(const char *path, mode_t mode, const struct conf_list *users,
    const struct conf_list *groups, struct why *why)
{
	(void)path;
	(void)mode;
	(void)users;
	(void)groups;
	why_set(why, "%s", strerror(ENOSYS));
	return -1;
}

void *
sock_acl_get(const char *path)
{
	(void)path;
	return NULL;
}

int
sock_acl_restore(const char *path, void *list)
{
	(void)path;
	(void)list;
	return 0;
}

void
sock_acl_free(void *list)
{
	(void)list;
}

#endif

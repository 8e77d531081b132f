#include "master/listen.h"

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/fd_leave.h"
#include "base/log.h"
#include "base/user.h"

static struct listener *listeners; /* all of this process */
static struct index addresses;	   /* theirs, by sock_hash */

static void
insert(struct listener *l)
{
	l->next = listeners;
	l->back = &listeners;
	if (listeners != NULL)
		listeners->back = &l->next;
	listeners = l;
	index_add(&addresses, &l->by_address, sock_hash(&l->address), l);
}

static void
take_out(struct listener *l)
{
	*l->back = l->next;
	if (l->next != NULL)
		l->next->back = l->back;
	index_remove(&addresses, &l->by_address);
}

static int
options_of(const struct conf_pool *pool, struct sock_options *options,
    struct why *why)
{
	gid_t unused;

	options->backlog = (int)pool->backlog;
	options->mode = (mode_t)pool->listen_mode;
	options->owner = (uid_t)-1;
	options->group = (gid_t)-1;
	options->acl_users = &pool->listen_acl_users;
	options->acl_groups = &pool->listen_acl_groups;
	options->acl = options->acl_users->n + options->acl_groups->n > 0;
	if (pool->listen_owner != NULL &&
	    user_find(pool->listen_owner, &options->owner, &unused, why) == -1)
		return -1;
	if (pool->listen_group != NULL &&
	    user_find_group(pool->listen_group, &options->group, why) == -1)
		return -1;
	return 0;
}

/* The newest listener of that address that refuses, or that does not; NULL. */
static struct listener *
find(const struct sock_address *address, bool refuses)
{
	struct index_entry *e = index_first(&addresses, sock_hash(address));
	struct listener *found = NULL, *l;

	for (; e != NULL; e = index_next(e))
		if (sock_same(&(l = e->of)->address, address) &&
		    (l->refused != 0) == refuses)
			found = l;
	return found;
}

/* How an address is written in a list; NULL: it is not there. */
static const char *
find_text(const struct conf_list *list, const char *place)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(sock_place(list->item[i]), place) == 0)
			return list->item[i];
	return NULL;
}

/* Put the key and the address as configured in front of why. */
static void
name_address(const struct conf_pool *pool, const char *place, struct why *why)
{
	const char *status = find_text(&pool->status_listen, place);
	const char *own = find_text(&pool->listen, place);
	struct why what = *why;

	if (status != NULL)
		why_set(why, "status_listen %s: %s", status, what.text);
	else
		why_set(why, "listen %s: %s", own != NULL ? own : place,
		    what.text);
}

/* Add to why what is in the way.  A port of one interface and the same port of
 * all of them exclude each other (bind(2)), but a reload from one to the other
 * needs both: the old one serves until the new one is sure. */
static void
name_obstacle(const struct sock_address *address, struct why *why)
{
	struct index_entry *e = index_first(&addresses, sock_hash(address));
	const struct listener *l = NULL, *one;
	struct why what = *why;

	for (; e != NULL; e = index_next(e))
		if (sock_overlap(&(one = e->of)->address, address))
			l = one;
	if (l != NULL && l->ends)
		why_set(why, "%s: the last connections there are still on "
		    "their way, try again", what.text);
	else if (l != NULL && l->refused == 0)
		why_set(why, "%s: this daemon listens on %s, the change needs "
		    "a restart", what.text, l->place);
}

static struct listener *
make(const char *place, const struct sock_address *address,
    const struct sock_options *options, struct why *why)
{
	struct listener *l = calloc(1, sizeof(*l));

	if (l == NULL || (l->place = strdup(place)) == NULL) {
		why_set(why, "out of memory");
		free(l);
		return NULL;
	}
	l->address = *address;
	l->fd = sock_listen(&l->address, options, why);
	if (l->fd == -1) {
		if (errno == EADDRINUSE)
			name_obstacle(address, why);
		free(l->place);
		free(l);
		return NULL;
	}
	l->acl = options->acl;
	l->backlog = options->backlog;
	insert(l);
	return l;
}

struct listener *
listen_get(const struct conf_pool *pool, const char *text, bool leaving,
    struct why *why)
{
	struct sock_options options;
	struct sock_address address;
	struct listener *l = NULL;

	if (sock_parse(text, &address, why) == 0 &&
	    options_of(pool, &options, why) == 0) {
		sock_locate(&address);
		if (leaving)
			l = find(&address, true);
		if (l == NULL)
			l = find(&address, false);
		if (l != NULL && !leaving)
			listen_mend(l, pool);
		if (l == NULL)
			l = make(sock_place(text), &address, &options, why);
	}
	if (l == NULL) {
		name_address(pool, sock_place(text), why);
		return NULL;
	}
	l->users++;
	l->takers += !leaving;
	return l;
}

/* ---- shut down by a worker ----------------------------------------------- */

/* What waits in its queue is let go with the old socket. */
static int
bind_again(struct listener *l, const struct conf_pool *pool, struct why *why)
{
	struct sock_options options;
	int fd = -1, old, result;

	sock_file_remove(&l->address);
	if (options_of(pool, &options, why) == 0)
		fd = sock_listen(&l->address, &options, why);
	if (fd == -1)
		return -1;
	old = fcntl(l->fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	result = dup3(fd, l->fd, O_CLOEXEC);
	if (result == -1)
		why_set(why, "%s", strerror(errno));
	close(fd);
	fd_leave(&old, 1);
	return result == -1 ? -1 : 0;
}

static int
listen_again(struct listener *l, const struct conf_pool *pool, struct why *why)
{
	int result;

	if (l->address.kind == SOCK_UNIX)
		return bind_again(l, pool, why);
	result = listen(l->fd, l->backlog);
	why_set(why, "%s", result == -1 ? strerror(errno) : "only who has made "
	    "it can make another");
	return result == 0 && !fd_is_shut(l->fd) ? 0 : -1;
}

void
listen_mend(struct listener *listener, const struct conf_pool *pool)
{
	struct why why;
	bool before = listener->dead;

	if (listener->refused != 0 || !fd_is_shut(listener->fd))
		return;
	listener->dead = listen_again(listener, pool, &why) == -1;
	if (!listener->dead)
		log_warning("pool %s: a worker has shut down the socket at "
		    "%s: it listens again", pool->name, listener->place);
	else if (!before)
		log_error("pool %s: a worker has shut down the socket at %s, "
		    "and it cannot listen again: %s", pool->name,
		    listener->place, why.text);
}

/* ---- adjusting ----------------------------------------------------------- */

static void
note_before(struct listener *l)
{
	if (l->before.set)
		return;
	l->before.set = true;
	l->before.backlog = l->backlog;
	l->before.acl = l->acl;
	if (l->address.kind == SOCK_UNIX)
		sock_file_rights(&l->address, &l->before.rights);
}

static int
adjust(struct listener *l, const struct sock_options *options,
    struct why *why)
{
	if (l->address.kind == SOCK_FD)
		return 0;
	note_before(l);
	if (listen(l->fd, options->backlog) == -1) {
		why_set(why, "%s", strerror(errno));
		return -1;
	}
	l->backlog = options->backlog;
	if (l->address.kind == SOCK_UNIX && sock_file_adjust(&l->address,
		options, options->acl || l->acl, why) == -1)
		return -1;
	l->acl = options->acl;
	return 0;
}

int
listen_adjust(struct listener *listener, const struct conf_pool *pool,
    struct why *why)
{
	struct sock_options options;

	if (options_of(pool, &options, why) == 0 &&
	    adjust(listener, &options, why) == 0)
		return 0;
	name_address(pool, listener->place, why);
	return -1;
}

static void
undo(struct listener *l)
{
	l->acl = l->before.acl;
	if (l->before.backlog > 0 && listen(l->fd, l->before.backlog) == 0)
		l->backlog = l->before.backlog;
	if (l->address.kind == SOCK_UNIX)
		sock_file_restore(&l->address, &l->before.rights);
}

void
listen_settle(bool good)
{
	struct listener *l;

	for (l = listeners; l != NULL; l = l->next) {
		if (l->before.set && !good)
			undo(l);
		sock_rights_drop(&l->before.rights);
		l->before.set = false;
	}
}

/* ---- the end ------------------------------------------------------------- */

static void
refuse(struct listener *l)
{
	sock_refuse(l->fd, &l->address);
	if (l->address.kind != SOCK_FD)
		l->refused = clock_ms();
}

bool
listen_leave(struct listener *listener)
{
	if (--listener->takers > 0)
		return false;
	refuse(listener);
	return true;
}

static void
discard(struct listener *listener)
{
	take_out(listener);
	refuse(listener);
	if (listener->address.kind != SOCK_FD) /* it can be had only once */
		close(listener->fd);
	free(listener->place);
	free(listener);
}

void
listen_put(struct listener *listener)
{
	if (--listener->users == 0)
		discard(listener);
}

/* ---- over an upgrade in place -------------------------------------------- */

void
listen_hand_over(struct buf *out)
{
	const struct listener *l;

	for (l = listeners; l != NULL; l = l->next) {
		struct buf record = { 0 };

		record_put_text(&record, "text", l->place);
		record_put_fd(&record, "fd", l->fd);
		record_put_number(&record, "backlog", l->backlog);
		record_put_number(&record, "acl", l->acl);
		record_put_number(&record, "ends", l->ends);
		record_put_number(&record, "refused", l->refused);
		record_put_number(&record, "dev", (int64_t)l->address.dev);
		record_put_number(&record, "ino", (int64_t)l->address.ino);
		record_put_records(out, "listener", &record);
	}
}

/* A socket that was passed to the daemon at its start is open anyway, under its
 * own number. */
static int
take_fd(struct listener *l, const struct record *record)
{
	struct why why;

	return l->address.kind == SOCK_FD ?
	    sock_listen(&l->address, NULL, &why) : record_fd(record, "fd");
}

int
listen_take_over(const struct record *record)
{
	struct listener *l = calloc(1, sizeof(*l));
	struct why why;

	if (l == NULL || (l->place = record_text(record, "text")) == NULL ||
	    sock_parse(l->place, &l->address, &why) == -1 ||
	    (l->fd = take_fd(l, record)) == -1) {
		if (l != NULL)
			free(l->place);
		free(l);
		return -1;
	}
	sock_locate(&l->address);
	l->backlog = (int)record_number(record, "backlog", 0);
	l->acl = record_number(record, "acl", 0) != 0;
	l->ends = record_number(record, "ends", 0) != 0;
	l->refused = record_number(record, "refused", 0);
	l->address.dev = (dev_t)record_number(record, "dev", 0);
	l->address.ino = (ino_t)record_number(record, "ino", 0);
	insert(l);
	return 0;
}

void
listen_sweep(void)
{
	struct listener *l, *next;

	for (l = listeners; l != NULL; l = next) {
		next = l->next;
		if (l->users == 0)
			discard(l);
	}
}

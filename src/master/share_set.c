#include "master/share_set.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/sealed.h"
#include "ipc/shared_store.h"

static int
prepare(struct share_set *set, const struct conf_pool *conf, struct why *why)
{
	const struct conf_list *list = &conf->shared;

	why_set(why, "out of memory");
	set->fds = calloc(list->n + 1, sizeof(*set->fds));
	if (set->fds == NULL)
		return -1;
	for (size_t i = 0; i < list->n; i++) {
		if (conf_list_add(&set->declared, list->item[i]) == -1)
			return -1;
		set->fds[i] = -1;
	}
	return 0;
}

/* A duplicate of the memory of an equal item: its name and its size. */
static int
find(const struct share_set *before, const char *item)
{
	for (size_t i = 0; i < before->declared.n; i++)
		if (strcmp(before->declared.item[i], item) == 0)
			return fcntl(before->fds[i], F_DUPFD_CLOEXEC, 3);
	return -1;
}

/* Give new memory to those that have none yet. */
static int
complete(struct share_set *set, struct why *why)
{
	size_t len;
	int64_t size;

	for (size_t i = 0; i < set->declared.n; i++) {
		if (set->fds[i] != -1)
			continue;
		size = conf_shared_item(set->declared.item[i], &len);
		set->fds[i] = sealed_room("lua-fpm-shared", (size_t)size);
		if (set->fds[i] != -1)
			continue;
		why_set(why, "shared.%.*s: %s", (int)len,
		    set->declared.item[i], strerror(errno));
		return -1;
	}
	return 0;
}

int
share_set_open(struct share_set *set, const struct conf_pool *conf,
    const struct share_set *before, struct why *why)
{
	if (prepare(set, conf, why) == -1)
		return -1;
	for (size_t i = 0; before != NULL && i < conf->shared.n; i++)
		set->fds[i] = find(before, conf->shared.item[i]);
	return complete(set, why);
}

void
share_set_close(struct share_set *set)
{
	for (size_t i = 0; set->fds != NULL && i < set->declared.n; i++)
		fd_close(&set->fds[i]);
	free(set->fds);
	conf_list_free(&set->declared);
	*set = (struct share_set){ 0 };
}

/* ---- over an upgrade in place -------------------------------------------- */

void
share_set_hand_over(const struct share_set *set, struct buf *out)
{
	struct buf record = { 0 };

	for (size_t i = 0; i < set->declared.n; i++) {
		buf_clear(&record);
		record_put_text(&record, "item", set->declared.item[i]);
		record_put_number(&record, "layout", SHARED_LAYOUT);
		record_put_fd(&record, "fd", set->fds[i]);
		record_put(out, "shared", record.data, record.len);
		out->failed |= record.failed;
	}
	buf_free(&record);
}

static void
take(struct share_set *set, const struct conf_pool *conf,
    const struct record *record)
{
	char *item = record_text(record, "item");
	int fd = record_fd(record, "fd");
	size_t i = 0, len;

	while (item != NULL && i < conf->shared.n &&
	    (strcmp(conf->shared.item[i], item) != 0 || set->fds[i] != -1))
		i++;
	if (item == NULL || i == conf->shared.n) {
		fd_close(&fd);
	} else if (record_number(record, "layout", 0) == SHARED_LAYOUT &&
	    sealed_is_room(fd, (size_t)conf_shared_item(item, &len))) {
		set->fds[i] = fd;
	} else {
		fd_close(&fd);
		log_notice("pool %s: shared.%.*s is empty from now on: this "
		    "version has another form of it", conf->name,
		    (int)strcspn(item, "="), item);
	}
	free(item);
}

int
share_set_take_over(struct share_set *set, const struct conf_pool *conf,
    const struct record *record, struct why *why)
{
	const char *rest = record->value;
	size_t len = record->len;
	struct record part;

	if (prepare(set, conf, why) == -1)
		return -1;
	while (record_next(&rest, &len, &part))
		if (record_is(&part, "shared"))
			take(set, conf, &part);
	return complete(set, why);
}

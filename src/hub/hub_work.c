#include <stdlib.h>
#include <string.h>

#include "hub/hub_impl.h"

struct hub_work *
hub_work_new(struct hub_socket *socket, unsigned kind, unsigned code,
    const void *data, size_t len, const void *more, size_t more_len)
{
	struct hub_work *work = malloc(sizeof(*work) + len + more_len);

	if (work == NULL)
		return NULL;
	*work = (struct hub_work){ .socket = socket, .kind = (uint8_t)kind,
		.code = (uint16_t)code, .len = (uint32_t)(len + more_len) };
	if (len > 0)
		memcpy(work->data, data, len);
	if (more_len > 0)
		memcpy(work->data + len, more, more_len);
	return work;
}

void
hub_queue_add(struct hub_queue *queue, struct hub_work *work)
{
	work->next = NULL;
	if (queue->first == NULL)
		queue->first = work;
	else
		queue->last->next = work;
	queue->last = work;
	queue->n++;
}

struct hub_work *
hub_queue_take(struct hub_queue *queue)
{
	struct hub_work *work = queue->first;

	if (work == NULL)
		return NULL;
	queue->first = work->next;
	queue->n--;
	work->next = NULL;
	return work;
}

void
hub_queue_give_back(struct hub_queue *from, unsigned n, struct hub_queue *to)
{
	struct hub_queue rest = { 0 }, kept = { 0 };
	struct hub_work *work;

	while ((work = hub_queue_take(from)) != NULL)
		hub_queue_add(kept.n < n ? &kept : &rest, work);
	*from = kept;
	if (rest.first == NULL)
		return;
	rest.last->next = to->first;
	if (to->first == NULL)
		to->last = rest.last;
	to->first = rest.first;
	to->n += rest.n;
}

#include "master/queue_age.h"

#include <stddef.h>
#include <string.h>

#define SAMPLES (sizeof((struct queue_age){ 0 }.sample) / \
	sizeof(struct queue_sample))

static void
drop_oldest(struct queue_age *age, unsigned n)
{
	age->n -= n;
	memmove(age->sample, age->sample + n, age->n * sizeof(*age->sample));
}

/* Samples that are older than the newest one of that age tell no more than
 * this. */
static void
drop_old(struct queue_age *age, int64_t at)
{
	unsigned n = 0;

	while (n + 1 < age->n && age->sample[n + 1].at <= at)
		n++;
	drop_oldest(age, n);
}

static void
add_sample(struct queue_age *age, int64_t now, int64_t apart, uint64_t come)
{
	if (age->n > 0 && now - age->sample[age->n - 1].at < apart)
		return;
	if (age->n == SAMPLES)
		drop_oldest(age, 1);
	age->sample[age->n++] = (struct queue_sample){ now, come };
}

unsigned
queue_age_look(struct queue_age *age, int64_t now, int64_t limit,
    unsigned waiting, uint64_t accepted, int64_t *since)
{
	const struct queue_sample *oldest = &age->sample[0];
	uint64_t there;

	if (accepted < age->accepted)
		age->n = 0;
	age->accepted = accepted;
	drop_old(age, now - limit);
	add_sample(age, now, limit / QUEUE_AGE_PARTS, accepted + waiting);
	if (oldest->at > now - limit || oldest->come <= accepted)
		return 0;
	*since = oldest->at;
	there = oldest->come - accepted;
	return there < waiting ? (unsigned)there : waiting;
}

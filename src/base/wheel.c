#include "base/wheel.h"

#include <stddef.h>
#include <string.h>

void
wheel_init(struct wheel *wheel, int64_t now)
{
	memset(wheel, 0, sizeof(*wheel));
	wheel->origin = now;
	wheel->soonest = UINT32_MAX;
}

void
wheel_clear(struct wheel *wheel, struct wheel_timer *timer)
{
	if (timer->back == NULL)
		return;
	*timer->back = timer->next;
	if (timer->next != NULL)
		timer->next->back = timer->back;
	timer->back = NULL;
	wheel->count--;
}

void
wheel_set(struct wheel *wheel, struct wheel_timer *timer, int64_t due)
{
	int64_t tick = (due - wheel->origin + WHEEL_TICK - 1) / WHEEL_TICK;
	struct wheel_timer **slot;

	wheel_clear(wheel, timer);
	timer->due = tick <= wheel->now ? wheel->now + 1 : (uint32_t)tick;
	slot = &wheel->slot[timer->due % WHEEL_SLOTS];
	timer->next = *slot;
	if (*slot != NULL)
		(*slot)->back = &timer->next;
	timer->back = slot;
	*slot = timer;
	wheel->count++;
	if (timer->due < wheel->soonest)
		wheel->soonest = timer->due;
}

int64_t
wheel_when(const struct wheel *wheel, const struct wheel_timer *timer)
{
	return timer->back == NULL ? -1 :
	    wheel->origin + (int64_t)timer->due * WHEEL_TICK;
}

/* Whatever is set is due after wheel->now. */
struct wheel_timer *
wheel_expired(struct wheel *wheel, int64_t now)
{
	uint32_t until = (uint32_t)((now - wheel->origin) / WHEEL_TICK);
	struct wheel_timer *t;

	if (wheel->count == 0 && until > wheel->now)
		wheel->now = until;
	while (wheel->now < until) {
		for (t = wheel->slot[(wheel->now + 1) % WHEEL_SLOTS];
		     t != NULL; t = t->next)
			if (t->due <= wheel->now + 1) {
				wheel_clear(wheel, t);
				return t;
			}
		wheel->now++;
	}
	return NULL;
}

int64_t
wheel_due(struct wheel *wheel)
{
	uint32_t tick = wheel->now + 1;

	if (wheel->count == 0) {
		wheel->soonest = UINT32_MAX;
		return -1;
	}
	if (wheel->soonest <= wheel->now) {
		while (wheel->slot[tick % WHEEL_SLOTS] == NULL)
			tick++;
		wheel->soonest = tick;
	}
	return wheel->origin + (int64_t)wheel->soonest * WHEEL_TICK;
}

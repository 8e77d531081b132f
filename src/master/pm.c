#include "master/pm.h"

#define PM_PAUSE 1000 /* ms between two retirements, and between two looks at
			 whether workers have become idle, which they do not
			 tell */

static int64_t
pm_least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t
pm_most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Workers that serve or will; without those that leave. */
static int64_t
pm_present(const struct pm_view *view)
{
	return (int64_t)view->starting + view->idle + view->busy;
}

/* Processes that may still be added; below 0 after max was lowered. */
static int64_t
pm_room(const struct conf_workers *limits, const struct pm_view *view)
{
	return limits->max - pm_present(view) - view->leaving;
}

/* How many workers are missing, whatever the room; may be negative. */
static int64_t
pm_want(const struct conf_workers *limits, const struct pm_view *view)
{
	int64_t available = (int64_t)view->starting + view->idle;
	int64_t want = (int64_t)view->queued - available;

	if (limits->mode == MODE_STATIC)
		return limits->max - pm_present(view);
	if (limits->mode == MODE_DYNAMIC)
		want = pm_most(want, limits->min_spare - available);
	return want;
}

static unsigned
pm_spawn(const struct conf_workers *limits, const struct pm_view *view)
{
	int64_t n = pm_least(pm_want(limits, view), pm_room(limits, view));

	if (limits->mode == MODE_DYNAMIC)
		n = pm_least(n, limits->spawn_rate);
	return n > 0 ? (unsigned)n : 0;
}

/* How long workers that are not needed stay, in ms. */
static int64_t
pm_patience(const struct conf_workers *limits)
{
	return limits->mode == MODE_ONDEMAND ? limits->idle_timeout : PM_PAUSE;
}

static unsigned
pm_retire(const struct conf_workers *limits, const struct pm_view *view)
{
	int64_t excess = pm_present(view) - limits->max;

	if (excess > 0)
		return (unsigned)pm_least(excess, view->idle);
	if (!pm_spare(limits, view->idle) || view->queued > 0 ||
	    view->idle_since < 0 ||
	    view->now - view->idle_since < pm_patience(limits))
		return 0;
	if (limits->mode == MODE_ONDEMAND)
		return view->idle;
	return view->starting == 0 ? 1 : 0;
}

/* True if time alone, or a worker that becomes idle, may call for a step. */
static bool
pm_changes(const struct conf_workers *limits, const struct pm_view *view,
    const struct pm_step *step)
{
	int64_t left = pm_present(view) - step->retire;

	if (left > limits->max)
		return true;
	if (limits->mode == MODE_STATIC)
		return false;
	if (limits->mode == MODE_ONDEMAND)
		return left > view->starting;
	/* More than may be idle, or cut short by spawn_rate. */
	return left > limits->max_spare || (step->spawn > 0 &&
	    step->spawn < pm_least(pm_want(limits, view),
		pm_room(limits, view)));
}

static int64_t
pm_again(const struct conf_workers *limits, const struct pm_view *view,
    const struct pm_step *step)
{
	int64_t due = view->idle_since + pm_patience(limits);

	if (!pm_changes(limits, view, step))
		return -1;
	if (view->idle_since >= 0 && due > view->now &&
	    pm_spare(limits, view->idle))
		return due;
	return view->now + pm_least(pm_patience(limits), PM_PAUSE);
}

struct pm_step
pm_step(const struct conf_workers *limits, const struct pm_view *view,
    bool throttled)
{
	struct pm_step step = { 0 };
	bool room;

	if (!throttled)
		step.spawn = pm_spawn(limits, view);
	if (step.spawn == 0)
		step.retire = pm_retire(limits, view);
	step.again = pm_again(limits, view, &step);
	room = pm_room(limits, view) > step.spawn;
	if (limits->mode == MODE_DYNAMIC && room)
		step.wake_below = (unsigned)limits->min_spare;
	if (limits->mode == MODE_ONDEMAND && room) {
		step.wake_below = 1;
		step.watch = !throttled && step.spawn == 0 &&
		    view->starting == 0 && view->idle == step.retire;
	}
	return step;
}

bool
pm_spare(const struct conf_workers *limits, unsigned idle)
{
	switch (limits->mode) {
	case MODE_DYNAMIC:
		return idle > limits->max_spare;
	case MODE_ONDEMAND:
		return idle > 0;
	default:
		return false;
	}
}

unsigned
pm_initial(const struct conf_workers *limits)
{
	switch (limits->mode) {
	case MODE_STATIC:
		return (unsigned)limits->max;
	case MODE_DYNAMIC:
		return (unsigned)limits->start;
	default:
		return 0;
	}
}

#include "worker/serve/retire.h"

#include <sys/random.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "worker/serve/recycle.h"

#define SHOW_EVERY 100 /* ms between updates of resident memory in the status */

static struct {
	const struct worker_args *args;
	struct recycle recycle;
	uint64_t served;
	int statm; /* /proc/self/statm, -1: not there */
	int64_t shown; /* clock_ms() of the last update for the status */
	bool told; /* that it asks for a successor has been logged */
	bool renews; /* retire_renews */
} self = { .recycle = { .again = -1 }, .statm = -1 };

void
retire_prepare(const struct worker_args *args)
{
	self.args = args;
	if (args->channel == -1)
		return;
	self.statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	if (self.statm == -1 && args->pool->limits.rss > 0)
		log_warning("limits.rss has no effect: /proc/self/statm: %s",
		    strerror(errno));
}

/* Bytes of resident memory, 0 if not known; they are put into the status. */
static int64_t
resident(void)
{
	char text[128];
	ssize_t n = pread(self.statm, text, sizeof(text) - 1, 0);
	int64_t bytes;
	long pages;

	if (n <= 0)
		return 0;
	text[n] = '\0';
	if (sscanf(text, "%*s %ld", &pages) != 1)
		return 0;
	bytes = (int64_t)pages * sysconf(_SC_PAGESIZE);
	score_gauge(self.args->score, GAUGE_RSS, bytes);
	return bytes;
}

/* limits.rss, or 0 if a fresh worker is above it already: such a limit would
 * replace workers without end. */
static int64_t
rss_limit(void)
{
	int64_t limit = self.args->pool->limits.rss, now = resident();
	char one[NUM_TEXT], other[NUM_TEXT];

	if (self.statm == -1 || limit == 0)
		return 0;
	if (now <= limit)
		return limit;
	log_warning("limits.rss, %s, is ignored: a fresh worker has %s",
	    num_size_text(limit, one), num_size_text(now, other));
	return 0;
}

void
retire_begin(void)
{
	const struct conf_pool *pool = self.args->pool;
	const struct recycle_limits limits = { pool->workers.max_requests,
		pool->workers.max_age, rss_limit() };
	uint64_t seed;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) !=
	    (ssize_t)sizeof(seed))
		seed = (uint64_t)clock_us() * (uint64_t)getpid();
	recycle_begin(&self.recycle, &limits, seed, clock_ms());
}

static const enum score_cause causes[] = {
	[RECYCLE_REQUESTS] = CAUSE_REQUESTS,
	[RECYCLE_AGE] = CAUSE_AGE,
	[RECYCLE_RSS] = CAUSE_RSS,
	[RECYCLE_MEMORY] = CAUSE_MEMORY,
	[RECYCLE_WISH] = CAUSE_RETIRE,
};

static void
ask(int64_t now)
{
	struct recycle *r = &self.recycle;
	char text[RECYCLE_TEXT];

	if (!recycle_ask(r, now))
		return;
	score_because(self.args->score, causes[r->reason]);
	recycle_text(r, now, text);
	if (self.told)
		log_debug("still waits for a successor: %s", text);
	else
		log_info("asks for a successor: %s", text);
	self.told = true;
	self.renews = self.args->channel == -1;
	worker_say(self.args, WORD_REPLACE);
}

void
retire_served(int64_t now, bool exhausted)
{
	struct recycle *r = &self.recycle;

	recycle_requests(r, ++self.served);
	if (exhausted)
		recycle_memory(r);
	if (recycle_wants_rss(r, now) ||
	    (self.statm != -1 && now - self.shown >= SHOW_EVERY)) {
		recycle_rss(r, resident(), now);
		self.shown = now;
	}
	ask(now);
}

void
retire_wish(void)
{
	recycle_wish(&self.recycle);
}

void
retire_consider(void)
{
	ask(clock_ms());
}

bool
retire_renews(void)
{
	bool renews = self.renews;

	self.renews = false;
	return renews;
}

int64_t
retire_due(void)
{
	return recycle_next(&self.recycle);
}

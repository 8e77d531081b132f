#include "master/hub_process.h"

#include <sys/mman.h>

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/fd_leave.h"
#include "base/log.h"
#include "base/sealed.h"
#include "base/tuning.h"
#include "ipc/channel.h"
#include "ipc/hub_limits.h"
#include "ipc/hub_record.h"

#define STARVED 500 /* ms that a hub's word that a message waits is believed:
		       it repeats it sooner */

#define MOST (UINT64_C(1) << 53) /* of a number in the status, as all readers of
				    JSON can have it */

#define HEIR_PAUSE (5 * 1000) /* ms: a hub that says that it is outdated, and
				 lets no other take its place, is not believed
				 sooner */

#define LEAVE_OTHER (60 * 1000) /* ms that a hub of another build has to close
				   its sockets */
#define PASSED	    (10 * 1000) /* ms that a process has to end which has
				   passed its sockets on */

static struct slot *
serving(struct hub_process *p)
{
	return &p->slots[p->serving];
}

/* The one that is to take its place, or has left it. */
static struct slot *
other(struct hub_process *p)
{
	return &p->slots[1 - p->serving];
}

static bool
lives(const struct slot *slot)
{
	return slot->state != SLOT_FREE;
}

static bool
any_lives(const struct hub_process *p)
{
	return lives(&p->slots[0]) || lives(&p->slots[1]);
}

/* ---- made and closed ------------------------------------------------------- */

/* Map the page, or make one; without it the numbers in the status are 0. */
static void
map_page(struct hub_process *p)
{
	void *facts;

	if (p->page == -1 || !sealed_is_room(p->page, sizeof(*p->facts))) {
		fd_close(&p->page);
		p->page = sealed_room("lua-fpm-hub", sizeof(*p->facts));
	}
	if (p->page == -1)
		return;
	facts = mmap(NULL, sizeof(*p->facts), PROT_READ, MAP_SHARED, p->page,
	    0);
	p->facts = facts == MAP_FAILED ? NULL : facts;
}

static void
free_process(struct hub_process *p)
{
	fd_leave_pair(p->door);
	fd_close(&p->page);
	if (p->facts != NULL)
		munmap((void *)(uintptr_t)p->facts, sizeof(*p->facts));
	for (int i = 0; i < 2; i++) {
		board_free(p->boards[i]);
		slot_close(&p->slots[i]);
	}
	free(p);
}

static struct hub_process *
make(void)
{
	struct hub_process *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->refs = 1;
	p->door[0] = p->door[1] = p->page = -1;
	p->version = HUB_VERSION;
	return p;
}

/* What only a pool with WebSockets has.  0, or -1 with errno. */
static int
provide(struct hub_process *p)
{
	for (int i = 0; i < 2; i++)
		if (p->boards[i] == NULL &&
		    (p->boards[i] = board_new(1, NULL)) == NULL)
			return -1;
	if (p->facts == NULL)
		map_page(p);
	return 0;
}

struct hub_process *
hub_process_open(struct hub_process *other)
{
	struct hub_process *p;

	if (other != NULL) {
		other->refs++;
		return other;
	}
	p = make();
	if (p == NULL)
		return NULL;
	if (fd_pair(p->door) == -1) {
		free_process(p);
		return NULL;
	}
	return p;
}

void
hub_process_close(struct hub_process *p, const void *arg)
{
	if (p == NULL)
		return;
	if (p->arg == arg)
		p->wake = NULL;
	if (--p->refs == 0)
		free_process(p);
}

int
hub_process_entrance(struct hub_process *p)
{
	int door[2];

	if (fd_is_shut(p->door[0]) && fd_pair(door) == 0) {
		fd_leave_pair(p->door);
		memcpy(p->door, door, sizeof(door));
		p->outdated = any_lives(p);
	}
	return p->door[1];
}

void
hub_process_need(struct hub_process *p, bool known)
{
	p->known = known;
}

void
hub_process_configure(const struct hub_process *p,
    const struct conf_websocket *limits)
{
	const struct slot *slot;
	int memory = any_lives(p) ? hub_limits_make(limits) : -1;

	for (slot = p->slots; memory != -1 && slot < p->slots + 2; slot++)
		if (lives(slot) && slot->channel != -1 && !slot->foreign)
			channel_send_limits(slot->channel, memory);
	fd_close(&memory);
}

void
hub_process_use(struct hub_process *p, bool *user, bool serves)
{
	if (*user == serves)
		return;
	*user = serves;
	if (serves)
		p->users++;
	else
		p->users--;
}

/* ---- what it says ------------------------------------------------------------ */

/* It serves from now on, and whoever did before ends. */
static void
is_ready(struct hub_process *p, struct slot *slot)
{
	slot->state = SLOT_UP;
	slot->due = -1;
	backoff_ready(&p->backoff);
	slot_log(slot, LEVEL_DEBUG, "is ready for WebSockets");
	if (slot == serving(p))
		return;
	p->serving = 1 - p->serving;
	p->version = HUB_VERSION;
	slot_log(slot, LEVEL_NOTICE, "has taken over the WebSockets");
	if (!lives(other(p)))
		return;
	other(p)->state = SLOT_LEAVING;
	other(p)->due = clock_ms() + PASSED;
}

static void
heard(void *arg, struct slot *slot, enum worker_word word)
{
	struct hub_process *p = arg;

	if (word == WORD_READY && slot->state == SLOT_STARTING)
		is_ready(p, slot);
	else if (word == WORD_LEAVING && slot->state != SLOT_STARTING)
		slot->state = SLOT_LEAVING;
	else if (word == WORD_CROWDED)
		p->starved = clock_ms();
	else if (word == WORD_REPLACE && slot == serving(p))
		p->outdated = true;
	else
		return;
	if (p->wake != NULL)
		p->wake(p->arg);
}

static const char *
state_name(const struct slot *slot)
{
	switch (slot->state) {
	case SLOT_STARTING:
		return "Starting";
	case SLOT_UP:
		return "Running";
	case SLOT_LEAVING:
		return "Leaving";
	default:
		return "Waiting";
	}
}

/* Its numbers are about its own pool alone, and may be anything; those of now
 * are the last hub's until a new one is ready. */
void
hub_process_status(const struct hub_process *p, struct status *status)
{
	const struct slot *slot = &p->slots[p->serving];
	bool is_up = lives(slot) && slot->state != SLOT_STARTING;
	uint64_t n;

	status->has_hub = p->known || any_lives(p);
	if (!status->has_hub)
		return;
	snprintf(status->hub_state, sizeof(status->hub_state), "%s",
	    state_name(slot));
	status->hub_pid = lives(slot) ? slot->pid : 0;
	for (unsigned i = 0; i < HUB_FACTS; i++) {
		n = p->facts == NULL ? 0 : atomic_load(&p->facts->fact[i]);
		if (!is_up && (HUB_GAUGES >> i & 1) != 0)
			n = 0;
		status->hub[i] = n < MOST ? n : MOST;
	}
}

/* ---- steps --------------------------------------------------------------------- */

/* `from`: its end of the pair to the one that serves; -1: there is none. */
static int
fork_one(struct hub_process *p, const struct hub_process_order *order,
    struct slot *slot, int from)
{
	const struct spawn_order spawned = {
		.args = { .kind = WORKER_KIND_HUB, .pool = order->pool,
		    .identity = order->identity, .exchange = { from, -1 },
		    .door = p->door[0], .shared = &p->page, .nshared = 1 },
		.board = p->boards[slot - p->slots],
	};

	return slot_fork(slot, &spawned, order->loop,
	    order->pool->timeouts.start, heard, p);
}

static void
start(struct hub_process *p, const struct hub_process_order *order,
    int64_t now)
{
	hub_process_entrance(p);
	p->outdated = false;
	p->version = HUB_VERSION;
	if (provide(p) == 0 && fork_one(p, order, serving(p), -1) == 0) {
		p->fork_failed = false;
		return;
	}
	if (!p->fork_failed)
		log_error("pool %s: cannot fork the process of its "
		    "WebSockets: %s", order->pool->name, strerror(errno));
	p->fork_failed = true;
	backoff_failed(&p->backoff, now, true, 0);
}

/* The one that serves keeps its sockets, unless workers of this build cannot
 * talk to it. */
static void
heir_failed(struct hub_process *p, const char *why)
{
	bool closes = p->version != HUB_VERSION;

	p->retry = clock_ms() + HEIR_PAUSE;
	slot_log(serving(p), LEVEL_ERROR, "no other process takes over the "
	    "WebSockets (%s): %s", why, closes ?
	    "they are closed, as it is of another build" :
	    "they stay with this one, which runs its old code");
	if (closes)
		slot_tell_leave(serving(p), LEAVE_OTHER);
}

/* Each time that it is outdated it is tried once. */
static void
start_heir(struct hub_process *p, const struct hub_process_order *order)
{
	int pair[2] = { -1, -1 };
	bool good;

	hub_process_entrance(p);
	p->outdated = false;
	good = fd_pair(pair) == 0 &&
	    channel_send_heir(serving(p)->channel, pair[1]) == 0 &&
	    fork_one(p, order, other(p), pair[0]) == 0;
	if (!good)
		heir_failed(p, strerror(errno));
	/* The one that serves has an end by now, and may have sent anything. */
	fd_leave(pair, 2);
}

static void
kill_overdue(struct slot *slot, int64_t now)
{
	if (!lives(slot) || slot->due == -1 || slot->due > now)
		return;
	slot_log(slot, LEVEL_WARNING, "the process of WebSockets %s in "
	    "time: killed", slot->state == SLOT_STARTING ? "is not ready" :
							   "does not leave");
	slot_kill(slot);
}

int64_t
hub_process_farewell(const struct conf_pool *pool)
{
	return pool->websocket.drain + tuning.close + pool->timeouts.stop;
}

static void
tell_leave(struct hub_process *p, int64_t limit)
{
	for (int i = 0; i < 2; i++)
		if (lives(&p->slots[i]) && p->slots[i].state != SLOT_LEAVING)
			slot_tell_leave(&p->slots[i], limit);
}

static int64_t
due(const struct slot *slot)
{
	return slot->state == SLOT_FREE ? -1 : slot->due;
}

int64_t
hub_process_step(struct hub_process *p, const struct hub_process_order *order,
    int64_t now)
{
	bool wanted = p->users > 0 && p->known;

	p->wake = order->wake;
	p->arg = order->arg;
	if (!any_lives(p) && wanted) {
		if (backoff_active(&p->backoff, now))
			return p->backoff.until;
		start(p, order, now);
	}
	if (!any_lives(p))
		return wanted ? p->backoff.until : -1;
	if (!wanted)
		tell_leave(p, hub_process_farewell(order->pool));
	else if (p->outdated && serving(p)->state == SLOT_UP &&
	    serving(p)->channel != -1 && !lives(other(p)) && p->retry <= now)
		start_heir(p, order);
	for (int i = 0; i < 2; i++)
		kill_overdue(&p->slots[i], now);
	return clock_sooner(clock_sooner(due(serving(p)), due(other(p))),
	    p->outdated && p->retry > now ? p->retry : -1);
}

bool
hub_process_is_tried(const struct hub_process *p)
{
	const struct slot *slot = &p->slots[p->serving];

	return p->users == 0 || !p->known || p->backoff.failures > 0 ||
	    (lives(slot) && slot->state != SLOT_STARTING);
}

bool
hub_process_lingers(const struct hub_process *p)
{
	return p->users == 0 && any_lives(p);
}

bool
hub_process_waits(const struct hub_process *p, int64_t now)
{
	return p->starved > 0 && now - p->starved < STARVED;
}

int
hub_process_door(const struct hub_process *p, struct why *why)
{
	if (p->known && p->slots[p->serving].state == SLOT_UP)
		return p->door[1];
	why_set(why, p->known ? "the process of its WebSockets is not ready: "
				"try again later" :
				"its application has no WebSockets");
	return -1;
}

void
hub_process_hasten(struct hub_process *p, int64_t limit)
{
	if (p->users > 0)
		return;
	for (int i = 0; i < 2; i++)
		if (lives(&p->slots[i])) {
			slot_tell_leave(&p->slots[i], limit);
			kill(p->slots[i].pid, SIGQUIT); /* at once */
		}
}

void
hub_process_kill(struct hub_process *p)
{
	if (p->users > 0)
		return;
	for (int i = 0; i < 2; i++)
		slot_kill(&p->slots[i]);
}

void
hub_process_send_level(const struct hub_process *p)
{
	for (int i = 0; i < 2; i++)
		if (lives(&p->slots[i]) && p->slots[i].channel != -1)
			channel_send_level(p->slots[i].channel,
			    log_level_now());
}

/* ---- its end --------------------------------------------------------------------- */

/* It served, or was the only one. */
static void
judge_end(struct hub_process *p, struct slot *slot, int status)
{
	int64_t now = clock_ms();
	char end[64];

	if (slot->state == SLOT_LEAVING)
		return;
	if (!slot->killed)
		slot_log(slot, LEVEL_ERROR, "the process of WebSockets %s, and "
		    "they are closed", slot_end_text(status, end,
			sizeof(end)));
	backoff_failed(&p->backoff, now, slot->state == SLOT_UP,
	    now - slot->born);
}

/* It would have taken over, and may have said why it does not; or it was about
 * to say that it has. */
static void
judge_heir(struct hub_process *p, struct slot *slot, int status)
{
	char end[64];

	if (slot->state != SLOT_STARTING)
		return;
	if (serving(p)->state == SLOT_UP)
		heir_failed(p, slot_end_text(status, end, sizeof(end)));
	else
		judge_end(p, slot, status);
}

bool
hub_process_reap(struct hub_process *p, pid_t pid, int status)
{
	struct slot *slot = p->slots;

	if (!lives(slot) || slot->pid != pid)
		slot++;
	if (!lives(slot) || slot->pid != pid)
		return false;
	slot_ended(slot);
	log_bury(board_repeats(p->boards[slot - p->slots], 0),
	    slot->output.pool, pid);
	if (slot == serving(p))
		judge_end(p, slot, status);
	else
		judge_heir(p, slot, status);
	slot_bury(slot);
	board_dead(p->boards[slot - p->slots], 0);
	return true;
}

/* ---- over an upgrade in place -------------------------------------------------------- */

static void
put_slot(const struct hub_process *p, const struct slot *slot,
    const char *name, const char *board, struct buf *out)
{
	struct buf record = { 0 };

	if (!lives(slot))
		return;
	board_hand_over(p->boards[slot - p->slots], &record);
	record_put_records(out, board, &record);
	slot_hand_over(slot, &record);
	record_put_records(out, name, &record);
}

void
hub_process_hand_over(const struct hub_process *p, struct buf *out)
{
	const struct slot *slot = &p->slots[p->serving];

	record_put_fd(out, "door_in", p->door[0]);
	record_put_fd(out, "door_out", p->door[1]);
	record_put_fd(out, "page", p->page);
	record_put_number(out, "known", p->known);
	record_put_number(out, "version", p->version);
	put_slot(p, slot, "slot", "board", out);
	slot = &p->slots[1 - p->serving];
	put_slot(p, slot, "other_slot", "other_board", out);
}

static void
take_slot(struct hub_process *p, const struct record *record, unsigned i,
    struct loop *loop, const char *pool)
{
	struct board *board = NULL;
	struct record part;

	if (record_find(record, i == 0 ? "board" : "other_board", &part))
		board = board_take_over(&part);
	if (board != NULL) {
		board_free(p->boards[i]);
		p->boards[i] = board;
	}
	if (record_find(record, i == 0 ? "slot" : "other_slot", &part))
		slot_take_over(&p->slots[i], &part, loop, pool, heard, p);
}

struct hub_process *
hub_process_take_over(const struct record *record, struct loop *loop,
    const char *pool)
{
	struct hub_process *p = make();
	struct record slot;

	if (p == NULL)
		return NULL;
	p->door[0] = record_fd(record, "door_in");
	p->door[1] = record_fd(record, "door_out");
	p->page = record_fd(record, "page");
	p->known = record_number(record, "known", 0) != 0;
	p->version = record_number(record, "version", 0);
	p->outdated = true;
	if ((record_find(record, "slot", &slot) ||
		record_find(record, "other_slot", &slot)) && provide(p) == -1) {
		free_process(p);
		return NULL;
	}
	for (unsigned i = 0; i < 2; i++)
		take_slot(p, record, i, loop, pool);
	if ((p->door[0] != -1 && p->door[1] != -1) || fd_pair(p->door) == 0)
		return p;
	free_process(p);
	return NULL;
}

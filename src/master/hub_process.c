#include "master/hub_process.h"

#include <sys/mman.h>

#include <errno.h>
#include <stdatomic.h>
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

#define LEAVE_OTHER (60 * 1000) /* ms that a hub of another build has to close
				   its sockets */

/* ---- made and closed ------------------------------------------------------- */

/* Without its page there are no numbers in the status. */
static void
map_page(struct hub_process *p)
{
	void *facts;

	if (p->page == -1 || !sealed_is_room(p->page, sizeof(*p->facts)))
		return;
	facts = mmap(NULL, sizeof(*p->facts), PROT_READ, MAP_SHARED, p->page,
	    0);
	p->facts = facts == MAP_FAILED ? NULL : facts;
}

static struct hub_process *
make(void)
{
	struct hub_process *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->refs = 1;
	p->door[0] = p->door[1] = p->page = -1;
	p->board = board_new(1, NULL);
	if (p->board != NULL)
		return p;
	free(p);
	return NULL;
}

static void
free_process(struct hub_process *p)
{
	fd_leave(p->door, 2);
	fd_close(&p->page);
	if (p->facts != NULL)
		munmap((void *)(uintptr_t)p->facts, sizeof(*p->facts));
	board_free(p->board);
	buf_free(&p->slot.output.line);
	free(p);
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
	p->page = sealed_room("lua-fpm-hub", sizeof(*p->facts));
	map_page(p);
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

void
hub_process_need(struct hub_process *p, bool known)
{
	p->known = known;
}

void
hub_process_configure(const struct hub_process *p,
    const struct conf_websocket *limits)
{
	int memory;

	if (p->slot.state == SLOT_FREE || p->slot.channel == -1 ||
	    p->slot.foreign)
		return;
	memory = hub_limits_make(limits);
	if (memory != -1)
		channel_send_limits(p->slot.channel, memory);
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

static bool
lives(const struct hub_process *p)
{
	return p->slot.state != SLOT_FREE;
}

/* ---- what it says ------------------------------------------------------------ */

static void
heard(void *arg, struct slot *slot, enum worker_word word)
{
	struct hub_process *p = arg;

	if (word == WORD_READY && slot->state == SLOT_STARTING) {
		slot->state = SLOT_UP;
		slot->due = -1;
		backoff_ready(&p->backoff);
		slot_log(slot, LEVEL_DEBUG, "is ready for WebSockets");
	} else if (word == WORD_LEAVING && slot->state != SLOT_STARTING) {
		slot->state = SLOT_LEAVING;
	} else if (word == WORD_CROWDED) {
		p->starved = clock_ms();
	} else {
		return;
	}
	if (p->wake != NULL)
		p->wake(p->arg);
}

/* ---- steps --------------------------------------------------------------------- */

static void
start(struct hub_process *p, const struct hub_process_order *order,
    int64_t now)
{
	const struct spawn_order spawned = {
		.args = { .kind = WORKER_KIND_HUB, .pool = order->pool,
		    .identity = order->identity, .exchange = { -1, -1 },
		    .door = p->door[0], .shared = &p->page, .nshared = 1 },
		.board = p->board,
	};

	if (slot_fork(&p->slot, &spawned, order->loop,
		order->pool->timeouts.start, heard, p) == 0) {
		p->fork_failed = false;
		return;
	}
	if (!p->fork_failed)
		log_error("pool %s: cannot fork the process of its "
		    "WebSockets: %s", order->pool->name, strerror(errno));
	p->fork_failed = true;
	backoff_failed(&p->backoff, now, true, 0);
}

static void
kill_overdue(struct hub_process *p)
{
	slot_log(&p->slot, LEVEL_WARNING, "the process of WebSockets %s in "
	    "time: killed", p->slot.state == SLOT_STARTING ? "is not ready" :
							     "does not leave");
	slot_kill(&p->slot);
}

int64_t
hub_process_farewell(const struct conf_pool *pool)
{
	return pool->websocket.drain + tuning.close + pool->timeouts.stop;
}

int64_t
hub_process_step(struct hub_process *p, const struct hub_process_order *order,
    int64_t now)
{
	bool wanted = p->users > 0 && p->known;

	p->wake = order->wake;
	p->arg = order->arg;
	if (!lives(p) && wanted) {
		if (backoff_active(&p->backoff, now))
			return p->backoff.until;
		start(p, order, now);
	}
	if (!lives(p))
		return wanted ? p->backoff.until : -1;
	if (!wanted && p->slot.state != SLOT_LEAVING)
		slot_tell_leave(&p->slot, hub_process_farewell(order->pool));
	if (p->slot.due != -1 && p->slot.due <= now)
		kill_overdue(p);
	return p->slot.due;
}

bool
hub_process_lingers(const struct hub_process *p)
{
	return p->users == 0 && lives(p);
}

bool
hub_process_waits(const struct hub_process *p, int64_t now)
{
	return p->starved > 0 && now - p->starved < STARVED;
}

int
hub_process_door(const struct hub_process *p, struct why *why)
{
	if (p->known && p->slot.state == SLOT_UP)
		return p->door[1];
	why_set(why, p->known ? "the process of its WebSockets is not ready: "
				"try again later" :
				"its application has no WebSockets");
	return -1;
}

void
hub_process_status(const struct hub_process *p, struct status *status)
{
	status->has_hub = lives(p) && p->facts != NULL;
	for (int i = 0; status->has_hub && i < HUB_FACTS; i++)
		status->hub[i] = atomic_load(&p->facts->fact[i]);
}

void
hub_process_hasten(struct hub_process *p, int64_t limit)
{
	if (p->users == 0 && lives(p))
		slot_tell_leave(&p->slot, limit);
}

void
hub_process_kill(struct hub_process *p)
{
	if (p->users == 0)
		slot_kill(&p->slot);
}

void
hub_process_send_level(const struct hub_process *p)
{
	if (lives(p) && p->slot.channel != -1)
		channel_send_level(p->slot.channel, log_level_now());
}

/* ---- its end --------------------------------------------------------------------- */

bool
hub_process_reap(struct hub_process *p, pid_t pid, int status)
{
	struct slot *slot = &p->slot;
	int64_t now = clock_ms();
	char end[64];

	if (!lives(p) || slot->pid != pid)
		return false;
	slot_ended(slot);
	log_bury(board_repeats(p->board, 0), slot->output.pool, pid);
	if (slot->state != SLOT_LEAVING) {
		if (!slot->killed)
			slot_log(slot, LEVEL_ERROR, "the process of "
			    "WebSockets %s, and they are closed",
			    slot_end_text(status, end, sizeof(end)));
		backoff_failed(&p->backoff, now, slot->state == SLOT_UP,
		    now - slot->born);
	}
	slot_bury(slot);
	board_dead(p->board, 0);
	return true;
}

/* ---- over an upgrade in place -------------------------------------------------------- */

void
hub_process_hand_over(const struct hub_process *p, struct buf *out)
{
	struct buf record = { 0 };

	record_put_fd(out, "door_in", p->door[0]);
	record_put_fd(out, "door_out", p->door[1]);
	record_put_fd(out, "page", p->page);
	record_put_number(out, "known", p->known);
	record_put_number(out, "version", HUB_VERSION);
	if (!lives(p))
		return;
	board_hand_over(p->board, &record);
	record_put(out, "board", record.data, record.len);
	out->failed |= record.failed;
	buf_clear(&record);
	slot_hand_over(&p->slot, &record);
	record_put(out, "slot", record.data, record.len);
	out->failed |= record.failed;
	buf_free(&record);
}

struct hub_process *
hub_process_take_over(const struct record *record, struct loop *loop,
    const char *pool)
{
	struct hub_process *p = make();
	struct board *board = NULL;
	struct record part;

	if (p == NULL)
		return NULL;
	p->door[0] = record_fd(record, "door_in");
	p->door[1] = record_fd(record, "door_out");
	p->page = record_fd(record, "page");
	map_page(p);
	p->known = record_number(record, "known", 0) != 0;
	if (record_find(record, "board", &part))
		board = board_take_over(&part);
	if (board != NULL) {
		board_free(p->board);
		p->board = board;
	}
	if (record_find(record, "slot", &part))
		slot_take_over(&p->slot, &part, loop, pool, heard, p);
	/* Workers of this build could not talk to it. */
	if (lives(p) && record_number(record, "version", 0) != HUB_VERSION) {
		log_warning("pool %s: the process of WebSockets is of another "
		    "build: it closes them, and is replaced", pool);
		slot_tell_leave(&p->slot, LEAVE_OTHER);
	}
	if ((p->door[0] != -1 && p->door[1] != -1) || fd_pair(p->door) == 0)
		return p;
	free_process(p);
	return NULL;
}

#include "master/status_server.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

int
status_server_open(struct status_server *server, const struct conf_pool *pool,
    struct why *why)
{
	const struct conf_list *list = &pool->status_listen;

	server->listens.exchange[0] = server->listens.exchange[1] = -1;
	if (list->n == 0)
		return 0;
	server->board = board_new(1, NULL);
	if (server->board == NULL) {
		why_set(why, "%s", strerror(errno));
		return -1;
	}
	return listen_set_bind(&server->listens, pool, list, why);
}

void
status_server_close(struct status_server *server)
{
	listen_set_close(&server->listens);
	board_free(server->board);
	slot_close(&server->slot);
}

bool
status_server_lives(const struct status_server *server)
{
	return server->slot.state != SLOT_FREE;
}

static void
heard(void *arg, struct slot *slot, enum worker_word word)
{
	struct status_server *server = arg;

	if (word == WORD_READY && slot->state == SLOT_STARTING) {
		slot->state = SLOT_UP;
		slot->due = -1;
		backoff_ready(&server->backoff);
	} else if (word == WORD_LEAVING && slot->state != SLOT_STARTING) {
		slot->state = SLOT_LEAVING;
	} else if (word == WORD_STATUS) {
		server->asked(server->arg, slot);
	}
}

static void
start(struct status_server *server, const struct status_server_order *order,
    int64_t now)
{
	const struct spawn_order spawned = {
		.args = { .kind = WORKER_KIND_STATUS, .pool = order->pool,
		    .identity = order->identity,
		    .listeners = server->listens.fds,
		    .protocols = server->listens.protocols,
		    .nlisteners = server->listens.n,
		    .exchange = { -1, -1 }, .door = -1 },
		.board = server->board,
	};

	if (slot_fork(&server->slot, &spawned, order->loop,
		order->pool->timeouts.start, heard, server) == 0) {
		server->fork_failed = false;
		return;
	}
	if (!server->fork_failed)
		log_error("pool %s: cannot fork the process of status_listen: "
		    "%s", order->pool->name, strerror(errno));
	server->fork_failed = true;
	backoff_failed(&server->backoff, now, true, 0);
}

static void
kill_overdue(struct slot *slot)
{
	slot_log(slot, LEVEL_WARNING, "the process of status_listen %s in "
	    "time: killed", slot->state == SLOT_STARTING ? "is not ready" :
							   "does not leave");
	slot_kill(slot);
}

int64_t
status_server_step(struct status_server *server,
    const struct status_server_order *order, bool wanted, int64_t now)
{
	struct slot *slot = &server->slot;

	if (server->listens.n == 0)
		return -1;
	server->asked = order->asked;
	server->arg = order->arg;
	if (!status_server_lives(server) && wanted) {
		if (backoff_active(&server->backoff, now))
			return server->backoff.until;
		start(server, order, now);
	}
	if (!status_server_lives(server))
		return wanted ? server->backoff.until : -1;
	if (!wanted && slot->state != SLOT_LEAVING)
		slot_tell_leave(slot, order->pool->timeouts.stop);
	if (slot->due != -1 && slot->due <= now)
		kill_overdue(slot);
	return slot->due;
}

void
status_server_kill(struct status_server *server)
{
	slot_kill(&server->slot);
}

void
status_server_hand_over(const struct status_server *server, struct buf *out)
{
	slot_hand_over(&server->slot, out);
}

void
status_server_take_over(struct status_server *server,
    const struct record *record, struct loop *loop, const char *pool)
{
	if (server->board != NULL && !status_server_lives(server))
		slot_take_over(&server->slot, record, loop, pool, heard,
		    server);
}

bool
status_server_reap(struct status_server *server, pid_t pid, int status)
{
	struct slot *slot = &server->slot;
	int64_t now = clock_ms();
	char end[64];

	if (!status_server_lives(server) || slot->pid != pid)
		return false;
	slot_ended(slot);
	if (slot->state != SLOT_LEAVING) {
		if (!slot->killed)
			slot_log(slot, LEVEL_WARNING, "the process of "
			    "status_listen %s",
			    slot_end_text(status, end, sizeof(end)));
		backoff_failed(&server->backoff, now,
		    slot->state == SLOT_UP, now - slot->born);
	}
	slot_bury(slot);
	board_dead(server->board, 0);
	return true;
}

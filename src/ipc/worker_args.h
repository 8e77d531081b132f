#ifndef IPC_WORKER_ARGS_H
#define IPC_WORKER_ARGS_H

/*
 * Everything that a process of a pool gets at its birth: a sealed memfd of
 * records with the pool's configuration and the numbers of descriptors.  The
 * master makes it just before fork(2); the new process reads it and has nothing
 * else of the master.  A worker without a master fills struct worker_args
 * itself.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/log_line.h"
#include "conf/conf.h"
#include "ipc/identity.h"
#include "ipc/score.h"
#include "ipc/sink.h"
#include "net/sock_protocol.h"

enum worker_kind {
	WORKER_KIND_APP,
	WORKER_KIND_STATUS, /* answers at status_listen, nothing else */
	WORKER_KIND_TRIAL,  /* loads the application once, for -t */
	WORKER_KIND_TIMERS, /* calls interval when the master says so, listens
			       to nothing */
	WORKER_KIND_HUB	    /* owns the pool's WebSockets (hub/hub.h); runs no
			       application */
};

struct worker_args {
	enum worker_kind kind;
	struct conf *conf;	      /* of this pool only */
	const struct conf_pool *pool; /* environment as by variables_own */
	struct conf_list inherited;   /* variables_inherited */
	struct identity identity;
	int *listeners;		      /* listening, non-blocking */
	enum sock_protocol *protocols; /* what clients speak at each */
	size_t nlisteners;
	int channel;	 /* SOCK_SEQPACKET to the master; -1: no master.  In a
			    trial: a pipe for the reason of a failure */
	int exchange[2]; /* SOCK_SEQPACKET pair of the pool: connections
			    go in at [1] and come out at [0]; -1: none */
	int door;	 /* SOCK_SEQPACKET pair of the pool (hub_record.h):
			    workers knock at the one end, their hub hears it
			    at the other; -1: there is no hub */
	int *shared;	 /* memory of pool->shared (ipc/shared.h), in its order;
			    NULL: each process has its own */
	size_t nshared;
	struct sink *sinks; /* SINK_COUNT of them; the worker may change them */
	struct score *score; /* NULL in a trial */
	unsigned number;     /* of its slot */
	unsigned generation; /* of its pool, from 1 on */
	bool shut; /* its generation is on trial: accept no connection before
		      ORDER_OPEN */
	bool setup; /* nothing is known of app.setup in its generation: say
		       WORD_NO_SETUP, or call it, say WORD_SET_UP and end */
	void (*again)(void); /* without a master: let a fresh worker have this
				process and its listeners; returns on failure */
};

/* The same on the master's side: what worker_args_prepare makes records of. */
struct worker_orders {
	enum worker_kind kind;
	const struct conf_pool *pool;
	const struct identity *identity;
	const int *listeners;
	const enum sock_protocol *protocols;
	size_t nlisteners;
	int channel;
	int exchange[2];
	int door; /* -1: none */
	const int *shared;
	size_t nshared;
	const struct sink *sinks; /* SINK_COUNT; NULL: none */
	int head, slot;		  /* board_lease; -1 in a trial */
	unsigned number;	  /* of the slot */
	unsigned generation;	  /* as above */
	enum log_level level;
	bool shut, setup;
};

/*
 * Make the sealed memfd of the records: its descriptor, or -1 with errno.  In
 * the child, right after vfork(2): become a process of the pool that has it
 * (image_become).
 */
int worker_args_prepare(const struct worker_orders *orders);
void worker_args_become(const struct worker_orders *orders, int memory)
    __attribute__((noreturn));

/*
 * In that process: read the records, close the memfd and take over all
 * descriptors; from here on log lines go to the master, except in a trial.  The
 * result lives as long as the process.  NULL and why: the memfd is not from
 * worker_args_prepare of this build, or memory ran out.
 */
const struct worker_args *worker_args_take(int memory, struct why *why);

/*
 * The version of what the master sends over the channel, to be raised with
 * every change of it: after an upgrade in place workers of one build have a
 * master of the next.  The words of the workers never change their meaning.
 */
#define WORKER_PROTOCOL 2

/* Orders of the master on the channel, one byte each (channel.h). */
enum worker_order {
	ORDER_ASK = 'A',  /* answer whether a HUP would replace you:
			     WORD_OUTDATED or WORD_CURRENT */
	ORDER_OPEN = 'O', /* the trial is over: accept connections */
	ORDER_KEEP = 'K'  /* another application gets your addresses: when you
			     leave, give away only connections that have sent
			     nothing */
};

/* Words of a worker on its channel, one byte each. */
enum worker_word {
	WORD_CLOSED = 0,      /* never sent: the worker closed its channel */
	WORD_NO_SETUP = 'N',  /* the application is loaded and has no setup:
				 the worker goes on to start */
	WORD_SET_UP = 'P',    /* app.setup has succeeded: the worker ends */
	WORD_READY = 'R',     /* the application is loaded and started */
	WORD_CROWDED = 'C',   /* score_busy returned true */
	WORD_REPLACE = 'X',   /* fork a successor, then send TERM: after a HUP,
				 because the application changed on disk or did
				 not restart; or a limit is reached */
	WORD_RESTARTED = 'H', /* after a HUP: the worker stays */
	WORD_OUTDATED = 'D',  /* ORDER_ASK: a HUP would replace the worker */
	WORD_CURRENT = 'U',   /* ORDER_ASK: it would not */
	WORD_FAILED = 'F',    /* the worker does not come up; the reason follows
				 in the same message */
	WORD_STUCK = 'S',     /* a request exceeded its time and did not stop:
				 it was answered, and the worker ends */
	WORD_LEAVING = 'L',   /* the worker has served everything and ends, told
				 to or not */
	WORD_STATUS = 'Q',    /* send the pool's status (CHANNEL_STATUS) */
	WORD_TAKEN = 'T', /* CHANNEL_LOG: the old log is no longer used */
	WORD_WEBSOCKET = 'k', /* the application has `websocket`: start a hub */
	WORD_LOST = 'l',  /* score_lose_line returned true */
	WORD_LOGS = 'w',  /* score_log_works returned true */
	/* CHANNEL_RUN; after the first byte may stand why it failed: */
	WORD_RAN = 'I',	       /* interval has returned */
	WORD_RUN_FAILED = 'i', /* it has raised */
	WORD_RUN_LATE = 'j'    /* it was stopped, being late */
};

/* True if the byte is one of them.  Another build may have more. */
bool worker_is_word(char byte);

/* Send a word to the master without waiting; no effect without a master. */
void worker_say(const struct worker_args *args, enum worker_word word);

/* True if a text may follow the byte of that word in its message. */
bool worker_word_explains(char byte);

/* Send WORD_FAILED, WORD_RUN_FAILED or WORD_RUN_LATE with the reason; the
 * caller also logs it. */
void worker_fail(const struct worker_args *args, const char *why);
void worker_explain(const struct worker_args *args, enum worker_word word,
    const char *why);

#endif

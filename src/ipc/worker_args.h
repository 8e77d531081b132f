#ifndef IPC_WORKER_ARGS_H
#define IPC_WORKER_ARGS_H

/*
 * Everything that a process of a pool is given when it is born: records in a
 * sealed memfd, which tell the pool's configuration, and descriptors by their
 * number.  Made by the master just before fork (or by standalone); read by
 * the process, which has nothing else of the one that made it.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/log_line.h"
#include "conf/conf.h"
#include "ipc/identity.h"
#include "ipc/score.h"
#include "ipc/sink.h"

enum worker_kind {
	WORKER_KIND_APP,
	WORKER_KIND_STATUS, /* answers at status_listen, and that is all */
	WORKER_KIND_TRIAL   /* loads the application once, for -t */
};

struct worker_args {
	enum worker_kind kind;
	struct conf *conf;	      /* that of the pool alone */
	const struct conf_pool *pool; /* its environment as it is to be */
	struct conf_list inherited;   /* variables, variables.h */
	struct identity identity;
	int *listeners;		      /* listening, non-blocking */
	size_t nlisteners;
	int channel;	 /* SOCK_SEQPACKET to the master; -1: no master.  Of a
			    trial: the pipe that takes the reason */
	int exchange[2]; /* SOCK_SEQPACKET pair of the pool: connections
			    travel from [1] to [0]; -1: none */
	struct sink *sinks; /* SINK_COUNT of them, the worker's to change */
	struct score *score; /* NULL in a trial */
	bool shut; /* of a generation on trial: take no connection before
		      ORDER_OPEN */
};

/* What is made of it, before there is a score. */
struct worker_orders {
	enum worker_kind kind;
	const struct conf_pool *pool;
	const struct identity *identity;
	const int *listeners;
	size_t nlisteners;
	int channel;
	int exchange[2];
	const struct sink *sinks; /* SINK_COUNT; NULL: none */
	int head, slot;		  /* board_lease; -1 in a trial */
	unsigned number;	  /* of the slot */
	enum log_level level;
	bool shut;
};

/*
 * The sealed memfd that tells of it, -1 with errno; and the child's part, right
 * after fork: become a process of the pool (base/image.h).
 */
int worker_args_prepare(const struct worker_orders *orders);
void worker_args_become(const struct worker_orders *orders, int memory)
    __attribute__((noreturn));

/*
 * In that process: what it was given; the memfd is closed, and from here on
 * log lines go to the master.  Lives as long as the process.  NULL and why:
 * the descriptor is not what worker_args_prepare makes.
 */
const struct worker_args *worker_args_take(int memory, struct why *why);

/*
 * What passes over the channel may change from build to build, and workers of
 * one build may have a master of the next after an upgrade in place.  To be
 * raised with every change of what the master sends; the words of the workers
 * keep their meaning for ever.
 */
#define WORKER_PROTOCOL 2

/* What the master says on the channel, one byte each (channel.h). */
enum worker_order {
	ORDER_ASK = 'A',  /* would a HUP leave you as you are?  WORD_OUTDATED or
			     WORD_CURRENT */
	ORDER_OPEN = 'O', /* the trial is over: take connections */
	ORDER_KEEP = 'K'  /* another application will have your addresses:
			     leave it no connection that has sent anything */
};

/* What a worker says on its channel, one byte each. */
enum worker_word {
	WORD_CLOSED = 0,      /* never said: it has closed its channel */
	WORD_READY = 'R',     /* the application is loaded and started */
	WORD_CROWDED = 'C',   /* score_busy returned true */
	WORD_REPLACE = 'X',   /* HUP, but the application has changed on disk or
				 has no restart; or I have done enough: send a
				 successor, then TERM me */
	WORD_RESTARTED = 'H', /* HUP, and I stay as I am */
	WORD_OUTDATED = 'D',  /* ORDER_ASK: it would have me replaced */
	WORD_CURRENT = 'U',   /* it would not */
	WORD_FAILED = 'F',    /* I do not come up; the reason follows in the
				 same message */
	WORD_STUCK = 'S',     /* a request hangs beyond its time: it has been
				 answered, and I am gone */
	WORD_LEAVING = 'L',   /* leaving of my own accord */
	WORD_STATUS = 'Q',    /* send me the pool's status */
	WORD_TAKEN = 'T', /* a log that was sent: nothing goes to the old one */
	WORD_LOST = 'l',  /* score_lose_line returned true */
	WORD_LOGS = 'w'	  /* score_log_works returned true */
};

/* Is that byte one of them?  Another build may have more. */
bool worker_is_word(char byte);

/* Say a word to the master, without waiting; nothing where there is none. */
void worker_say(const struct worker_args *args, enum worker_word word);

/* WORD_FAILED: why.  The log is told by whoever calls this. */
void worker_fail(const struct worker_args *args, const char *why);

#endif

#ifndef IPC_SCORE_H
#define IPC_SCORE_H

/*
 * What a worker tells of itself while it works: its slot of the scoreboard, a
 * memfd of its own that it alone writes and the master reads (board.h).  A
 * sequence counter makes snapshots whole or refused, never torn and never
 * waited for.  Counts are exact: each is one number that its worker alone
 * stores, and a kill -9 at any instruction leaves nothing that drifts.  What
 * the master tells all workers of a generation is the head of the board,
 * which they see read-only.  Knows nothing of pools or Lua.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum score_state {
	SCORE_FREE,	/* no process */
	SCORE_STARTING, /* born, not READY */
	SCORE_IDLE,
	SCORE_BUSY,   /* a request is in its hands */
	SCORE_RESTARTING, /* app.restart runs */
	SCORE_LEAVING, /* told to leave, or leaving of its own accord */
	SCORE_STATES
};

enum {
	SCORE_CLASSES = 6,  /* of responses: none sent, 1xx to 5xx */
	SCORE_BUCKETS = 17, /* of their latency; see score_bucket_us */
};

/* What is counted.  From SCORE_SERVED on requests that are over, one number
 * for each class and bucket: that number alone says that a request is over,
 * so nothing can be at odds with it. */
enum score_counter {
	SCORE_BEGUN, /* requests */
	SCORE_KILLED, /* requests in the hands of a worker that died */
	SCORE_ERRORS, /* requests that failed: an error of the application, or
			 its response was malformed or incomplete */
	SCORE_TIMEOUTS, /* requests beyond timeouts.request */
	SCORE_SLOW,	/* requests beyond timeouts.slow */
	SCORE_ABANDONED, /* client gone before the request was begun */
	SCORE_BYTES_IN,	 /* of bodies */
	SCORE_BYTES_OUT, /* of responses, their heads included */
	SCORE_LATENCY,	 /* us, of all requests that are over */
	SCORE_SERVED,
	SCORE_COUNTERS = SCORE_SERVED + SCORE_CLASSES * SCORE_BUCKETS
};

enum score_cause { /* of a worker to be replaced in good order */
	CAUSE_REQUESTS, /* workers.max_requests */
	CAUSE_AGE,
	CAUSE_RSS,
	CAUSE_MEMORY,
	CAUSE_RESTART, /* HUP, and the application knows no restart */
	SCORE_CAUSES
};

enum score_text {
	TEXT_METHOD,
	TEXT_URI, /* with its query */
	TEXT_SCRIPT,
	TEXT_USER,
	TEXT_REMOTE,
	TEXT_ID,
	SCORE_TEXTS
};

enum score_gauge { /* of a worker; what it was when it was last looked at */
	GAUGE_HEAP, /* bytes of its Lua heap */
	GAUGE_RSS,  /* bytes of resident memory */
	GAUGE_CPU,  /* of a request: processor time by duration, in 1/10000;
		       -1: not measured */
	GAUGE_CONNECTIONS, /* kept alive and idle */
	SCORE_GAUGES
};

#define SCORE_NO_LINE INT64_MIN
#define SCORE_LOGS    2
#define SCORE_STASH   16384 /* bytes */

struct score_request { /* what a worker is about to serve */
	int64_t begun;	/* clock_us() */
	int64_t length; /* CONTENT_LENGTH, -1: not given */
	struct {	/* cut to fit, not escaped; NULL if len is 0 */
		const char *data;
		size_t len;
	} text[SCORE_TEXTS];
};

struct score_outcome { /* what has become of it */
	int64_t took;  /* us */
	int status;    /* HTTP, 0: none was sent */
	bool failed;   /* SCORE_ERRORS */
	bool late;     /* SCORE_TIMEOUTS */
	uint64_t bytes_in;
	uint64_t bytes_out;
};

struct score;

/* ---- having one ---------------------------------------------------------- */

/*
 * Map the slot with that number and the head; both descriptors (board_lease)
 * are closed.  NULL with errno: EPROTO if they are not what they ought to be.
 */
struct score *score_open(int head, int slot, unsigned number);

/* One that nobody else sees, for a worker without a master.  NULL with
 * errno. */
struct score *score_alone(void);

/* ---- what the worker tells ----------------------------------------------- */

/* It waits for requests. */
void score_idle(struct score *score);

/* app.restart runs; score_idle ends it. */
void score_restarting(struct score *score);

/* A request begins.  True, at most once until the master asks again: it has
 * asked to be told when this worker is idle no more. */
bool score_busy(struct score *score, const struct score_request *request);

/* It is over: counted.  The worker is not idle before it says so. */
void score_served(struct score *score, const struct score_outcome *outcome);

/* What becomes of it, should the worker die before it says so: with this
 * status it is about to be answered; its line of the access log is about to
 * be written, and what it says is changed by that (spool_mark; -1: nothing
 * is). */
void score_answer(struct score *score, int status);
void score_line(struct score *score, int64_t mark);

/* One more of what score_served does not count: SCORE_SLOW,
 * SCORE_ABANDONED.  Each is counted by one thread only. */
void score_more(struct score *score, enum score_counter counter);

void score_gauge(struct score *score, enum score_gauge gauge, int64_t value);

/* It asks to be replaced: the first cause counts. */
void score_because(struct score *score, enum score_cause cause);

/* One more line is lost that a log did not take, for this reason (errno).
 * True: the master has not heard of it. */
bool score_lose_line(struct score *score, unsigned log, int error);

/* A log takes lines.  True: the master thinks that it does not. */
bool score_log_works(const struct score *score, unsigned log);

/* Where it counts log lines that it has not written yet (log_share). */
_Atomic uint64_t *score_repeats(struct score *score);

/* SCORE_STASH bytes for the worker's use, which outlive it; the master looks
 * what is in them when it is dead.  All zero at first. */
void *score_stash(struct score *score);

/* ---- what the master has told -------------------------------------------- */

/* This worker is to leave. */
bool score_is_leaving(const struct score *score);

/* Workers told to leave must first serve all that waits in the listen queue
 * (the daemon stops). */
bool score_last(const struct score *score);

/* Somebody goes on serving when those that are leaving have left. */
bool score_heirs(const struct score *score);

/* ---- classes and buckets ------------------------------------------------- */

/* The upper bound of a bucket in us, that of the last is -1: none. */
int64_t score_bucket_us(unsigned bucket);

/* The counter of requests over with that status (0: none) in that time. */
unsigned score_served_as(int status, int64_t took);

#endif

#ifndef SHARE_SCORE_H
#define SHARE_SCORE_H

/*
 * The scoreboard of one pool, in memory that master and workers share over
 * fork (a memfd).  A slot has one writer: the worker from its first
 * instruction, the master before fork and after death.  A sequence counter
 * makes snapshots whole or refused, never torn and never waited for.  Who is
 * idle and who was told to leave are bitmaps beside the slots, a bit per
 * slot, so that a worker that goes busy learns how many are left idle with
 * one atomic operation, and a kill -9 at any instruction leaves nothing that
 * drifts.
 *
 * The generations of a pool share one board, each with slots of its own: what
 * was counted goes on over reloads, and every worker sees them all.  Counts
 * are exact: each is one number that its worker alone stores; when the worker
 * is dead, the master adds what its slot holds to the board's totals.
 * Knows nothing of pools or Lua.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum score_state {
	SCORE_FREE,	/* no process */
	SCORE_STARTING, /* forked, not READY */
	SCORE_IDLE,
	SCORE_BUSY,   /* a request is in its hands */
	SCORE_LEAVING /* told to leave, or leaving of its own accord */
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

/* What the master knows of the pool (but for the maxima, which workers see
 * themselves), for whoever shows it. */
enum score_fact {
	FACT_STARTED,	 /* seconds since 1970: counts begin here */
	FACT_GENERATION, /* of the newest workers; the first is 1 */
	FACT_FORKED,	 /* workers, ever */
	FACT_CRASHES,	 /* workers that died unasked */
	FACT_RESTARTS,	 /* workers forked in another's place */
	FACT_RECYCLED,	 /* and on: by enum score_cause, workers replaced */
	FACT_RECYCLED_END = FACT_RECYCLED + 4,
	FACT_FAILURES,	   /* of workers to start or to live, in a row */
	FACT_RETRY,	   /* clock_ms() before which none is forked */
	FACT_MAX_CHILDREN, /* times that so many workers became active as the
			      limit allows (score_set_limit) */
	FACT_MAX_ACTIVE,   /* the most workers of a generation active at once */
	FACT_MAX_QUEUE,	   /* the longest listen queue that was seen */
	FACT_PEAK,	   /* the largest Lua heap of a worker, bytes */
	SCORE_FACTS
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

#define SCORE_NO_LINE INT64_MIN
#define SCORE_LOGS    2
#define SCORE_STASH   16384 /* bytes */

struct score;

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

enum score_gauge { /* of a worker; what it was when it was last looked at */
	GAUGE_HEAP, /* bytes of its Lua heap */
	GAUGE_RSS,  /* bytes of resident memory */
	GAUGE_CPU,  /* of a request: processor time by duration, in 1/10000;
		       -1: not measured */
	GAUGE_CONNECTIONS, /* kept alive and idle */
	SCORE_GAUGES
};

struct score_slot { /* a snapshot of one worker */
	enum score_state state;
	pid_t pid;
	int64_t born;	   /* clock_ms() at fork */
	int64_t since;	   /* clock_ms() of the last change of state, that to
			      LEAVING excepted (it is not the writer's) */
	uint64_t requests; /* begun by this process */
	uint64_t done;	   /* of these are over; one less: it is in hand */
	int64_t begun;	   /* clock_us(): the last request began */
	int64_t took;	   /* us; the last request that is over */
	int64_t length;	   /* CONTENT_LENGTH of the last, -1: not given */
	int status;	   /* the last is answered with; 0: not yet known */
	int64_t line;	   /* score_line of the last, or SCORE_NO_LINE */
	int64_t gauge[SCORE_GAUGES];
	char method[16];   /* of the last request; cut, a NUL byte is "?" */
	char uri[512];
	char script[256];
	char user[64];
	char remote[48];
	char id[64];
};

struct score_counts {
	unsigned starting, idle, busy, leaving;
};

/* ---- the board ----------------------------------------------------------- */

/*
 * n slots, all free, for a generation of workers: on the board of the
 * generation `before` it, or on a new one if that is NULL (or has no room for
 * so many: then the counts begin anew).  NULL with errno.  Freed in a
 * process, it lives on in the others; who made it calls score_retire first,
 * all its workers gone, which gives the slots back to the board.
 */
struct score *score_new(unsigned n, const struct score *before);
void score_retire(struct score *score);
void score_free(struct score *score);

/*
 * To hand it on to another image of this program: the descriptor stays the
 * score's, the index tells the generations on a board apart.  Adopting takes
 * the descriptor over.  NULL with errno: EPROTO if it is of another version
 * or has not `slots` slots in that place, and the descriptor stays the
 * caller's.
 */
int score_fd(const struct score *score);
unsigned score_index(const struct score *score);
struct score *score_adopt(int fd, unsigned index, unsigned slots);

/* The same of a board of any version: it has no slots to look at, but what
 * its workers are told (score_wake_below, score_set_last,
 * score_set_replaced) reaches them. */
struct score *score_adopt_foreign(int fd, unsigned index);

/* ---- the life of a worker ------------------------------------------------ */

/*
 * A free slot becomes STARTING: the master before it forks, with pid 0 (a
 * call after fork would race with a child that is soon idle), then the child
 * first thing, with its own pid.  If fork fails: score_dead.
 */
void score_born(struct score *score, unsigned slot, pid_t pid);

/* Master: the worker was reaped; whatever it left half done is repaired, and
 * what it counted is added to the totals. */
void score_dead(struct score *score, unsigned slot);

/* Master (it sends TERM) or the worker itself; stays until score_dead.  Is it
 * so? */
void score_leaving(struct score *score, unsigned slot);
bool score_is_leaving(const struct score *score, unsigned slot);

/* Worker, its own slot only. */
void score_idle(struct score *score, unsigned slot);
/* A request begins.  True if the master asked to be told because fewer than
 * its threshold are idle now; then exactly one worker is told so until the
 * master calls score_wake_below again. */
bool score_busy(struct score *score, unsigned slot,
    const struct score_request *request);
/* It is over: counted.  The worker is not idle before it says so. */
void score_served(struct score *score, unsigned slot,
    const struct score_outcome *outcome);
/* What becomes of it, should the worker die before it says so: with this
 * status it is about to be answered; its line of the access log is about to
 * be written, and what it says is changed by that (pending_mark; -1: nothing
 * is). */
void score_answer(struct score *score, unsigned slot, int status);
void score_line(struct score *score, unsigned slot, int64_t mark);
/* One more of what score_served does not count: SCORE_SLOW,
 * SCORE_ABANDONED.  Each is counted by one thread only. */
void score_more(struct score *score, unsigned slot,
    enum score_counter counter);
void score_gauge(struct score *score, unsigned slot, enum score_gauge gauge,
    int64_t value);
/* Where it counts log lines that it has not written yet (log_share); NULL on a
 * board of another version. */
_Atomic uint64_t *score_repeats(struct score *score, unsigned slot);
/* SCORE_STASH bytes for the worker's use, which outlive it; the master looks
 * what is in them when it is dead.  All zero before anyone has used them.  NULL
 * on a board of another version. */
void *score_stash(struct score *score, unsigned slot);
/* It asks to be replaced: the first cause counts.  Master: it has been. */
void score_because(struct score *score, unsigned slot,
    enum score_cause cause);
void score_recycled(struct score *score, unsigned slot);

/* ---- what the master says ------------------------------------------------ */

/* Ask to be woken when fewer than `idle` workers are idle; 0: never.  Count
 * after asking: who went busy before that is not told. */
void score_wake_below(struct score *score, unsigned idle);

/* Workers told to leave must first serve all that waits in the listen queue
 * (the daemon stops); workers ask. */
void score_set_last(struct score *score, bool last);
bool score_last(const struct score *score);

/* Workers of another scoreboard have taken over (a new generation); the ones
 * of this one may hand their connections to them.  Workers ask: will anybody
 * go on serving when those that are leaving have left? */
void score_set_replaced(struct score *score, bool replaced);
bool score_heirs(const struct score *score);

/* This generation is to have no more workers than that. */
void score_set_limit(struct score *score, unsigned limit);

/* A fact about the pool; one more; at least so much (anyone). */
void score_set_fact(struct score *score, enum score_fact fact, int64_t value);
void score_add_fact(struct score *score, enum score_fact fact);
void score_raise_fact(struct score *score, enum score_fact fact,
    int64_t value);
int64_t score_fact(const struct score *score, enum score_fact fact);

/* ---- lines that a log does not take: anyone ------------------------------ */

/* One more is lost; how many were before.  All have been told of; how many
 * they were. */
uint64_t score_lose_line(struct score *score, unsigned log);
uint64_t score_forget_lost(struct score *score, unsigned log);

/* ---- reading: anyone ----------------------------------------------------- */

/* Counts over all slots of this generation; a snapshot of one: false if its
 * writer was in the middle of it every time. */
void score_count(const struct score *score, struct score_counts *counts);
bool score_read(const struct score *score, unsigned slot,
    struct score_slot *out);
unsigned score_slots(const struct score *score);

/* Master: the slot of a worker that was reaped, which has died in the middle
 * of writing it perhaps: then texts may be mixed up.  False: no such slot. */
bool score_read_last(const struct score *score, unsigned slot,
    struct score_slot *out);

/*
 * All generations on the board.  What was ever counted, and of each gauge the
 * sum over the living.  The next worker at or behind place *at (begin with
 * 0), whose number on the board is then *at - 1; false: no more; a worker in
 * mid-write has its state and pid alone.
 */
struct score_sum {
	uint64_t n[SCORE_COUNTERS];
	int64_t gauge[SCORE_GAUGES];
	struct score_counts workers;
};
void score_sum(const struct score *score, struct score_sum *sum);
bool score_next(const struct score *score, unsigned *at,
    struct score_slot *out);

/* The upper bound of a bucket in us, that of the last is -1: none. */
int64_t score_bucket_us(unsigned bucket);

/* The counter of requests over with that status (0: none) in that time. */
unsigned score_served_as(int status, int64_t took);

#endif

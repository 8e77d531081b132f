#ifndef IPC_SCORE_H
#define IPC_SCORE_H

/*
 * The scoreboard on the worker's side.  A worker writes its slot, a memfd of
 * its own that only the master reads (board.h).  With a sequence counter the
 * master gets a consistent snapshot or none, and neither side waits.  Counts
 * are exact: each is one number that only its worker stores, so that they stay
 * right if the worker is killed at any instruction.  The master writes what all
 * workers of a generation must know to the head of the board, which they map
 * read-only.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum score_state {
	SCORE_FREE,	/* no process */
	SCORE_STARTING, /* forked, not READY yet */
	SCORE_IDLE,
	SCORE_BUSY,   /* serves a request */
	SCORE_FINISHING, /* what env:after was given runs */
	SCORE_RESTARTING, /* app.restart runs */
	SCORE_INTERVAL,	  /* app.interval runs */
	SCORE_LEAVING, /* told to leave (board_leaving), or of another build */
	SCORE_STATES
};

enum {
	SCORE_CLASSES = 6,  /* of responses: none sent, 1xx to 5xx */
	SCORE_BUCKETS = 17, /* of their latency; see score_bucket_us */
};

/* What is counted.  From SCORE_SERVED on there is one counter of finished
 * requests for each class and bucket.  No other counter says that a request is
 * over, so that two can never disagree on it. */
enum score_counter {
	SCORE_BEGUN, /* requests */
	SCORE_KILLED, /* requests whose worker died */
	SCORE_ERRORS, /* requests that failed: an error of the application, or
			 its response was malformed or incomplete */
	SCORE_TIMEOUTS, /* requests beyond timeouts.request */
	SCORE_QUEUED,	/* requests beyond timeouts.queue */
	SCORE_SLOW,	/* requests beyond timeouts.slow */
	SCORE_ABANDONED, /* requests whose client left before they began */
	SCORE_REFUSED,	 /* requests for a WebSocket that no hub could take */
	SCORE_BYTES_IN,	 /* of bodies */
	SCORE_BYTES_OUT, /* of responses, with their heads */
	SCORE_LATENCY,	 /* us, of all finished requests */
	SCORE_SERVED,
	SCORE_COUNTERS = SCORE_SERVED + SCORE_CLASSES * SCORE_BUCKETS
};

enum score_cause { /* for which a worker asks to be replaced */
	CAUSE_REQUESTS, /* workers.max_requests */
	CAUSE_AGE,	/* workers.max_age */
	CAUSE_RSS,	/* limits.rss */
	CAUSE_MEMORY,	/* limits.memory */
	CAUSE_RESTART, /* HUP, and the application changed on disk, or did not
			  restart */
	CAUSE_RETIRE,  /* the application wants it (fpm.worker) */
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

enum score_gauge { /* of a worker, as last measured */
	GAUGE_HEAP, /* bytes of its Lua heap */
	GAUGE_RSS,  /* bytes of resident memory */
	GAUGE_CPU,  /* of a request: processor time by duration, in 1/10000;
		       -1: not measured */
	GAUGE_CONNECTIONS, /* that are kept alive and idle */
	SCORE_GAUGES
};

#define SCORE_NO_LINE INT64_MIN
#define SCORE_LOGS    2
#define SCORE_STASH   16384 /* bytes */
#define SCORE_LISTENERS 8 /* that are counted apart */

struct score_request { /* what a worker is about to serve */
	int64_t begun;	/* clock_us() */
	int64_t length; /* CONTENT_LENGTH, -1: not given */
	struct {	/* any bytes, cut when stored; NULL if len is 0 */
		const char *data;
		size_t len;
	} text[SCORE_TEXTS];
};

struct score_outcome { /* of a request that is over */
	int64_t took;  /* us */
	int status;    /* HTTP, 0: none was sent */
	bool failed;   /* SCORE_ERRORS */
	bool late;     /* SCORE_TIMEOUTS */
	uint64_t bytes_in;
	uint64_t bytes_out;
};

struct score;

/* ---- opening ------------------------------------------------------------- */

/*
 * Map the head and the slot with that number, and close both descriptors
 * (board_lease).  The state is STARTING.  NULL with errno, and both stay open:
 * EPROTO if one is not such memory, or the head has no such slot.
 */
struct score *score_open(int head, int slot, unsigned number);

/* Make a slot in private memory, for a worker without a master.  NULL with
 * errno. */
struct score *score_alone(void);

/* ---- what the worker tells ----------------------------------------------- */

/* The worker waits for requests: state IDLE. */
void score_idle(struct score *score);

/* The request is over, but not what the application does after it: state
 * FINISHING, until score_idle. */
void score_finishing(struct score *score);

/* app.restart begins: state RESTARTING, until score_idle. */
void score_restarting(struct score *score);

/* app.interval begins for a timer: state INTERVAL, until score_idle. */
void score_interval(struct score *score, const char *timer);

/* A request begins: state BUSY, until score_idle.  True if the master has asked
 * to be told that this worker is no longer idle (board_ask): say WORD_CROWDED.
 * At most once each time it asks. */
bool score_busy(struct score *score, const struct score_request *request);

/* Count the request as finished. */
void score_served(struct score *score, const struct score_outcome *outcome);

/* Note what the master must know if the worker dies in a request: its response
 * is about to be sent, with this status; its line of the access log is about to
 * be written, which will change `mark` (spool_mark), or no mark (-1). */
void score_answer(struct score *score, int status);
void score_line(struct score *score, int64_t mark);

/* Count a connection that was accepted from the pool's listener of that
 * number. */
void score_accepted(struct score *score, size_t listener);

/* Add 1 to a counter that score_served leaves alone: SCORE_QUEUED, SCORE_SLOW,
 * SCORE_ABANDONED, SCORE_REFUSED.  One thread only may call this for each. */
void score_more(struct score *score, enum score_counter counter);

/* Set a gauge. */
void score_gauge(struct score *score, enum score_gauge gauge, int64_t value);

/* Note the cause for which the worker asks to be replaced; the first stays. */
void score_because(struct score *score, enum score_cause cause);

/* Count a line that a log did not take, with its errno.  True: the master does
 * not know that the log loses lines; say WORD_LOST. */
bool score_lose_line(struct score *score, unsigned log, int error);

/* After a log has taken a line.  True: the master believes that the log loses
 * lines; say WORD_LOGS. */
bool score_log_works(const struct score *score, unsigned log);

/* Where the error log keeps its count of repeats (log_share). */
_Atomic uint64_t *score_repeats(struct score *score);

/* SCORE_STASH bytes for the worker's use, all zero at first.  After its death
 * the master reads them (board_stash). */
void *score_stash(struct score *score);

/* ---- what the master has told -------------------------------------------- */

/* True if the master has told this worker to leave. */
bool score_is_leaving(const struct score *score);

/* True if workers that leave must first serve every connection in the listen
 * queue, because no other generation will: the daemon stops, for one. */
bool score_last(const struct score *score);

/* True if workers go on serving when those that were told to leave have left:
 * of another generation, or of this one. */
bool score_heirs(const struct score *score);

/* ---- classes and buckets ------------------------------------------------- */

/* The upper bound of a bucket in us; -1 for the last: none. */
int64_t score_bucket_us(unsigned bucket);

/* The counter for a request with that status (0: none) that took so many us. */
unsigned score_served_as(int status, int64_t took);

#endif

#ifndef SHARE_BIRTH_H
#define SHARE_BIRTH_H

/*
 * Everything a worker is given when it is born.  Made by the master just
 * before fork (or by standalone); read by the worker, which never returns
 * into the code that made it.
 */

#include <stddef.h>

#include "conf/conf.h"
#include "share/score.h"
#include "share/sink.h"

struct birth {
	const struct conf_pool *pool;
	const int *listeners; /* listening, non-blocking */
	size_t nlisteners;
	int channel;	      /* SOCK_SEQPACKET to the master; -1: no master */
	int exchange[2];      /* SOCK_SEQPACKET pair of the pool: connections
				 travel from [1] to [0]; -1: none */
	struct sink *sinks;   /* SINK_COUNT of them, the worker's to change */
	struct score *score;  /* never NULL */
	unsigned slot;
	struct {	      /* who answers at status_listen, and nothing else:
				 what it shows */
		struct score *on; /* NULL: this is a worker */
		const int *listeners; /* of the workers, for their queues */
		size_t nlisteners;
	} report;
};

/*
 * What passes over the channel may change from build to build, and workers of
 * one build may have a master of the next after an upgrade in place.  To be
 * raised with every change of what the master sends; the words of the workers
 * keep their meaning for ever.
 */
#define BIRTH_PROTOCOL 1

/* What a worker says on its channel, one byte each. */
enum birth_word {
	WORD_READY = 'R',   /* the application is loaded and started */
	WORD_CROWDED = 'C', /* score_busy returned true */
	WORD_REPLACE = 'X', /* HUP, but the application has changed on disk or
			       has no restart; or I have done enough: send a
			       successor, then TERM me */
	WORD_RESTARTED = 'H', /* HUP, and I stay as I am */
	WORD_STUCK = 'S',   /* a request hangs beyond its time: it has been
			       answered, and I am gone */
	WORD_LEAVING = 'L'  /* leaving of my own accord */
};

/* Say a word to the master, without waiting; nothing where there is none. */
void birth_say(const struct birth *birth, enum birth_word word);

#endif

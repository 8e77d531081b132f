#ifndef IPC_CHANNEL_H
#define IPC_CHANNEL_H

/*
 * Messages from the master to a worker over its channel, some of them with a
 * descriptor.  The words of the worker to the master are in worker_args.h.
 * Runs on both sides.
 */

#include "base/log_line.h"
#include "ipc/sink.h"

enum channel_message {
	CHANNEL_CLOSED, /* the master is gone */
	CHANNEL_EMPTY,	/* there is no message */
	CHANNEL_LEVEL,	/* the level of log lines */
	CHANNEL_LOG,	/* a log of the pool: to be answered with WORD_TAKEN */
	CHANNEL_STATUS, /* the answer to WORD_STATUS */
	CHANNEL_LIMITS, /* hub_limits.h; only a hub is sent it */
	CHANNEL_HEIR,	/* the pair to the hub that takes your place
			   (worker/process/hub_heir.h); likewise, of any
			   build: one that does not know it closes the pair */
	CHANNEL_ORDER,	/* an enum worker_order */
	CHANNEL_RUN,	/* run a timer (channel_timer); only the process for
			   timers is sent it */
	CHANNEL_OTHER	/* unknown, of another build, or lost: to be ignored */
};

/* Send one message without waiting: 0, or -1 with errno.  `memory` is the
 * descriptor of status_send (-1: no status) or of hub_limits_make.  A log is sent
 * by sink_send. */
int channel_send_level(int channel, enum log_level level);
int channel_send_status(int channel, int memory);
int channel_send_limits(int channel, int memory);
int channel_send_heir(int channel, int pair);
int channel_send_order(int channel, char order);
int channel_send_run(int channel, const char *timer);

/*
 * Receive one message without waiting.  A level is set (log_set_level), a log
 * replaces its sink.  *told becomes the descriptor of CHANNEL_STATUS, CHANNEL_LIMITS or
 * CHANNEL_HEIR, which the caller owns, the order of CHANNEL_ORDER, or -1.  If this process has no room
 * for a descriptor, the message is lost, and an error is logged.
 */
enum channel_message channel_receive(int channel,
    struct sink sinks[SINK_COUNT], int *told);

/* The name of the timer that the last CHANNEL_RUN was about. */
const char *channel_timer(void);

#endif

#ifndef IPC_CHANNEL_H
#define IPC_CHANNEL_H

/*
 * What the master sends to a worker over its channel, one message each, a
 * descriptor with some of them; worker_args.h has what the worker says.  Runs
 * on both sides.
 */

#include "base/log_line.h"
#include "ipc/sink.h"

enum channel_message {
	CHANNEL_CLOSED, /* the master is gone */
	CHANNEL_EMPTY,	/* nothing has come */
	CHANNEL_LEVEL,	/* the level of log lines */
	CHANNEL_LOG,	/* a log of the pool: WORD_TAKEN */
	CHANNEL_STATUS, /* what WORD_STATUS has asked for */
	CHANNEL_ORDER,	/* an enum worker_order */
	CHANNEL_OTHER	/* of another build: ignored */
};

/* Each: 0, or -1 with errno; a log is sent by sink_send. */
int channel_send_level(int channel, enum log_level level);
int channel_send_status(int channel, int memory); /* -1: there is none */
int channel_send_order(int channel, char order);

/*
 * Take one message, without waiting.  Logs are taken over; *told is the
 * descriptor of CHANNEL_STATUS, or -1, or the order.  A message whose
 * descriptor found no place here is lost, which is logged.
 */
enum channel_message channel_receive(int channel,
    struct sink sinks[SINK_COUNT], int *told);

#endif

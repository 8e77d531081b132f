#ifndef IPC_HUB_LIMITS_H
#define IPC_HUB_LIMITS_H

/*
 * The limits of WebSockets that a reload has changed, from the master to the hub
 * that stays: sealed memory of records, which is sent by channel_send_limits.
 */

#include "conf/conf.h"

/* A descriptor of such memory, or -1 with errno. */
int hub_limits_make(const struct conf_websocket *limits);

/* Read such memory and close it; origins are left alone.  0, or -1 with errno,
 * and *limits stays. */
int hub_limits_take(int memory, struct conf_websocket *limits);

#endif

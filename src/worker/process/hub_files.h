#ifndef WORKER_PROCESS_HUB_FILES_H
#define WORKER_PROCESS_HUB_FILES_H

/*
 * The descriptors of a hub, of which each WebSocket takes one.
 */

#include <stdbool.h>

#include "conf/conf.h"

/* Workers that a hub serves at a time: those of two generations, and their
 * successors. */
unsigned hub_files_links(const struct conf_pool *pool);

/* Raise RLIMIT_NOFILE of this process as the limits of the pool `w` need it.
 * False: without the right to do so there are fewer descriptors, and
 * w->connections becomes how many sockets they are enough for. */
bool hub_files_fit(const struct conf_pool *pool, struct conf_websocket *w);

#endif

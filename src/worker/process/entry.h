#ifndef WORKER_PROCESS_ENTRY_H
#define WORKER_PROCESS_ENTRY_H

/*
 * Watches the entries into Lua code that are no requests: loading the
 * application, its start, restart and stop, and the end of its state.  What
 * exceeds its limit is stopped in Lua, as a request is (lua_deadline.h); what
 * does not let itself be stopped ends the process.  Runs in the worker and in
 * the throw-away process of -t, on the guard that was started there.
 */

#include "conf/conf.h"
#include "worker/lua/lua_entry.h"

/*
 * The limits of the pool.  stuck(text) is called from the guard's thread when
 * an entry does not let itself be stopped, and is to end the process; text
 * says which, and where it is.
 */
void entry_init(const struct conf_pool *pool, void (*stuck)(const char *));

/* For lua_app_options.  The time of START is what LOAD has left, that of
 * CLOSE what STOP has left. */
void entry_begin(enum lua_entry entry);
void entry_end(void);

#endif

#ifndef WORKER_PROCESS_ENTRY_H
#define WORKER_PROCESS_ENTRY_H

/*
 * Time limits for the entries into Lua code that are not requests: loading the
 * application, its start, restart and stop, what follows a request, interval, and
 * closing its state.  Code that
 * exceeds its limit is stopped by an error in Lua, as a request is
 * (lua_deadline.h); if that does not stop it, the process ends.  Runs in the
 * worker and in the throw-away process of -t, with the guard of watchdog.h.
 */

#include "conf/conf.h"
#include "worker/lua/lua_entry.h"

/*
 * Once: take the limits from the pool (timeouts.start, timeouts.after,
 * timeouts.request for interval, timeouts.stop).  The
 * guard calls stuck(text) when an entry cannot be stopped; stuck must end the
 * process.  text names the entry and the place of its code; it is valid during
 * the call.
 */
void entry_init(const struct conf_pool *pool, void (*stuck)(const char *));

/* Let the guard call late() when such an entry turns out to be a long one (as
 * watchdog_watch.late). */
void entry_share(enum lua_entry entry, void (*late)(void));

/* lua_app_options.enter and leave: the main thread enters Lua code, and is back
 * from it.  A START that follows LOAD has what is left of the time of LOAD, and
 * a CLOSE that follows STOP what is left of the time of STOP. */
void entry_begin(enum lua_entry entry);
void entry_end(void);

#endif

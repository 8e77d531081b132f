#ifndef WORKER_SERVE_PLACE_H
#define WORKER_SERVE_PLACE_H

/* Where code that hangs is, for the log: its Lua frames as they are in a copy
 * of the process (snapshot.h).  Called by the guard, before the process ends. */

#include "base/buf.h"

/* Append ": FRAME; FRAME ...", innermost first, on one line; or ": not in Lua
 * code". */
void place_add(struct buf *text);

#endif

#include "worker/serve/place.h"

#include <string.h>

#include "worker/lua/lua_trace.h"
#include "worker/serve/snapshot.h"

static char place[LUA_TRACE_SIZE];

void
place_add(struct buf *text)
{
	ssize_t n = snapshot_look(lua_trace_look, place, sizeof(place) - 1);
	char *line, *rest = place;

	if (n <= 0)
		buf_puts(text, ": not in Lua code");
	for (char before = ':'; n > 0 &&
	    (line = strsep(&rest, "\n")) != NULL && *line != '\0';
	    before = ';')
		buf_addf(text, "%c %s", before, line);
}

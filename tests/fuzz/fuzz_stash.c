/* Lines of the access log that a dead worker has left in its stash. */

#include <string.h>

#include "fuzz.h"
#include "ipc/spool.h"

FUZZ(stash)
{
	static _Alignas(64) char stash[SCORE_STASH];
	struct buf out = { 0 };

	memset(stash, 0, sizeof(stash));
	memcpy(stash, data, size < sizeof(stash) ? size : sizeof(stash));
	spool_salvage(stash, -1, &out);
	must(out.len <= sizeof(stash));
	for (size_t i = 0; i < out.len; i++)
		must(out.data[i] == '\n' || out.data[i] == '\t' ||
		    ((unsigned char)out.data[i] >= ' ' &&
			out.data[i] != 0x7f));
	must(out.len == 0 || out.data[out.len - 1] == '\n');
	buf_free(&out);
}

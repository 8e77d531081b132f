#ifndef WORKER_LUA_LIB_MULTIPART_H
#define WORKER_LUA_LIB_MULTIPART_H

/*
 * A scanner for multipart bodies (RFC 2046, 5.1; RFC 7578).  It is given the
 * body piece by piece, of any size, and takes what lies in a part from where it
 * is: it keeps no byte of it.  Pure; knows neither files nor Lua.
 *
 * It is strict where a second reader might see other parts: a line that begins
 * with a boundary and goes on with other text is malformed, and so is a line of
 * a part's head that does not end with CR LF.
 */

#include <stdbool.h>
#include <stddef.h>

#define MULTIPART_BOUNDARY 70	/* bytes at most (RFC 2046, 5.1.1) */
#define MULTIPART_HEAD	   8192 /* bytes of a part's head at most */

enum multipart_event {
	MULTIPART_MORE,	    /* all bytes are used: go on with the next piece */
	MULTIPART_HEAD_END, /* *data: a part's head, without its last line */
	MULTIPART_DATA,	    /* *data: bytes of a part's content */
	MULTIPART_PART_END,
	MULTIPART_CLOSE, /* the last boundary: what follows is no part */
	MULTIPART_BAD	 /* `fault` says why */
};

enum multipart_state {
	MULTIPART_PREAMBLE,
	MULTIPART_BOUNDARY_READ, /* what follows it on its line */
	MULTIPART_DASH,
	MULTIPART_PADDING,
	MULTIPART_LINE_FEED,
	MULTIPART_IN_HEAD,
	MULTIPART_IN_PART,
	MULTIPART_EPILOGUE,
	MULTIPART_FAILED
};

struct multipart {
	enum multipart_state state;
	const char *fault;
	/* The last bytes, which are the first `matched` of the delimiter; those
	 * from `owed` on are content if no delimiter comes of them, as the CR
	 * LF before may be that of a head. */
	size_t matched, owed;
	size_t delimiter_len;
	size_t head_len;
	char delimiter[4 + MULTIPART_BOUNDARY]; /* CR LF -- boundary */
	char head[MULTIPART_HEAD];
};

/* Begin a body.  False if the boundary is no valid one: 1 to MULTIPART_BOUNDARY
 * bytes, none of them a control character. */
bool multipart_begin(struct multipart *m, const char *boundary, size_t len);

/*
 * The next event in the piece in[*at..len); *at moves on.  What *data and *n
 * give lies in the piece or in *m, and holds until the next call.
 */
enum multipart_event multipart_next(struct multipart *m, const char *in,
    size_t len, size_t *at, const char **data, size_t *n);

/* At the end of the body: true if it was complete. */
bool multipart_is_complete(const struct multipart *m);

#endif

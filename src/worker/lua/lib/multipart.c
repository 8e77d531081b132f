#include "worker/lua/lib/multipart.h"

#include <string.h>

bool
multipart_begin(struct multipart *m, const char *boundary, size_t len)
{
	size_t i;

	if (len == 0 || len > MULTIPART_BOUNDARY)
		return false;
	for (i = 0; i < len; i++)
		if (boundary[i] < ' ' || boundary[i] > '~')
			return false;
	memcpy(m->delimiter, "\r\n--", 4);
	memcpy(m->delimiter + 4, boundary, len);
	m->delimiter_len = 4 + len;
	m->state = MULTIPART_PREAMBLE;
	m->fault = NULL;
	m->matched = m->owed = 2; /* the body's first line may be it */
	m->head_len = 0;
	return true;
}

static enum multipart_event
bad(struct multipart *m, const char *fault)
{
	m->state = MULTIPART_FAILED;
	m->fault = fault;
	return MULTIPART_BAD;
}

/* ---- content ------------------------------------------------------------- */

/* The bytes that end `text` and begin the delimiter, which has a CR at its start
 * and no other. */
static size_t
begun(const struct multipart *m, const char *text, size_t len)
{
	size_t most = m->delimiter_len - 1;
	const char *start = text + (len < most ? 0 : len - most);
	const char *cr = memrchr(start, '\r', (size_t)(text + len - start));
	size_t n;

	if (cr == NULL)
		return 0;
	n = (size_t)(text + len - cr);
	return memcmp(cr, m->delimiter, n) == 0 ? n : 0;
}

static enum multipart_event
end_content(struct multipart *m)
{
	bool part = m->state == MULTIPART_IN_PART;

	m->matched = m->owed = 0;
	m->state = MULTIPART_BOUNDARY_READ;
	return part ? MULTIPART_PART_END : MULTIPART_MORE;
}

/* Go on with a delimiter that the piece before has begun.  True if that ends
 * with an event; MULTIPART_MORE of it may come before the end of the piece. */
static bool
go_on(struct multipart *m, const char *in, size_t len, size_t *at,
    const char **data, size_t *n, enum multipart_event *event)
{
	while (*at < len && m->matched < m->delimiter_len &&
	    in[*at] == m->delimiter[m->matched]) {
		++*at;
		m->matched++;
	}
	if (m->matched == m->delimiter_len) {
		*event = end_content(m);
		return true;
	}
	*event = MULTIPART_MORE;
	if (*at == len)
		return true;
	*event = MULTIPART_DATA;
	*data = m->delimiter + m->owed;
	*n = m->matched - m->owed;
	m->matched = m->owed = 0;
	return *n > 0;
}

static enum multipart_event
scan_content(struct multipart *m, const char *in, size_t len, size_t *at,
    const char **data, size_t *n)
{
	enum multipart_event event;
	const char *found;

	if (m->matched > 0 && go_on(m, in, len, at, data, n, &event))
		return event;
	*data = in + *at;
	found = memmem(*data, len - *at, m->delimiter, m->delimiter_len);
	if (found == *data) {
		*at += m->delimiter_len;
		return end_content(m);
	}
	if (found != NULL) {
		*n = (size_t)(found - *data);
		*at += *n;
		return MULTIPART_DATA;
	}
	m->matched = begun(m, *data, len - *at);
	*n = len - *at - m->matched;
	*at = len;
	return *n > 0 ? MULTIPART_DATA : MULTIPART_MORE;
}

/* ---- the lines between --------------------------------------------------- */

/* One byte of the line that begins with a boundary. */
static enum multipart_event
scan_line(struct multipart *m, char c)
{
	switch (m->state) {
	case MULTIPART_DASH:
		if (c != '-')
			break;
		m->state = MULTIPART_EPILOGUE;
		return MULTIPART_CLOSE;
	case MULTIPART_LINE_FEED:
		if (c != '\n')
			break;
		m->state = MULTIPART_IN_HEAD;
		m->head_len = 0;
		return MULTIPART_MORE;
	default:
		if (c == '\r')
			m->state = MULTIPART_LINE_FEED;
		else if (c == ' ' || c == '\t')
			m->state = MULTIPART_PADDING;
		else if (c == '-' && m->state == MULTIPART_BOUNDARY_READ)
			m->state = MULTIPART_DASH;
		else
			break;
		return MULTIPART_MORE;
	}
	return bad(m, "text follows a boundary on its line");
}

static bool
ends_with(const struct multipart *m, const char *text, size_t n)
{
	return m->head_len >= n &&
	    memcmp(m->head + m->head_len - n, text, n) == 0;
}

/* Take a part's head line by line, up to the empty one. */
static enum multipart_event
scan_head(struct multipart *m, const char *in, size_t len, size_t *at,
    const char **data, size_t *n)
{
	const char *from = in + *at, *end = memchr(from, '\n', len - *at);
	size_t part = end != NULL ? (size_t)(end - from) + 1 : len - *at;

	if (part > MULTIPART_HEAD - m->head_len)
		return bad(m, "the head of a part exceeds 8192 bytes");
	memcpy(m->head + m->head_len, from, part);
	m->head_len += part;
	*at += part;
	if (end == NULL)
		return MULTIPART_MORE;
	if (!ends_with(m, "\r\n", 2))
		return bad(m, "a line of a part's head does not end with CR LF");
	if (m->head_len != 2 && !ends_with(m, "\r\n\r\n", 4))
		return MULTIPART_MORE;
	m->state = MULTIPART_IN_PART;
	m->matched = m->owed = 2; /* nothing may lie between */
	*data = m->head;
	*n = m->head_len - 2;
	return MULTIPART_HEAD_END;
}

static enum multipart_event
step(struct multipart *m, const char *in, size_t len, size_t *at,
    const char **data, size_t *n)
{
	enum multipart_event event;

	switch (m->state) {
	case MULTIPART_PREAMBLE:
		event = scan_content(m, in, len, at, data, n);
		return event == MULTIPART_DATA ? MULTIPART_MORE : event;
	case MULTIPART_IN_PART:
		return scan_content(m, in, len, at, data, n);
	case MULTIPART_IN_HEAD:
		return scan_head(m, in, len, at, data, n);
	case MULTIPART_EPILOGUE:
		*at = len;
		return MULTIPART_MORE;
	case MULTIPART_FAILED:
		return MULTIPART_BAD;
	default:
		return scan_line(m, in[(*at)++]);
	}
}

enum multipart_event
multipart_next(struct multipart *m, const char *in, size_t len, size_t *at,
    const char **data, size_t *n)
{
	enum multipart_event event = MULTIPART_MORE;

	*data = NULL;
	*n = 0;
	while (event == MULTIPART_MORE && *at < len)
		event = step(m, in, len, at, data, n);
	return event;
}

bool
multipart_is_complete(const struct multipart *m)
{
	return m->state == MULTIPART_EPILOGUE;
}

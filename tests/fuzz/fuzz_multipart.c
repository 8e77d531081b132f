/* A multipart body has the same parts however it is cut into pieces. */

#include <string.h>

#include "base/buf.h"
#include "fuzz.h"
#include "worker/lua/lib/multipart.h"

static const char mark[] = { 'M', 'H', 'D', 'E', 'C', 'B' };

/* The events of a piece, neighbouring data as one. */
static enum multipart_event
add_events(struct buf *out, struct multipart *m, const char *in, size_t len,
    char *last)
{
	enum multipart_event event = MULTIPART_MORE;
	size_t at = 0, before, n;
	const char *data;

	do {
		before = at;
		event = multipart_next(m, in, len, &at, &data, &n);
		must(at >= before && at <= len);
		must(event != MULTIPART_MORE || at == len);
		if (event == MULTIPART_DATA || event == MULTIPART_HEAD_END)
			must(n <= len + MULTIPART_HEAD);
		must(event != MULTIPART_DATA || n > 0);
		if (event == MULTIPART_MORE)
			break;
		if (event != MULTIPART_DATA || *last != 'D')
			buf_putc(out, mark[event]);
		*last = mark[event];
		if (event == MULTIPART_DATA || event == MULTIPART_HEAD_END)
			buf_add(out, data, n);
	} while (event != MULTIPART_BAD);
	return event;
}

static void
scan(struct buf *out, const char *text, size_t size, size_t piece)
{
	struct multipart m;
	char last = '\0';
	size_t n;

	must(multipart_begin(&m, "XX", 2));
	for (; size > 0; text += n, size -= n) {
		n = piece < size ? piece : size;
		if (add_events(out, &m, text, n, &last) == MULTIPART_BAD)
			break;
	}
	must((last == 'B') == (m.fault != NULL));
	buf_putc(out, multipart_is_complete(&m) ? '.' : '?');
}

FUZZ(multipart)
{
	struct buf whole = { 0 }, cut = { 0 };
	struct multipart m;

	if (size < 2)
		return;
	if (multipart_begin(&m, (const char *)data, size))
		must(size <= MULTIPART_BOUNDARY &&
		    m.delimiter_len == size + 4);
	scan(&whole, (const char *)data + 1, size - 1, size);
	must(whole.len <= 8 * size + 8);
	for (size_t piece = 1; piece <= 3; piece++) {
		buf_clear(&cut);
		scan(&cut, (const char *)data + 1, size - 1,
		    piece == 3 ? data[0] + 3u : piece);
		must(cut.len == whole.len &&
		    memcmp(cut.data, whole.data, cut.len) == 0);
	}
	buf_free(&whole);
	buf_free(&cut);
}

#include "worker/proto/fcgi/fcgi_head.h"

#include "base/num.h"

static void
put_line(struct buf *out, const char *name, const char *value)
{
	buf_puts(out, name);
	buf_puts(out, value);
	buf_add(out, "\r\n", 2);
}

/* Without printf(3), which takes longer than all else here. */
int
fcgi_head_print(const struct response *r, int64_t body_len, struct buf *out)
{
	const char *phrase = response_phrase(r), *type = response_type(r);
	int64_t length = response_length(r, body_len);
	char digits[NUM_TEXT];

	buf_puts(out, "Status: ");
	buf_add(out, digits, num_decimal((uint64_t)r->status, digits));
	put_line(out, phrase[0] != '\0' ? " " : "", phrase);
	if (type != NULL)
		put_line(out, "Content-Type: ", type);
	buf_add(out, r->headers.data, r->headers.len);
	if (length != -1) {
		buf_puts(out, "Content-Length: ");
		digits[num_decimal((uint64_t)length, digits)] = '\0';
		put_line(out, digits, "");
	}
	buf_add(out, "\r\n", 2);
	return out->failed || r->headers.failed ? -1 : 0;
}

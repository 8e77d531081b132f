#include "worker/proto/fcgi/fcgi_head.h"

#include <inttypes.h>

int
fcgi_head_print(const struct response *r, int64_t body_len, struct buf *out)
{
	const char *phrase = response_phrase(r), *type = response_type(r);
	int64_t length = response_length(r, body_len);

	buf_addf(out, "Status: %d%s%s\r\n", r->status,
	    phrase[0] != '\0' ? " " : "", phrase);
	if (type != NULL)
		buf_addf(out, "Content-Type: %s\r\n", type);
	buf_add(out, r->headers.data, r->headers.len);
	if (length != -1)
		buf_addf(out, "Content-Length: %" PRId64 "\r\n", length);
	buf_add(out, "\r\n", 2);
	return out->failed || r->headers.failed ? -1 : 0;
}

/*
 * What a CGI program writes: the same head and body and the same end, whether
 * they come at once or in pieces; no head that is not valid, no byte beyond its
 * Content-Length.
 */

#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "worker/cgi/cgi_reply.h"
#include "worker/proto/fcgi/fcgi_head.h"

#define HEAD_MOST 300
#define PIECE	  7

struct side {
	struct request request; /* first: &request is the side */
	struct cgi_reply reply;
	struct buf head, body;
	enum cgi_reply_end end;
	bool cut;
};

static int
take_head(struct request *request, const struct response *response,
    int64_t body_len)
{
	struct side *side = (struct side *)request;

	must(side->head.len == 0 && body_len == -1);
	must(response->status >= 100 && response->status <= 999);
	must(fcgi_head_print(response, body_len, &side->head) == 0);
	if (side->head.len > request->head_most) {
		errno = EMSGSIZE;
		return -1;
	}
	request->sent = true;
	return 0;
}

static int
take_body(struct request *request, const struct iovec *piece, int n)
{
	struct side *side = (struct side *)request;

	must(side->head.len > 0 && n == 1 && piece->iov_len > 0);
	must(!request->head_only && response_has_body(&side->reply.response));
	return buf_add(&side->body, piece->iov_base, piece->iov_len);
}

static const struct request_ops ops = { .head = take_head,
	.write = take_body };

static void
run(struct side *side, const char *data, size_t size, size_t piece, bool head)
{
	struct why why;
	size_t n;

	*side = (struct side){ .request = { .ops = &ops, .head_only = head,
		.head_most = HEAD_MOST } };
	cgi_reply_begin(&side->reply, &side->request);
	for (; size > 0 && side->end != CGI_REPLY_BAD; data += n, size -= n) {
		n = size < piece ? size : piece;
		why.text[0] = '\0';
		side->end = cgi_reply_take(&side->reply, data, n, &why);
		must(side->end != CGI_REPLY_GONE);
		must(side->end == CGI_REPLY_DONE || why.text[0] != '\0');
		must(side->end != CGI_REPLY_CUT || !side->cut);
		side->cut |= side->end == CGI_REPLY_CUT;
	}
	if (side->end != CGI_REPLY_BAD)
		side->end = cgi_reply_finish(&side->reply, &why);
	must(side->reply.response.length == -1 ||
	    side->body.len <= (uint64_t)side->reply.response.length);
}

static void
forget(struct side *side)
{
	response_free(&side->reply.response);
	buf_free(&side->reply.head);
	buf_free(&side->head);
	buf_free(&side->body);
}

static bool
same(const struct buf *a, const struct buf *b)
{
	return a->len == b->len &&
	    (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

FUZZ(cgi_reply)
{
	static struct side whole, pieces;
	const char *text = (const char *)data;

	if (size == 0)
		return;
	run(&whole, text + 1, size - 1, size, data[0] & 1);
	run(&pieces, text + 1, size - 1, PIECE, data[0] & 1);
	must(whole.end == pieces.end && whole.cut == pieces.cut);
	must(whole.request.sent == pieces.request.sent);
	must(!whole.request.sent || same(&whole.head, &pieces.head));
	must(same(&whole.body, &pieces.body));
	forget(&whole);
	forget(&pieces);
}

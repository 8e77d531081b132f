#include "worker/cgi/cgi_reply.h"

#include <errno.h>
#include <inttypes.h>
#include <strings.h>

#include "base/num.h"
#include "net/cgi_head.h"

#define HEAD_MOST (1024 * 1024) /* bytes, where limits.response_head is 0 */
#define HEAD_KEEP (64 * 1024)	/* bytes of memory for the next one */

void
cgi_reply_begin(struct cgi_reply *reply, struct request *request)
{
	reply->request = request;
	reply->begun = reply->mute = reply->cut = false;
	reply->left = -1;
	response_init(&reply->response);
	buf_clear(&reply->head);
	if (reply->head.cap > HEAD_KEEP)
		buf_free(&reply->head);
}

/* ---- the head ------------------------------------------------------------ */

static int
take_header(struct response *r, const struct cgi_header *h, struct why *why)
{
	if (h->name_len == 6 && strncasecmp(h->name, "Status", 6) == 0) {
		if (!r->has_status)
			return response_status_text(r, h->value, h->value_len,
			    why);
		why_set(why, "header \"Status\" is given twice");
		return -1;
	}
	return response_header(r, h->name, h->name_len, h->value,
	    h->value_len, why);
}

/* A head has at least one header (RFC 3875, 6.2). */
static int
parse(struct response *r, const char *line, const char *stop, struct why *why)
{
	struct cgi_header header;
	int more, n = 0;

	while ((more = cgi_head_next(&line, stop, &header, why)) == 1) {
		if (take_header(r, &header, why) == -1)
			return -1;
		n++;
	}
	if (more == 0 && n > 0)
		return 0;
	if (more == 0)
		why_set(why, "its output begins with an empty line, where a "
		    "header is expected");
	return -1;
}

static enum cgi_reply_end
too_long(size_t n, size_t most, struct why *why)
{
	char limit[NUM_TEXT];

	num_size_text((int64_t)most, limit);
	why_set(why, "the head of the response has %zu bytes or more, more "
	    "than limits.response_head (%s)", n, limit);
	return CGI_REPLY_BAD;
}

static enum cgi_reply_end
send_head(struct cgi_reply *reply, struct why *why)
{
	struct request *request = reply->request;
	const struct response *r = &reply->response;

	reply->left = r->length;
	reply->mute = request->head_only || !response_has_body(r);
	if (request->ops->head(request, r, -1) == 0) {
		reply->begun = true;
		return CGI_REPLY_DONE;
	}
	if (request->sent)
		return CGI_REPLY_GONE;
	request_explain_head(request, r, errno, why);
	return CGI_REPLY_BAD;
}

/* ---- the body ------------------------------------------------------------ */

static enum cgi_reply_end
send_body(struct cgi_reply *reply, const char *data, size_t n, struct why *why)
{
	bool whole = reply->left == -1 || n <= (uint64_t)reply->left;

	if (reply->mute)
		return CGI_REPLY_DONE;
	if (!whole)
		n = (size_t)reply->left;
	if (reply->left != -1)
		reply->left -= (int64_t)n;
	if (n > 0 && request_write(reply->request, data, n) == -1)
		return CGI_REPLY_GONE;
	if (whole || reply->cut)
		return CGI_REPLY_DONE;
	reply->cut = true;
	why_set(why, "the body is longer than its Content-Length %" PRId64
	    ", the rest is cut off", reply->response.length);
	return CGI_REPLY_CUT;
}

/* The bytes of the head that are not yet complete are kept.  What follows them
 * is sent from where it is. */
enum cgi_reply_end
cgi_reply_take(struct cgi_reply *reply, const char *data, size_t n,
    struct why *why)
{
	struct buf *head = &reply->head;
	size_t before = head->len, end;
	size_t most = reply->request->head_most != 0 ?
	    reply->request->head_most : HEAD_MOST;
	enum cgi_reply_end result;

	if (reply->begun)
		return send_body(reply, data, n, why);
	if (buf_add(head, data, n) == -1) {
		why_set(why, "out of memory for the headers");
		return CGI_REPLY_BAD;
	}
	end = cgi_head_end(head->data, head->len, before);
	if (end > most || (end == 0 && head->len > most))
		return too_long(end > 0 ? end : head->len, most, why);
	if (end == 0)
		return CGI_REPLY_DONE;
	if (parse(&reply->response, head->data, head->data + end, why) == -1)
		return CGI_REPLY_BAD;
	result = send_head(reply, why);
	if (result == CGI_REPLY_DONE && end < head->len)
		result = send_body(reply, head->data + end, head->len - end,
		    why);
	return result;
}

enum cgi_reply_end
cgi_reply_finish(const struct cgi_reply *reply, struct why *why)
{
	if (!reply->begun && reply->head.len == 0)
		why_set(why, "it ended its output without a response");
	else if (!reply->begun)
		why_set(why, "it ended its output before the empty line that "
		    "ends the head");
	else if (!reply->mute && reply->left > 0)
		why_set(why, "the body is %" PRId64 " bytes shorter than its "
		    "Content-Length %" PRId64, reply->left,
		    reply->response.length);
	else
		return CGI_REPLY_DONE;
	return CGI_REPLY_BAD;
}

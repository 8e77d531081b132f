/* A protocol for tests, in the place of FastCGI: a line is a request for that
 * URI, the body of the response and a line feed are the answer. */

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "worker/proto/fcgi/fcgi.h"
#include "worker/serve/response.h"

static struct request request;
static struct param uri = { .name = "REQUEST_URI", .name_len = 11 };
static struct conn *conn;

static int
line_head(struct request *r, const struct response *response, int64_t len)
{
	r->sent = len != INT64_MIN;
	r->status = response->status;
	r->head = "";
	return 0;
}

static int
line_write(struct request *r, const struct iovec *piece, int n)
{
	r->aborted |= writev(conn->fd, piece, n) == -1;
	errno = EPIPE;
	return r->aborted ? -1 : 0;
}

static ssize_t
line_read(struct request *r, void *data, size_t n)
{
	return r->aborted && data != NULL && n > 0 ? -1 : 0;
}

static int
line_flush(struct request *r)
{
	return r->aborted ? -1 : 0;
}

static void
line_abandon(struct request *r, int status)
{
	r->status = status;
}

static bool
line_gone(struct request *r)
{
	return r->aborted;
}

static const struct request_ops ops = {
	.read = line_read,
	.head = line_head,
	.write = line_write,
	.flush = line_flush,
	.abandon = line_abandon,
	.gone = line_gone,
};

static enum proto_verdict
line_judge(struct conn *c)
{
	return memchr(c->in.data, '\n', c->in.len) ? PROTO_REQUEST : PROTO_MORE;
}

static struct request *
line_begin(struct conn *c)
{
	conn = c;
	uri.value = c->in.data;
	uri.value_len = strcspn(c->in.data, "\n");
	request = (struct request){ .ops = &ops, .params = &uri, .nparams = 1,
		.id = "line", .begun = clock_us() };
	request_index(&request);
	return &request;
}

static enum conn_then
line_end(struct request *r)
{
	line_write(r, &(struct iovec){ (char *)"\n", 1 }, 1);
	buf_consume(&conn->in, uri.value_len + 1);
	return r->aborted ? CONN_THEN_CLOSE : CONN_THEN_KEEP;
}

static void
line_late(struct conn *c)
{
	conn_close(c);
}

static int
line_pack(const struct conn *c, struct buf *out)
{
	return buf_add(out, c->in.data, c->in.len);
}

const struct proto fcgi_proto = {
	.name = "line",
	.state_size = 1,
	.judge = line_judge,
	.begin = line_begin,
	.end = line_end,
	.late = line_late,
	.pack = line_pack,
};

void
fcgi_init(const struct fcgi_options *options)
{
	errno = options->read_timeout == 0;
}

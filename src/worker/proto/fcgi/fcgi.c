#include "worker/proto/fcgi/fcgi.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/clock.h"
#include "net/fcgi_wire.h"
#include "worker/net/peer.h"
#include "worker/net/poller.h"
#include "worker/process/forked.h"
#include "worker/proto/fcgi/fcgi_body.h"
#include "worker/proto/fcgi/fcgi_head.h"
#include "worker/proto/fcgi/fcgi_out.h"
#include "worker/proto/fcgi/fcgi_peer.h"

#define PARAMS_KEEP 1024 /* parameters, more are not kept in memory */
#define HEAD_KEEP   (64 * 1024) /* bytes of a head, likewise */

struct fcgi_request {
	struct request base; /* first: &base is the request */
	struct conn *conn;
	struct fcgi_body body;
	struct param *params;
	size_t params_cap;
	struct fcgi_out out;
	bool last; /* its response is the last one of its connection */
};

static struct {
	struct fcgi_options options;
	struct fcgi_request request;
	struct buf head; /* of the present response */
} self;

static const unsigned numbers[REQUEST_ROLES] = {
	[ROLE_RESPONDER] = FCGI_RESPONDER,
	[ROLE_AUTHORIZER] = FCGI_AUTHORIZER,
	[ROLE_FILTER] = FCGI_FILTER,
};

/* proto.roles: any other is answered FCGI_UNKNOWN_ROLE. */
static void
fcgi_roles(unsigned roles)
{
	unsigned served = 0;

	for (unsigned i = 0; i < REQUEST_ROLES; i++)
		if (roles & ROLE_BIT(i))
			served |= SCAN_ROLE(numbers[i]);
	fcgi_peer_roles(served);
}

void
fcgi_init(const struct fcgi_options *options)
{
	self.options = *options;
	fcgi_peer_init(&options->scan, options->write_timeout);
	fcgi_roles(ROLE_BIT(ROLE_RESPONDER));
}

static enum request_role
role_of(unsigned number)
{
	enum request_role role = ROLE_RESPONDER;

	while (numbers[role] != number)
		role++;
	return role;
}

/* Between requests, whatever is not a head or a part of one ends the
 * connection. */
static enum proto_verdict
fcgi_judge(struct conn *c)
{
	enum scan_verdict verdict = fcgi_peer_judge(c, &c->in, false);

	if (fcgi_state(c)->state == SCAN_IDLE) {
		buf_consume(&c->in, fcgi_state(c)->at);
		fcgi_state(c)->at = 0;
	}
	if (verdict == SCAN_BAD)
		peer_blame(c, fcgi_state(c)->fault);
	else if (verdict == SCAN_LARGE)
		peer_blame(c, "request head larger than limits.head");
	switch (verdict) {
	case SCAN_HEAD:
		return PROTO_REQUEST;
	case SCAN_MORE:
		return PROTO_MORE;
	case SCAN_REFUSE:
		return PROTO_LINGER;
	default:
		return PROTO_CLOSE;
	}
}

static void
fcgi_late(struct conn *c)
{
	peer_blame(c, c->in.len > 0 ? "request head not complete in time" :
				      "no request in time");
	conn_close(c);
}

static int
fcgi_pack(const struct conn *c, struct buf *out)
{
	return scan_pack(fcgi_state(c), &c->in, out);
}

static struct fcgi_request *
fcgi_of(struct request *request)
{
	return (struct fcgi_request *)request;
}

/* True if bytes of the body are beyond its bound.  The second body of a filter
 * has none: it is a file of the web server. */
static bool
is_beyond(const struct fcgi_request *r)
{
	return r->base.body_most > 0 && r->body.stream == SCAN_STDIN &&
	    r->body.taken > (uint64_t)r->base.body_most;
}

/* After reading: a peer that is late, or sends too much, can still be answered
 * (408, 413); one that left or sent a malformed stream cannot. */
static ssize_t
note_read(struct fcgi_request *r, ssize_t got)
{
	r->base.bytes_in = r->body.taken;
	if (got > 0 && is_beyond(r)) {
		peer_blame(r->conn, "request body longer than limits.body");
		errno = r->body.error = EFBIG;
		return -1;
	}
	r->base.aborted |= got == -1 && errno != ETIMEDOUT &&
	    errno != EFBIG && errno != EAGAIN;
	return got;
}

static ssize_t
fcgi_read(struct request *request, void *data, size_t n)
{
	struct fcgi_request *r = fcgi_of(request);

	forked_leave();
	if (r->body.stream != SCAN_STDIN)
		return 0;
	return note_read(r, fcgi_body_read(&r->body, data, n,
	    self.options.read_timeout));
}

static ssize_t
fcgi_read_data(struct request *request, void *data, size_t n)
{
	struct fcgi_request *r = fcgi_of(request);
	ssize_t got;

	forked_leave();
	got = fcgi_body_turn(&r->body, self.options.read_timeout);
	if (got == 0)
		got = fcgi_body_read(&r->body, data, n,
		    self.options.read_timeout);
	return note_read(r, got);
}

static ssize_t
fcgi_take(struct request *request, void *data, size_t n, int64_t waited)
{
	struct fcgi_request *r = fcgi_of(request);

	return note_read(r, fcgi_body_take(&r->body, data, n,
	    self.options.read_timeout, waited));
}

static int
fcgi_watched(const struct request *request)
{
	return ((const struct fcgi_request *)request)->conn->fd;
}

/* Note the result of fcgi_out: after a failure nothing more is sent. */
static int
written(struct fcgi_request *r, int result)
{
	r->base.aborted |= result == -1;
	return result;
}

static struct fcgi_conn *
conn_of(const struct conn *c)
{
	return c->proto;
}

static bool
is_nginx(const struct fcgi_request *r)
{
	static const char name[] = "nginx/";
	size_t len;
	const char *software = request_param(&r->base, "SERVER_SOFTWARE",
	    &len);

	return software != NULL && len >= sizeof(name) - 1 &&
	    memcmp(software, name, sizeof(name) - 1) == 0;
}

/* Once for a connection that is kept. */
static void
know_peer(const struct fcgi_request *r)
{
	struct fcgi_conn *f = conn_of(r->conn);

	if (f->known || !f->scan.keep)
		return;
	f->known = true;
	f->nginx = is_nginx(r) ? f->scan.id : 0;
}

/*
 * Before the end of a response is sent which is the last one of its connection.
 * A web server that keeps connections would send another request between that
 * and the end of the connection.  Over TCP both arrive together; over a unix
 * socket they cannot, but nginx can be told to close the connection itself.
 */
static void
part(struct fcgi_request *r)
{
	const int on = 1;

	if (r->out.ended || !fcgi_state(r->conn)->keep)
		return;
	r->last = true;
	if (setsockopt(r->conn->fd, IPPROTO_TCP, TCP_CORK, &on,
	    sizeof(on)) == -1)
		r->out.parts = conn_of(r->conn)->nginx != 0;
}

static int
put(struct fcgi_request *r, unsigned type, const struct iovec *piece, int n)
{
	forked_leave();
	if (r->base.aborted || r->out.ended) {
		errno = EPIPE;
		return -1;
	}
	r->out.status = r->base.result;
	if (r->base.last && type == FCGI_STDOUT) {
		if (r->base.completes != NULL)
			r->base.completes(&r->base);
		if (self.options.ends())
			part(r);
		return written(r, fcgi_out_finish(&r->out, type, piece, n));
	}
	return written(r, fcgi_out_write(&r->out, type, piece, n));
}

static int
fcgi_write(struct request *request, const struct iovec *piece, int n)
{
	if (request->timed && request->first == 0)
		request->first = clock_us();
	for (int i = 0; i < n && !request->aborted; i++)
		request->bytes_out += piece[i].iov_len;
	return put(fcgi_of(request), FCGI_STDOUT, piece, n);
}

/* A filter must have read all of FCGI_STDIN before it writes (specification,
 * 6.4).  A server that is late with it is answered all the same. */
static void
end_input(struct fcgi_request *r)
{
	note_read(r, fcgi_body_turn(&r->body, self.options.read_timeout));
}

static int
fcgi_head(struct request *request, const struct response *response,
    int64_t body_len)
{
	if (request->role == ROLE_FILTER)
		end_input(fcgi_of(request));
	buf_clear(&self.head);
	if (fcgi_head_print(response, body_len, &self.head) == -1) {
		errno = ENOMEM;
		return -1;
	}
	if (request_note_head(request, response->status, &self.head) == -1)
		return -1;
	return request_write(request, self.head.data, self.head.len);
}

static int
fcgi_complain_to_server(struct request *request, const void *data, size_t n)
{
	const struct iovec piece = { (void *)data, n };

	return put(fcgi_of(request), FCGI_STDERR, &piece, 1);
}

static bool
fcgi_gone(struct request *request)
{
	struct fcgi_request *r = fcgi_of(request);
	struct pollfd p = { .fd = r->conn->fd, .events = POLLIN | POLLRDHUP };
	bool more;

	if (request->aborted)
		return true;
	more = poll(&p, 1, 0) > 0;
	if (!more && r->conn->in.len == fcgi_state(r->conn)->at)
		return false;
	request->aborted = peer_hung_up(p.fd, p.revents) ||
	    fcgi_body_aborted(&r->body, more);
	return request->aborted;
}

/* A streamed response first asks whether the peer has gone: the first write to
 * a peer that has closed would seem to succeed. */
static int
fcgi_flush(struct request *request)
{
	struct fcgi_request *r = fcgi_of(request);

	forked_leave();
	if (fcgi_gone(request)) {
		errno = EPIPE;
		return -1;
	}
	return written(r, fcgi_out_send(&r->out));
}

static void
fcgi_abandon(struct request *request, int status)
{
	struct fcgi_request *r = fcgi_of(request);
	struct buf text = { 0 };

	buf_addf(&text, "Status: %d %s\r\nContent-Type: text/plain\r\n\r\n",
	    status, response_reason(status));
	if (!request->head_only)
		buf_addf(&text, "%s\n", response_reason(status));
	part(r);
	if (fcgi_out_replace(&r->out, text.data, text.len)) {
		request->status = status;
		request->bytes_out = text.len;
	}
	buf_free(&text);
}

static const struct request_ops fcgi_ops = {
	.head = fcgi_head,
	.abandon = fcgi_abandon,
	.read = fcgi_read,
	.read_data = fcgi_read_data,
	.take = fcgi_take,
	.watched = fcgi_watched,
	.write = fcgi_write,
	.flush = fcgi_flush,
	.complain = fcgi_complain_to_server,
	.gone = fcgi_gone,
};

static int
params_grow(struct fcgi_request *r)
{
	size_t cap = r->params_cap == 0 ? 64 : r->params_cap * 2;
	struct param *p = realloc(r->params, cap * sizeof(*p));

	if (p == NULL)
		return -1;
	r->params = p;
	r->params_cap = cap;
	return 0;
}

static int
params_parse(struct fcgi_request *r)
{
	const struct conn *c = r->conn;
	const unsigned char *p, *end;
	struct fcgi_pair pair;
	size_t n = 0;

	/* There is an array also for a request without parameters. */
	if (r->params == NULL && params_grow(r) == -1)
		return -1;
	p = (const unsigned char *)c->in.data + fcgi_state(c)->params;
	end = p + fcgi_state(c)->params_len;
	while (p < end) {
		if (fcgi_get_pair(&p, (size_t)(end - p), &pair) != 1)
			return -1;
		if (n == r->params_cap && params_grow(r) == -1)
			return -1;
		r->params[n++] = (struct param) {
			.name = (const char *)pair.name,
			.value = (const char *)pair.value,
			.name_len = pair.name_len,
			.value_len = pair.value_len };
	}
	r->base.params = r->params;
	r->base.nparams = n;
	return 0;
}

static struct request *
fcgi_begin(struct conn *c)
{
	struct fcgi_request *r = &self.request;

	memset(&r->base, 0, sizeof(r->base));
	r->conn = c;
	r->last = false;
	r->base.ops = &fcgi_ops;
	r->base.role = role_of(fcgi_state(c)->role);
	r->base.begun = clock_us();
	if (r->base.role != ROLE_AUTHORIZER)
		r->base.body_most = self.options.body_most;
	errno = 0;
	if (fcgi_body_begin(&r->body, c, self.options.min_rate) == -1 ||
	    params_parse(r) == -1) {
		peer_blame(c, errno == ENOMEM ?
		    "no memory for its request: closed" :
		    "malformed parameters");
		return NULL;
	}
	request_index(&r->base);
	request_identify(&r->base);
	know_peer(r);
	fcgi_out_begin(&r->out, c, fcgi_state(c)->id);
	return &r->base;
}

/* The memory of many parameters or of a long head is not kept. */
static void
forget(struct fcgi_request *r)
{
	if (self.head.cap > HEAD_KEEP)
		buf_free(&self.head);
	if (r->params_cap <= PARAMS_KEEP)
		return;
	free(r->params);
	r->params = NULL;
	r->params_cap = 0;
}

/* True if the connection may have another request, or has one already, which its
 * peer sent before it could know that there would be no other. */
static bool
goes_on(const struct fcgi_request *r)
{
	return !r->last || r->out.parts ||
	    poller_readable(r->conn->fd, 0) == 1;
}

static enum conn_then
fcgi_end(struct request *request)
{
	struct fcgi_request *r = fcgi_of(request);
	bool keep = fcgi_state(r->conn)->keep;
	bool ended, cut = request->app_status != 0 && !r->out.ended;

	r->out.status = request->result;
	if (self.options.ends())
		part(r);
	if (!request->aborted)
		written(r, cut ? fcgi_out_cut(&r->out) :
				 fcgi_out_end(&r->out));
	ended = !request->aborted && fcgi_body_drain(&r->body);
	request->bytes_in = r->body.taken;
	if (request->aborted)
		return CONN_THEN_CLOSE;
	if (!ended)
		return CONN_THEN_LINGER;
	return keep && !cut && goes_on(r) ? CONN_THEN_KEEP : CONN_THEN_CLOSE;
}

static void
fcgi_release(struct request *request)
{
	struct fcgi_request *r = fcgi_of(request);

	forget(r);
	fcgi_body_end(&r->body);
}

/* As fcgi_out_end has it. */
static void
fcgi_part(const struct conn *c)
{
	unsigned char record[FCGI_HEADER_LEN];

	if (conn_of(c)->nginx == 0)
		return;
	fcgi_put_header(record, FCGI_STDERR, conn_of(c)->nginx, 0, 0);
	(void)send(c->fd, record, sizeof(record),
	    MSG_DONTWAIT | MSG_NOSIGNAL);
}

const struct proto fcgi_proto = {
	.name = "fcgi",
	.state_size = sizeof(struct fcgi_conn),
	.roles = fcgi_roles,
	.judge = fcgi_judge,
	.begin = fcgi_begin,
	.end = fcgi_end,
	.release = fcgi_release,
	.late = fcgi_late,
	.part = fcgi_part,
	.pack = fcgi_pack,
};

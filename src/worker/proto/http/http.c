#include "worker/proto/http/http.h"

#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/tuning.h"
#include "worker/net/peer.h"
#include "worker/process/forked.h"
#include "worker/proto/http/http_ask.h"
#include "worker/proto/http/http_body.h"
#include "worker/proto/http/http_chunk.h"
#include "worker/proto/http/http_env.h"
#include "worker/proto/http/http_forwarded.h"
#include "worker/proto/http/http_head.h"
#include "worker/proto/http/http_out.h"
#include "worker/proto/http/http_proxy.h"

#define CONTINUE    "HTTP/1.1 100 Continue\r\n\r\n"
#define HEAD_KEEP   (64 * 1024) /* bytes of a response's head that are kept */
#define TEXT_KEEP   (64 * 1024) /* bytes of a request's parameters, likewise */
#define PARAMS_KEEP 1024

struct http_conn { /* conn.proto */
	struct http_scan scan;
	struct http_chunk chunk; /* measures a body that is awaited */
	size_t measured;	 /* bytes of conn.in up to where it has */
	uint64_t content;	 /* bytes of content that it found */
	int64_t began; /* clock_ms() when its body was first awaited; 0: not */
	struct http_address peer, server; /* its own, or as a PROXY header
					     says */
	unsigned served; /* requests */
	bool proxied;	/* the PROXY header has come */
	bool addressed; /* peer and server are known */
	bool headed;	/* a head is complete, its body is awaited */
	bool whole;	/* the chunked body has come entirely */
	bool continued; /* 100 Continue has been sent */
	bool upgrade;	/* to WebSocket, and it is sound */
};

struct http_request {
	struct request base; /* first: &base is the request */
	struct conn *conn;
	struct http_body body;
	struct http_out out;
	struct http_head_facts facts;
};

static struct {
	struct http_options options;
	struct http_request request;
	struct http_ask ask;
	const struct conn *asker; /* whose head `ask` is of; NULL: nobody's */
	struct http_env env;
	struct buf head; /* of the present response */
	bool websocket;	 /* the application takes upgrades, */
	struct ws_origins origins; /* from pages of these */
} self;

static struct http_conn *
state_of(const struct conn *c)
{
	return c->proto;
}

void
http_init(const struct http_options *options)
{
	self.options = *options;
	self.request.body.limits = options->limits;
	self.request.body.most = (uint64_t)options->body_most;
}

void
http_take_upgrades(bool websocket, const struct ws_origins *origins)
{
	self.websocket = websocket;
	self.origins = *origins;
}

/* ---- between requests ---------------------------------------------------- */

/* Answer without the application, and let the peer finish. */
static enum proto_verdict
refuse(struct conn *c, int status, const char *fault)
{
	struct buf text = { 0 };

	peer_blame(c, fault);
	http_head_print_error(status, false, &text);
	if (text.failed || send(c->fd, text.data, text.len,
	    MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)text.len) {
		buf_free(&text);
		return PROTO_CLOSE;
	}
	buf_free(&text);
	return PROTO_LINGER;
}

static enum proto_verdict
judge_proxy(struct conn *c)
{
	struct http_conn *s = state_of(c);
	struct http_proxy proxy;

	switch (http_proxy_judge(c->in.data, c->in.len, &proxy)) {
	case HTTP_PROXY_MORE:
		return PROTO_MORE;
	case HTTP_PROXY_DONE:
		buf_consume(&c->in, proxy.len);
		s->proxied = true;
		s->addressed = proxy.source.kind != HTTP_ADDRESS_NONE;
		s->peer = proxy.source;
		s->server = proxy.destination;
		return PROTO_REQUEST;
	default:
		peer_blame(c, proxy.fault);
		return PROTO_CLOSE;
	}
}

/* The head is well-formed: what it asks for may still be refused. */
static enum proto_verdict
check_head(struct conn *c)
{
	struct http_conn *s = state_of(c);
	const char *fault;
	int status = http_ask_parse(&self.ask, c->in.data, &s->scan, &fault);

	s->upgrade = false;
	if (status == 0 && s->scan.upgrade)
		status = http_ask_upgrade(&self.ask, &s->scan,
		    self.websocket ? &self.origins : NULL, &fault);
	if (status == 101)
		s->upgrade = true;
	else if (status != 0)
		return refuse(c, status, fault);
	self.asker = c;
	s->headed = true;
	s->measured = s->scan.at;
	return PROTO_REQUEST;
}

static enum proto_verdict
judge_head(struct conn *c)
{
	struct http_conn *s = state_of(c);

	switch (http_scan_next(&s->scan, c->in.data, c->in.len,
	    &self.options.limits)) {
	case HTTP_MORE:
		return PROTO_MORE;
	case HTTP_HEAD:
		return check_head(c);
	default:
		return refuse(c, s->scan.status, s->scan.fault);
	}
}

/* The client may be waiting for that before it sends the body. */
static bool
send_continue(struct conn *c)
{
	struct http_conn *s = state_of(c);

	if (!s->scan.expects || s->continued)
		return true;
	s->continued = true;
	return send(c->fd, CONTINUE, sizeof(CONTINUE) - 1,
	    MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(CONTINUE) - 1;
}

/* Too slow since it was first awaited, which may be now. */
static bool
is_slow(struct http_conn *s, size_t come)
{
	int64_t now = clock_ms(), took;

	if (s->began == 0)
		s->began = now;
	took = now - s->began;
	return took >= tuning.rate &&
	    (int64_t)come < self.options.min_rate * took / 1000;
}

/* Known to be longer than a body may be: the request is answered without it. */
static bool
is_too_long(const struct http_conn *s)
{
	int64_t most = self.options.body_most;

	return most > 0 && (s->scan.length > most ||
	    s->content > (uint64_t)most);
}

/* So much of the body has come that the request may begin. */
static bool
suffices(const struct http_conn *s, size_t come)
{
	size_t most = self.options.request_buffer;

	if (is_too_long(s))
		return true;
	if (s->scan.chunked)
		return s->whole || come >= most;
	if (s->scan.length <= 0 || (int64_t)come >= s->scan.length)
		return true;
	/* The application may refuse a long one before it is sent. */
	return come >= most || (s->scan.expects && come == 0 &&
	    s->scan.length > (int64_t)most);
}

static enum proto_verdict
judge_body(struct conn *c)
{
	struct http_conn *s = state_of(c);
	size_t come = c->in.len - s->scan.at;

	if (s->scan.chunked && !s->whole) {
		switch (http_chunk_measure(&s->chunk, c->in.data, c->in.len,
		    &self.options.limits, &s->measured, &s->content)) {
		case CHUNK_END:
			s->whole = true;
			break;
		case CHUNK_BAD:
			return refuse(c, 400, s->chunk.fault);
		default:
			break;
		}
	}
	if (suffices(s, come))
		return PROTO_REQUEST;
	if (is_slow(s, come))
		return refuse(c, 408,
		    "request body slower than limits.min_rate");
	return send_continue(c) ? PROTO_BODY : PROTO_CLOSE;
}

/* PROTO_REQUEST of one step leads to the next one. */
static enum proto_verdict
http_judge(struct conn *c)
{
	struct http_conn *s = state_of(c);
	enum proto_verdict verdict = PROTO_REQUEST;

	self.asker = NULL;
	if (self.options.proxy_protocol && !s->proxied)
		verdict = judge_proxy(c);
	if (verdict == PROTO_REQUEST && !s->headed)
		verdict = judge_head(c);
	if (verdict == PROTO_REQUEST)
		verdict = judge_body(c);
	return verdict;
}

/* A connection that has never been used is no fault: browsers keep one ready.  A
 * peer that owes a PROXY header is no client to answer. */
static void
http_late(struct conn *c)
{
	const char *what = c->state == CONN_BODY ?
	    "request body not complete in time" :
	    "request head not complete in time";

	if (c->in.len == 0) {
		conn_close(c);
	} else if (self.options.proxy_protocol && !state_of(c)->proxied) {
		peer_blame(c, "PROXY header not complete in time");
		conn_close(c);
	} else if (refuse(c, 408, what) == PROTO_CLOSE) {
		conn_close(c);
	} else {
		conn_linger(c);
	}
}

static int
http_pack(const struct conn *c, struct buf *out)
{
	const struct http_conn *s = state_of(c);

	if (s->proxied)
		http_proxy_add(&s->peer, &s->server, out);
	buf_add(out, c->in.data, c->in.len);
	return out->failed ? -1 : 0;
}

/* ---- a request ----------------------------------------------------------- */

static struct http_request *
http_of(struct request *request)
{
	return (struct http_request *)request;
}

/* After reading: a peer that is late, or whose body is too long or malformed,
 * can still be answered; one that left cannot. */
static ssize_t
note_read(struct http_request *r, ssize_t got)
{
	r->base.bytes_in = r->body.taken;
	r->base.aborted |= got == -1 && errno != EAGAIN &&
	    request_body_status(errno) == 0;
	return got;
}

/* Before the body is read.  Once the response has begun, its client sends the
 * body unasked or not at all (RFC 9110, 10.1.1).  False if the client cannot be
 * asked. */
static bool
asks_for_body(const struct http_request *r)
{
	return r->body.ended || r->base.sent || send_continue(r->conn);
}

static ssize_t
http_read(struct request *request, void *data, size_t n)
{
	struct http_request *r = http_of(request);

	forked_leave();
	if (!asks_for_body(r)) {
		request->aborted = true;
		errno = ECONNRESET;
		return -1;
	}
	return note_read(r, http_body_read(&r->body, data, n,
	    self.options.read_timeout));
}

static ssize_t
http_take(struct request *request, void *data, size_t n, int64_t waited)
{
	struct http_request *r = http_of(request);

	asks_for_body(r);
	return note_read(r, http_body_take(&r->body, data, n,
	    self.options.read_timeout, waited));
}

static int
http_watched(const struct request *request)
{
	return ((const struct http_request *)request)->conn->fd;
}

/* Note the result of http_out: after a failure nothing more is sent. */
static int
written(struct http_request *r, int result)
{
	r->base.aborted |= result == -1;
	return result;
}

static bool
is_over(struct http_request *r)
{
	forked_leave();
	if (!r->base.aborted && !r->out.ended)
		return false;
	errno = EPIPE;
	return true;
}

static void
note_written(struct request *request, const struct iovec *piece, int n)
{
	if (request->timed && request->first == 0)
		request->first = clock_us();
	for (int i = 0; i < n; i++)
		request->bytes_out += piece[i].iov_len;
	if (request->last && request->completes != NULL)
		request->completes(request);
}

static int
http_write(struct request *request, const struct iovec *piece, int n)
{
	struct http_request *r = http_of(request);

	if (is_over(r))
		return -1;
	note_written(request, piece, n);
	return written(r, http_out_write(&r->out, piece, n, request->last));
}

/* The connection is closed after a body that the client was not told to send,
 * that could not be read, or that is long and not read. */
static bool
keeps(const struct http_request *r)
{
	const struct http_conn *s = state_of(r->conn);

	return s->scan.keep && !s->upgrade && !is_too_long(s) &&
	    r->body.error == 0 && !http_body_is_long(&r->body) &&
	    !self.options.ends() &&
	    (!s->scan.expects || s->continued || r->body.ended) &&
	    (self.options.keep_most == 0 ||
	    s->served < self.options.keep_most);
}

static int
http_head(struct request *request, const struct response *response,
    int64_t body_len)
{
	struct http_request *r = http_of(request);
	enum http_framing framing;
	struct iovec piece;

	if (response->status < 200) {
		errno = EPROTO; /* the client would wait for another one */
		return -1;
	}
	r->facts.keep = keeps(r);
	buf_clear(&self.head);
	framing = http_head_print(response, body_len, &r->facts, &self.head);
	if (self.head.failed) {
		errno = ENOMEM;
		return -1;
	}
	if (request_note_head(request, response->status, &self.head) == -1 ||
	    is_over(r))
		return -1;
	piece = (struct iovec){ self.head.data, self.head.len };
	note_written(request, &piece, 1);
	if (written(r, http_out_head(&r->out, &self.head, framing,
	    (uint64_t)response_length(response, body_len))) == -1)
		return -1;
	return request->last ? written(r, http_out_end(&r->out)) : 0;
}

static bool
http_gone(struct request *request)
{
	struct http_request *r = http_of(request);
	struct pollfd p = { .fd = r->conn->fd, .events = POLLRDHUP };

	if (!request->aborted && poll(&p, 1, 0) > 0)
		request->aborted = peer_hung_up(p.fd, p.revents);
	return request->aborted;
}

/* A streamed response first asks whether the peer has gone: the first write to
 * a peer that has closed would seem to succeed. */
static int
http_flush(struct request *request)
{
	struct http_request *r = http_of(request);

	forked_leave();
	if (http_gone(request)) {
		errno = EPIPE;
		return -1;
	}
	return written(r, http_out_send(&r->out));
}

static void
http_abandon(struct request *request, int status)
{
	struct http_request *r = http_of(request);
	struct buf text = { 0 };

	http_head_print_error(status, request->head_only, &text);
	if (!text.failed && http_out_replace(&r->out, text.data, text.len)) {
		request->status = status;
		request->bytes_out = text.len;
	}
	buf_free(&text);
}

static const struct request_ops http_ops = {
	.head = http_head,
	.abandon = http_abandon,
	.read = http_read,
	.take = http_take,
	.watched = http_watched,
	.write = http_write,
	.flush = http_flush,
	.gone = http_gone,
};

static struct http_address
address_of(int fd, int (*get)(int, struct sockaddr *, socklen_t *))
{
	struct sockaddr_storage address = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(address);

	get(fd, (struct sockaddr *)&address, &len);
	return http_address_from((struct sockaddr *)&address);
}

/* Once for a connection: the system is asked. */
static void
look_up(const struct conn *c, struct http_conn *s)
{
	if (s->addressed)
		return;
	s->addressed = true;
	s->peer = address_of(c->fd, getpeername);
	s->server = address_of(c->fd, getsockname);
}

/* Of the body, -1: it is not known, or there is none. */
static int64_t
length_of(const struct http_conn *s)
{
	return s->whole ? (int64_t)s->content : s->scan.length;
}

/* The parameters of the request whose head is at the front of c->in. */
static int
make_params(struct conn *c, struct http_conn *s)
{
	struct http_ask *ask = &self.ask;
	struct http_client client;
	const char *fault;

	if (self.asker != c &&
	    http_ask_parse(ask, c->in.data, &s->scan, &fault) != 0)
		return -1;
	self.asker = NULL;
	look_up(c, s);
	http_forwarded_client(ask->fields, ask->nfields, &s->peer, &client);
	return http_env_make(&self.env, &(struct http_facts){
	    .method = ask->method,
	    .target = &ask->target,
	    .fields = ask->fields,
	    .nfields = ask->nfields,
	    .minor = s->scan.minor,
	    .length = length_of(s),
	    .https = client.https,
	    .client = &client.address,
	    .server = &s->server,
	    .root = self.options.root });
}

static struct request *
http_begin(struct conn *c)
{
	struct http_request *r = &self.request;
	struct http_conn *s = state_of(c);

	memset(&r->base, 0, sizeof(r->base));
	r->conn = c;
	r->base.ops = &http_ops;
	r->base.role = ROLE_RESPONDER;
	r->base.begun = clock_us();
	r->base.body_most = self.options.body_most;
	r->base.upgrade = s->upgrade;
	s->served++;
	if (make_params(c, s) == -1) {
		peer_blame(c, "no memory for its request: closed");
		return NULL;
	}
	r->base.params = self.env.params;
	r->base.nparams = self.env.n;
	memcpy(r->base.known, self.env.known, sizeof(r->base.known));
	r->base.length = length_of(s);
	request_note_method(&r->base);
	if (is_too_long(s) && r->base.length == -1) /* chunks without an end */
		r->base.length = (int64_t)s->content;
	request_identify(&r->base);
	r->facts = (struct http_head_facts){ .old = s->scan.minor == 0,
		.head = r->base.head_only };
	http_body_begin(&r->body, c, s->scan.at, s->scan.length,
	    s->scan.chunked, self.options.min_rate);
	http_out_begin(&r->out, c);
	return &r->base;
}

static int
http_pass(const struct request *request, const char **rest, size_t *len)
{
	const struct http_request *r = (const struct http_request *)request;
	const struct http_conn *s = state_of(r->conn);

	*rest = r->conn->in.data + s->scan.at;
	*len = r->conn->in.len - s->scan.at;
	return r->conn->fd;
}

/* The peer may be sending what is not read, and closing would then destroy the
 * response on its way. */
static enum conn_then
http_end(struct request *request)
{
	struct http_request *r = http_of(request);
	bool cut = !http_out_is_whole(&r->out) ||
	    (request->app_status != 0 && !r->out.ended);
	bool drained;

	if (request->passed)
		return CONN_THEN_CLOSE;
	if (!request->aborted)
		written(r, cut ? http_out_cut(&r->out) :
				 http_out_end(&r->out));
	if (request->aborted) { /* what is kept would never be taken */
		buf_clear(&r->conn->out);
		conn_reset(r->conn);
		return CONN_THEN_CLOSE;
	}
	/* With CONN_THEN_LINGER there would be an end of file. */
	if (cut && r->out.framing == FRAMED_BY_CLOSE)
		return CONN_THEN_CLOSE;
	drained = http_body_drain(&r->body);
	request->bytes_in = r->body.taken;
	if (!drained)
		return CONN_THEN_LINGER;
	if (cut)
		return CONN_THEN_CLOSE;
	if (r->facts.keep)
		return CONN_THEN_KEEP;
	return state_of(r->conn)->scan.keep ? CONN_THEN_LINGER :
	    CONN_THEN_CLOSE;
}

/* Ready for the next request of the connection. */
static void
http_release(struct request *request)
{
	struct http_request *r = http_of(request);
	struct http_conn *s = state_of(r->conn);

	if (self.head.cap > HEAD_KEEP)
		buf_free(&self.head);
	http_env_shrink(&self.env, PARAMS_KEEP, TEXT_KEEP);
	http_body_end(&r->body);
	http_scan_reset(&s->scan);
	memset(&s->chunk, 0, sizeof(s->chunk));
	s->content = 0;
	s->began = 0;
	s->headed = s->whole = s->continued = false;
}

const struct proto http_proto = {
	.name = "http",
	.state_size = sizeof(struct http_conn),
	.judge = http_judge,
	.begin = http_begin,
	.pass = http_pass,
	.end = http_end,
	.release = http_release,
	.late = http_late,
	.pack = http_pack,
};

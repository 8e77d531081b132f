#include "worker/fcgi.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <errno.h>
#include <fcgiapp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "share/fcgi_wire.h"
#include "worker/wait.h"

#define READ_CHUNK  (32 * 1024)	 /* of a body, per recv */
#define DRAIN_MAX   (256 * 1024) /* unread body that is cheaper to read than a
				    new connection is to make */
#define WRITE_CHUNK (1 << 30)	 /* libfcgi counts in int */
#define PARAMS_KEEP 1024	 /* places kept for the next request */

struct fcgi_request {
	struct request base; /* first: &base is the request */
	struct conn *conn;
	FCGX_Request lib;
	struct buf body; /* bytes after the head, from scan.at on unjudged */
	int body_error;	 /* errno of the first failure to read it */
	struct param *params;
	size_t params_cap;
	uint64_t serial;
};

static struct {
	struct fcgi_options options;
	int replay[2]; /* libfcgi reads the heads we write for it */
	struct fcgi_request request;
	struct buf reply;
	unsigned pid;	    /* for request ids */
	int64_t complained; /* when a peer was last complained of */
	unsigned swallowed; /* complaints not logged since */
} self;

int
fcgi_init(const struct fcgi_options *options, struct why *why)
{
	self.options = *options;
	self.pid = (unsigned)getpid();
	if (FCGX_Init() != 0) {
		why_set(why, "libfcgi refuses to start");
		return -1;
	}
	if (fd_pipe(self.replay) == -1) {
		why_set(why, "pipe: %s", strerror(errno));
		return -1;
	}
	FCGX_InitRequest(&self.request.lib, -1, FCGI_FAIL_ACCEPT_ON_INTR);
	return 0;
}

/* Once a second at most: a peer that floods must not fill the log. */
void
fcgi_complain(const struct conn *c, const char *fault)
{
	int64_t now = clock_ms();

	if (self.complained != 0 && now - self.complained < 1000) {
		self.swallowed++;
		return;
	}
	log_notice("connection %d: %s (and %u more like it before)", c->fd,
	    fault, self.swallowed);
	self.complained = now;
	self.swallowed = 0;
}

/* The connection blocks; its limit is set when first something is to be
 * written, so a silent peer costs no call. */
static void
limit_writes(struct conn *c)
{
	int64_t ms = self.options.write_timeout;
	struct timeval tv = { .tv_sec = ms / 1000,
		.tv_usec = ms % 1000 * 1000 };

	if (!c->limited)
		setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	c->limited = true;
}

/* Between requests nothing may wait for the peer: a reply that does not fit
 * into its socket ends the connection.  In a request it may. */
static int
send_reply(struct conn *c, int flags)
{
	ssize_t n;

	if (self.reply.len == 0)
		return 0;
	limit_writes(c);
	n = send(c->fd, self.reply.data, self.reply.len, MSG_NOSIGNAL | flags);
	if (n != (ssize_t)self.reply.len)
		n = -1;
	buf_clear(&self.reply);
	return n == -1 ? -1 : 0;
}

enum scan_verdict
fcgi_judge(struct conn *c)
{
	enum scan_verdict verdict;

	verdict = scan_next(&c->scan, &c->in, &self.options.scan, &self.reply);
	if (send_reply(c, MSG_DONTWAIT) == -1)
		return SCAN_BAD;
	if (c->scan.state == SCAN_IDLE) {
		buf_consume(&c->in, c->scan.at);
		c->scan.at = 0;
	}
	if (verdict == SCAN_BAD)
		fcgi_complain(c, c->scan.fault);
	else if (verdict == SCAN_LARGE)
		fcgi_complain(c, "request head larger than limits.head");
	return verdict;
}

static struct fcgi_request *
fcgi_of(struct request *request)
{
	return (struct fcgi_request *)request;
}

/* More bytes for the body.  0, or -1 with errno as request_ops.read. */
static int
body_receive(struct fcgi_request *r, int64_t deadline)
{
	struct scan *scan = &r->conn->scan;
	ssize_t n;

	buf_consume(&r->body, scan->at);
	scan->at = 0;
	for (;;) {
		n = conn_receive(r->conn, &r->body, READ_CHUNK);
		if (n > 0)
			return 0;
		if (n == 0 || errno != EAGAIN) {
			errno = ECONNRESET;
			return -1;
		}
		if (wait_readable(r->conn->fd, deadline) <= 0) {
			errno = ETIMEDOUT;
			return -1;
		}
	}
}

static enum scan_verdict
body_judge(struct fcgi_request *r)
{
	enum scan_verdict verdict;

	verdict = scan_next(&r->conn->scan, &r->body, &self.options.scan,
	    &self.reply);
	if (send_reply(r->conn, 0) == -1)
		return SCAN_ABORT;
	return verdict;
}

/* Body bytes that are here: how many, and *from where.  0 at the end of the
 * body, -1 with errno as request_ops.read. */
static ssize_t
body_next(struct fcgi_request *r, int64_t deadline, const char **from)
{
	struct scan *scan = &r->conn->scan;
	size_t n;

	while (scan->state == SCAN_STDIN) {
		switch (body_judge(r)) {
		case SCAN_CONTENT:
			*from = r->body.data + scan->at;
			n = r->body.len - scan->at;
			return (ssize_t)(n < scan->content ? n : scan->content);
		case SCAN_END:
			return 0;
		case SCAN_MORE:
			if (body_receive(r, deadline) == -1)
				return -1;
			break;
		case SCAN_ABORT:
			errno = ECONNRESET;
			return -1;
		default:
			fcgi_complain(r->conn, scan->fault);
			errno = EPROTO;
			return -1;
		}
	}
	return 0;
}

static void
body_taken(struct fcgi_request *r, size_t n)
{
	r->conn->scan.at += n;
	r->conn->scan.content -= n;
}

/* A peer that is late can still be told so; one that left or that talks
 * nonsense cannot. */
static ssize_t
fcgi_read(struct request *request, void *data, size_t n)
{
	struct fcgi_request *r = fcgi_of(request);
	const char *from;
	ssize_t got;

	if (r->body_error != 0) {
		errno = r->body_error;
		return -1;
	}
	got = body_next(r, clock_ms() + self.options.read_timeout, &from);
	if (got == -1) {
		r->body_error = errno;
		request->aborted |= errno != ETIMEDOUT;
	}
	if (got <= 0)
		return got;
	if ((size_t)got > n)
		got = (ssize_t)n;
	memcpy(data, from, (size_t)got);
	body_taken(r, (size_t)got);
	return got;
}

/* What libfcgi says of a stream after writing to it. */
static int
written(struct fcgi_request *r, FCGX_Stream *stream)
{
	int error = FCGX_GetError(stream);

	if (error == 0)
		return 0;
	r->base.aborted = true;
	errno = error == EAGAIN ? ETIMEDOUT : EPIPE;
	return -1;
}

static int
put(struct fcgi_request *r, FCGX_Stream *stream, const char *data, size_t n)
{
	if (r->base.aborted) {
		errno = EPIPE;
		return -1;
	}
	limit_writes(r->conn);
	while (n > 0) {
		int part = n > WRITE_CHUNK ? WRITE_CHUNK : (int)n;

		if (FCGX_PutStr(data, part, stream) == -1)
			return written(r, stream);
		data += part;
		n -= (size_t)part;
	}
	return 0;
}

static int
fcgi_write(struct request *request, const void *data, size_t n)
{
	struct fcgi_request *r = fcgi_of(request);

	return put(r, r->lib.out, data, n);
}

static int
fcgi_complain_to_server(struct request *request, const void *data, size_t n)
{
	struct fcgi_request *r = fcgi_of(request);

	return put(r, r->lib.err, data, n);
}

/* A TCP peer that closed looks like one that will send no more; a unix peer
 * that closed shows a hang-up, and one that only shut down its half may still
 * be listening. */
static bool
hung_up(int fd, short revents)
{
	int domain = AF_UNIX;
	socklen_t len = sizeof(domain);

	if (revents & (POLLHUP | POLLERR))
		return true;
	if (!(revents & POLLRDHUP))
		return false;
	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
	return domain != AF_UNIX;
}

/* Behind the end of the body, which the application may not have read, an
 * abort is all a peer may send for this request; what else comes is kept for
 * after it. */
static bool
abort_waits(struct fcgi_request *r)
{
	enum scan_verdict verdict;

	if (r->body.len < READ_CHUNK)
		conn_receive(r->conn, &r->body, READ_CHUNK);
	verdict = body_judge(r);
	if (verdict == SCAN_END)
		verdict = body_judge(r);
	if (verdict == SCAN_ABORT)
		r->body_error = ECONNRESET;
	return verdict == SCAN_ABORT;
}

static bool
fcgi_gone(struct request *request)
{
	struct fcgi_request *r = fcgi_of(request);
	struct pollfd p = { .fd = r->conn->fd, .events = POLLIN | POLLRDHUP };

	if (request->aborted ||
	    (poll(&p, 1, 0) <= 0 && r->body.len == r->conn->scan.at))
		return request->aborted;
	request->aborted = hung_up(p.fd, p.revents) || abort_waits(r);
	return request->aborted;
}

/* A response that is streamed asks first whether anybody still listens: the
 * first write to a peer that has closed would seem to succeed. */
static int
fcgi_flush(struct request *request)
{
	struct fcgi_request *r = fcgi_of(request);

	if (fcgi_gone(request)) {
		errno = EPIPE;
		return -1;
	}
	limit_writes(r->conn);
	FCGX_FFlush(r->lib.out);
	return written(r, r->lib.out);
}

static const struct request_ops fcgi_ops = {
	.read = fcgi_read,
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

	p = (const unsigned char *)c->in.data + c->scan.params;
	end = p + c->scan.params_len;
	while (p < end) {
		if (fcgi_get_pair(&p, (size_t)(end - p), &pair) != 1)
			return -1;
		if (n == r->params_cap && params_grow(r) == -1)
			return -1;
		r->params[n++] = (struct param) { (const char *)pair.name,
			(const char *)pair.value, pair.name_len,
			pair.value_len };
	}
	r->base.params = r->params;
	r->base.nparams = n;
	return 0;
}

/* Give libfcgi a request without parameters and without a body, and then the
 * connection to write the response to. */
static void
lib_begin(struct fcgi_request *r)
{
	struct conn *c = r->conn;
	unsigned char head[3 * FCGI_HEADER] = { 0 };

	fcgi_put_header(head, FCGI_T_BEGIN, c->scan.id, 8, 0);
	head[FCGI_HEADER + 1] = FCGI_R_RESPONDER;
	head[FCGI_HEADER + 2] = FCGI_KEEP;
	fcgi_put_header(head + 2 * FCGI_HEADER, FCGI_T_PARAMS, c->scan.id, 0,
	    0);
	r->lib.ipcFd = self.replay[0];
	r->lib.keepConnection = 1;
	if (fd_write_all(self.replay[1], head, sizeof(head)) == -1 ||
	    FCGX_Accept_r(&r->lib) != 0) {
		log_alert("libfcgi does not take a request of our own making");
		abort();
	}
	r->lib.ipcFd = c->fd;
}

static void
make_id(struct fcgi_request *r)
{
	snprintf(r->base.id, sizeof(r->base.id), "%x-%llx", self.pid,
	    (unsigned long long)++r->serial);
}

struct request *
fcgi_begin(struct conn *c)
{
	struct fcgi_request *r = &self.request;
	const char *method;
	size_t len;

	memset(&r->base, 0, sizeof(r->base));
	r->conn = c;
	r->body_error = 0;
	r->base.ops = &fcgi_ops;
	if (params_parse(r) == -1) {
		fcgi_complain(c, "malformed parameters");
		return NULL;
	}
	/* The parameters stay where they are until the end; what follows them
	 * is the body's beginning and moves to where the body is read. */
	buf_clear(&r->body);
	buf_add(&r->body, c->in.data + c->scan.at, c->in.len - c->scan.at);
	c->scan.at = 0;
	method = request_param(&r->base, "REQUEST_METHOD", &len);
	r->base.head_only = method != NULL && len == 4 &&
	    memcmp(method, "HEAD", 4) == 0;
	make_id(r);
	lib_begin(r);
	return &r->base;
}

/* Read the rest of the body as far as it is here already and not long.  True:
 * the request has been read to its end. */
static bool
drain(struct fcgi_request *r)
{
	size_t drained = 0;
	const char *from;
	ssize_t n;

	while (r->body_error == 0 && drained < DRAIN_MAX &&
	    (n = body_next(r, 0, &from)) > 0) {
		body_taken(r, (size_t)n);
		drained += (size_t)n;
	}
	return r->conn->scan.state == SCAN_DONE;
}

/* END_REQUEST goes out with the last bytes of the response.  The descriptor
 * is taken away before libfcgi could close it. */
static bool
lib_end(struct fcgi_request *r)
{
	bool whole;

	if (r->base.aborted)
		r->lib.ipcFd = -1;
	FCGX_SetExitStatus(r->base.app_status, r->lib.out);
	whole = FCGX_FClose(r->lib.err) == 0 && FCGX_FClose(r->lib.out) == 0;
	r->lib.ipcFd = -1;
	FCGX_Finish_r(&r->lib);
	return whole && !r->base.aborted;
}

static void
forget(struct fcgi_request *r)
{
	struct conn *c = r->conn;

	buf_clear(&c->in);
	buf_add(&c->in, r->body.data + c->scan.at, r->body.len - c->scan.at);
	c->scan.at = 0;
	scan_reset(&c->scan);
	if (r->params_cap > PARAMS_KEEP) {
		free(r->params);
		r->params = NULL;
		r->params_cap = 0;
	}
	if (r->body.cap > 4 * READ_CHUNK)
		buf_free(&r->body);
}

enum fcgi_end
fcgi_end(struct request *request)
{
	struct fcgi_request *r = fcgi_of(request);
	bool keep = r->conn->scan.keep;
	bool whole, ended;

	limit_writes(r->conn);
	whole = lib_end(r);
	ended = whole && drain(r);
	/* The padding of the last record may have come as well. */
	if (ended && r->conn->scan.skip > 0)
		body_judge(r);
	forget(r);
	if (!whole)
		return FCGI_END_CLOSE;
	if (!ended)
		return FCGI_END_LINGER;
	return keep && r->conn->scan.skip == 0 ? FCGI_END_KEEP :
						 FCGI_END_CLOSE;
}

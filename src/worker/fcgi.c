#include "worker/fcgi.h"

#include <sys/socket.h>

#include <errno.h>
#include <fcgiapp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "share/fcgi_wire.h"
#include "worker/fcgi_body.h"
#include "worker/fcgi_peer.h"
#include "worker/forked.h"
#include "worker/response.h"
#include "worker/vitals.h"

#define BUFFERED    8000		 /* bytes that libfcgi surely keeps at first */
#define END_SIZE    32		 /* the records that end a response */
#define WRITE_CHUNK (1 << 30)	 /* libfcgi counts in int */
#define LIB_MEMORY  32768 /* bytes that libfcgi needs, or it aborts */
#define PARAMS_KEEP 1024	 /* places kept for the next request */

struct fcgi_request {
	struct request base; /* first: &base is the request */
	struct conn *conn;
	FCGX_Request lib;
	struct fcgi_body body;
	struct param *params;
	size_t params_cap;
	uint64_t serial;
	volatile size_t put; /* bytes of the response, */
	volatile bool flushed; /* of which some may have gone out */
};

static struct {
	struct fcgi_options options;
	int replay[2]; /* libfcgi reads the heads we write for it */
	struct fcgi_request request;
	char prefix[REQUEST_ID / 2]; /* of request ids made here */
} self;

int
fcgi_init(const struct fcgi_options *options, struct why *why)
{
	self.options = *options;
	/* A pid comes again, but not within a second. */
	snprintf(self.prefix, sizeof(self.prefix), "%llx-%x",
	    (unsigned long long)time(NULL), (unsigned)getpid());
	fcgi_peer_init(&options->scan, options->write_timeout);
	if (FCGX_Init() != 0) {
		why_set(why, "libfcgi refuses to start");
		return -1;
	}
	if (fd_pipe(self.replay) == -1 ||
	    vitals_add(self.replay[0], "pipe to libfcgi") == -1 ||
	    vitals_add(self.replay[1], "pipe to libfcgi") == -1) {
		why_set(why, "pipe: %s", strerror(errno));
		return -1;
	}
	FCGX_InitRequest(&self.request.lib, -1, FCGI_FAIL_ACCEPT_ON_INTR);
	return 0;
}

enum scan_verdict
fcgi_judge(struct conn *c)
{
	enum scan_verdict verdict = fcgi_peer_judge(c, &c->in, false);

	if (c->scan.state == SCAN_IDLE) {
		buf_consume(&c->in, c->scan.at);
		c->scan.at = 0;
	}
	if (verdict == SCAN_BAD)
		fcgi_peer_blame(c, c->scan.fault);
	else if (verdict == SCAN_LARGE)
		fcgi_peer_blame(c, "request head larger than limits.head");
	return verdict;
}

int
fcgi_pack(const struct conn *c, struct buf *out)
{
	return scan_pack(&c->scan, &c->in, out);
}

static struct fcgi_request *
fcgi_of(struct request *request)
{
	return (struct fcgi_request *)request;
}

/* A peer that is late can still be told so; one that left or that talks
 * nonsense cannot. */
static ssize_t
fcgi_read(struct request *request, void *data, size_t n)
{
	struct fcgi_request *r = fcgi_of(request);
	ssize_t got;

	forked_leave();
	got = fcgi_body_read(&r->body, data, n, self.options.read_timeout);
	request->bytes_in = r->body.taken;
	request->aborted |= got == -1 && errno != ETIMEDOUT;
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
	forked_leave();
	if (r->base.aborted) {
		errno = EPIPE;
		return -1;
	}
	fcgi_peer_limit(r->conn, n);
	if (stream == r->lib.out) {
		if (r->base.timed && r->base.first == 0)
			r->base.first = clock_us();
		r->put += n;
		r->base.bytes_out += n;
	}
	r->flushed |= r->put > BUFFERED;
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

static bool
fcgi_gone(struct request *request)
{
	struct fcgi_request *r = fcgi_of(request);
	struct pollfd p = { .fd = r->conn->fd, .events = POLLIN | POLLRDHUP };

	if (request->aborted ||
	    (poll(&p, 1, 0) <= 0 && r->body.in.len == r->conn->scan.at))
		return request->aborted;
	request->aborted = hung_up(p.fd, p.revents) ||
	    fcgi_body_aborted(&r->body);
	return request->aborted;
}

/* A response that is streamed asks first whether anybody still listens: the
 * first write to a peer that has closed would seem to succeed. */
static int
fcgi_flush(struct request *request)
{
	struct fcgi_request *r = fcgi_of(request);

	forked_leave();
	if (fcgi_gone(request)) {
		errno = EPIPE;
		return -1;
	}
	r->flushed = true;
	FCGX_FFlush(r->lib.out);
	return written(r, r->lib.out);
}

/* By hand, since libfcgi may be in the middle of something.  A record that
 * may be half written is left so: the connection ends with the process. */
static void
fcgi_abandon(struct request *request, int status)
{
	struct fcgi_request *r = fcgi_of(request);
	unsigned id = r->conn->scan.id;
	struct buf text = { 0 }, out = { 0 };

	if (r->flushed)
		return;
	buf_addf(&text, "Status: %d %s\r\nContent-Type: text/plain\r\n\r\n",
	    status, response_reason(status));
	if (!request->head_only)
		buf_addf(&text, "%s\n", response_reason(status));
	fcgi_add_stream(&out, FCGI_STDOUT, id, text.data, text.len);
	fcgi_add_stream(&out, FCGI_STDOUT, id, NULL, 0);
	fcgi_add_end(&out, id, 1, FCGI_REQUEST_COMPLETE);
	if (!out.failed)
		send(r->conn->fd, out.data, out.len,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
	request->status = status;
	request->bytes_out = text.len;
	buf_free(&text);
	buf_free(&out);
}

static const struct request_ops fcgi_ops = {
	.abandon = fcgi_abandon,
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
	unsigned char head[3 * FCGI_HEADER_LEN] = { 0 };

	fcgi_put_header(head, FCGI_BEGIN_REQUEST, c->scan.id, 8, 0);
	head[FCGI_HEADER_LEN + 1] = FCGI_RESPONDER;
	head[FCGI_HEADER_LEN + 2] = FCGI_KEEP_CONN;
	fcgi_put_header(head + 2 * FCGI_HEADER_LEN, FCGI_PARAMS, c->scan.id, 0,
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
identify(struct fcgi_request *r)
{
	const char *name = self.options.request_id;

	r->serial++;
	if (name == NULL || !request_take_id(&r->base, name))
		snprintf(r->base.id, sizeof(r->base.id), "%s-%llx",
		    self.prefix, (unsigned long long)r->serial);
}

struct request *
fcgi_begin(struct conn *c)
{
	struct fcgi_request *r = &self.request;
	const struct param *method;

	memset(&r->base, 0, sizeof(r->base));
	r->conn = c;
	r->put = 0;
	r->flushed = false;
	r->base.ops = &fcgi_ops;
	r->base.begun = clock_us();
	errno = 0;
	if (params_parse(r) == -1 || !buf_possible(LIB_MEMORY)) {
		fcgi_peer_blame(c, errno == ENOMEM ?
		    "no memory for its request: closed" :
		    "malformed parameters");
		return NULL;
	}
	fcgi_body_begin(&r->body, c);
	request_index(&r->base);
	method = r->base.known[PARAM_METHOD];
	r->base.head_only = method != NULL && method->value_len == 4 &&
	    memcmp(method->value, "HEAD", 4) == 0;
	identify(r);
	lib_begin(r);
	return &r->base;
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

/* Ten thousand parameters are served, and their places not kept. */
static void
forget_params(struct fcgi_request *r)
{
	if (r->params_cap <= PARAMS_KEEP)
		return;
	free(r->params);
	r->params = NULL;
	r->params_cap = 0;
}

enum fcgi_end
fcgi_end(struct request *request)
{
	struct fcgi_request *r = fcgi_of(request);
	bool keep = r->conn->scan.keep;
	bool whole, ended;

	fcgi_peer_limit(r->conn, END_SIZE);
	whole = lib_end(r);
	ended = whole && fcgi_body_drain(&r->body);
	request->bytes_in = r->body.taken;
	request->aborted |= !whole;
	if (!whole)
		return FCGI_END_CLOSE;
	if (!ended)
		return FCGI_END_LINGER;
	return keep ? FCGI_END_KEEP : FCGI_END_CLOSE;
}

int
fcgi_release(struct request *request)
{
	struct fcgi_request *r = fcgi_of(request);

	forget_params(r);
	return fcgi_body_end(&r->body);
}

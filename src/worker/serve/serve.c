#include "worker/serve/serve.h"

#include <sys/socket.h>

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "net/sock.h"
#include "worker/cgi/cgi.h"
#include "worker/lua/lua_deadline.h"
#include "worker/net/acceptor.h"
#include "worker/net/allow.h"
#include "worker/lua/lib/lua_websocket.h"
#include "worker/net/handoff.h"
#include "worker/net/hub_client.h"
#include "worker/net/output.h"
#include "worker/net/peer.h"
#include "worker/net/poller.h"
#include "worker/process/end.h"
#include "worker/process/entry.h"
#include "worker/serve/access_log.h"
#include "worker/serve/builtin.h"
#include "worker/serve/place.h"
#include "worker/serve/retire.h"
#include "worker/serve/slow.h"
#include "worker/serve/socket_request.h"
#include "worker/serve/watchdog.h"

#define BURST_MAX     32 /* connections that are accepted in one go */
#define BURST_MS      20 /* after which other events have their turn */
#define SAMPLE_US     10000 /* between two measurements of processor time */
#define FRESH_MS      100 /* a peer that has not sent a head by then is slow */
#define LONG_US	      1000 /* from here on a request counts as a long one */
#define NAP	      1 /* ms; a wait that took no longer did not sleep */

/*
 * A client may leave while its request queues behind a long one (LONG_US).
 * Only a request that may have queued so is checked for that (is_abandoned),
 * since the check is a system call.  The invariant:
 *
 *   waited is true if a request that begins in this turn may have queued;
 *   behind is true if a request that the next wait brings may have queued.
 *
 * What sets them: a long request sets both, as all that came meanwhile has
 * queued; an adopted connection sets waited, as it has queued in the exchange;
 * an abandoned request sets behind, as more may follow; and serve_accept, if it
 * stops before its queue is empty, sets behind if waited is true.
 *
 * What clears them: a new turn has waited = behind and behind = false.  But if
 * its wait slept (NAP), waited is false: no event was ready when that wait
 * began, so nothing had queued.
 *
 * The check is a saving of work, not a promise.  It misses requests beyond the
 * first POLLER_BATCH connections that became ready behind a long request.
 */
static struct {
	const struct worker_args *args;
	const struct proto *const *protos;
	struct lua_app *app;
	bool programs; /* the pool runs CGI programs */
	struct watchdog_watch watch; /* of requests */
	struct request *request; /* the present one */
	struct conn *conn; /* its connection */
	int64_t turn;	 /* clock_ms() when this turn began, if wanted */
	int64_t cpu;	 /* clock_cpu_us() at its beginning; -1: not measured */
	int64_t sampled; /* clock_us() of the last such measurement */
	bool waited; /* in this turn; see above */
	bool behind; /* for the next turn */
} self;

/* True if other workers may take a connection from this one. */
static bool
shared(void)
{
	return self.args->pool->workers.max > 1 &&
	    self.args->exchange[1] != -1;
}

/* watchdog_watch.late: neither the parked connections nor the log lines of
 * earlier requests are to wait for this request. */
static void
late(void)
{
	access_log_push();
	hub_client_late();
	if (self.args->pool->timeouts.queue > 0)
		conn_note_waiting(clock_ms());
	if (shared())
		handoff_give_all(self.args->exchange[1], 0);
}

static void
note_text(struct score_request *score, enum score_text which,
    const struct request *request, enum request_known param)
{
	const struct param *p = request->known[param];

	if (p == NULL)
		return;
	score->text[which].data = p->value;
	score->text[which].len = p->value_len;
}

static void
note_busy(const struct request *request)
{
	struct score_request score = { .begun = request->begun,
		.length = request->length,
		.text[TEXT_ID] = { request->id, strlen(request->id) } };

	note_text(&score, TEXT_METHOD, request, PARAM_METHOD);
	note_text(&score, TEXT_URI, request, PARAM_URI);
	note_text(&score, TEXT_SCRIPT, request, PARAM_SCRIPT_NAME);
	note_text(&score, TEXT_SCRIPT, request, PARAM_SCRIPT_FILENAME);
	note_text(&score, TEXT_USER, request, PARAM_REMOTE_USER);
	note_text(&score, TEXT_REMOTE, request, PARAM_REMOTE_ADDR);
	if (score_busy(self.args->score, &score))
		worker_say(self.args, WORD_CROWDED);
}

/* Processor time is measured for one request in SAMPLE_US at most, so that many
 * quick requests are not slowed down. */
static void
note_cpu(const struct request *request)
{
	self.cpu = -1;
	if (request->begun - self.sampled < SAMPLE_US)
		return;
	self.cpu = clock_cpu_us();
	self.sampled = request->begun;
}

/*
 * The one place where a request is over, at clock_us() now: its response has
 * been sent, or will never be.  Also called by the guard (stuck), just before
 * the worker ends.
 */
static void
over(const struct request *request, int64_t now, enum access_late late)
{
	const struct score_outcome outcome = {
		.took = now - request->begun,
		.status = request->status,
		.failed = request->failed || request->app_status != 0,
		.late = late == LATE_STOPPED || late == LATE_STUCK,
		.bytes_in = request->bytes_in,
		.bytes_out = request->bytes_out,
	};

	access_log_end(request, now, late);
	score_served(self.args->score, &outcome);
	if (self.cpu != -1)
		score_gauge(self.args->score, GAUGE_CPU,
		    (clock_cpu_us() - self.cpu) * 10000 /
		    (outcome.took > 0 ? outcome.took : 1));
	slow_end(request, now);
}

static bool
look(void)
{
	return slow_look(self.request);
}

/* As the master does for WORD_STUCK.  answer: the status, 0 if a response had
 * begun. */
static void
log_stuck(const struct request *request, int answer)
{
	static const char what[] = "exceeded timeouts.request and did not let "
	    "itself be stopped";
	char method[REQUEST_METHOD], uri[REQUEST_URI];
	struct buf text = { 0 };

	buf_puts(&text, what);
	if (answer == 0)
		buf_puts(&text, ": its response is cut");
	else
		buf_addf(&text, ": answered with %d", answer);
	buf_puts(&text, ", the worker ends");
	place_add(&text);
	log_about(LEVEL_ERROR, request_method(request, method),
	    request_uri(request, uri), text.len > 0 ? text.data : what,
	    text.len > 0 ? text.len : sizeof(what) - 1);
}

/* watchdog_watch.stuck: the request hangs outside of Lua code.  Answer the
 * client, tell the master and end; late has given the parked connections to
 * other workers.  Without a master the exit code tells the supervisor that this
 * was no ordinary end. */
static void
stuck(void)
{
	int status = (int)self.args->pool->timeout_status;
	int answer = self.request->sent ? 0 : status;

	self.request->ops->abandon(self.request, status);
	over(self.request, clock_us(), LATE_STUCK);
	worker_say(self.args, WORD_STUCK);
	if (self.args->channel != -1)
		end_now(EX_OK);
	log_stuck(self.request, answer);
	end_now(EX_SOFTWARE);
}

/* True if requests are for more than this process itself. */
static bool
is_served(void)
{
	return self.app != NULL || self.programs;
}

int
serve_init(const struct worker_args *args,
    const struct proto *const protos[CONN_KINDS], struct lua_app *app)
{
	self.args = args;
	self.protos = protos;
	self.app = app;
	self.programs = args->kind == WORKER_KIND_APP &&
	    args->pool->interface == INTERFACE_CGI;
	self.watch = (struct watchdog_watch){
		.limit = is_served() ? args->pool->timeouts.request : 0,
		.slow = is_served() ? args->pool->timeouts.slow : 0,
		.late = late,
		.look = look,
		.overdue = self.programs ? cgi_expire : lua_deadline_expire,
		.stuck = stuck,
	};
	entry_share(LUA_AFTER, late);
	slow_init(args);
	return access_log_init(args, app);
}

/* A worker that is killed from here on has answered. */
static void
note_answer(const struct request *request)
{
	score_answer(self.args->score, request->status);
}

/* True if the client has gone before the request begins.  Skips the system call
 * unless the request may have queued. */
static bool
is_abandoned(struct request *request)
{
	if (!self.waited || !request->ops->gone(request))
		return false;
	self.behind = true;
	score_more(self.args->score, SCORE_ABANDONED);
	return true;
}

/* True if it is known to have waited for longer than timeouts.queue. */
static bool
has_queued(const struct request *request, int64_t since)
{
	int64_t limit = self.args->pool->timeouts.queue;

	return limit > 0 && since > 0 &&
	    request->begun / 1000 - since >= limit;
}

static bool
is_too_long(const struct request *request)
{
	return request->body_most > 0 && request->length > request->body_most;
}

static void
log_too_long(const struct request *request)
{
	char method[REQUEST_METHOD], uri[REQUEST_URI], text[128];
	int n = snprintf(text, sizeof(text), "request body of %" PRId64
	    " bytes: longer than the limit, %" PRId64, request->length,
	    request->body_most);

	log_about(LEVEL_NOTICE, request_method(request, method),
	    request_uri(request, uri), text, (size_t)n);
}

static const struct proto *
proto_of(const struct conn *c)
{
	return self.protos[c->kind];
}

/* ---- WebSockets ------------------------------------------------------------ */

static struct hub_part
part_of(const char *data, size_t len)
{
	return (struct hub_part){ data, len };
}

/* Give the connection to the hub, which answers the handshake.  0, or -1 and the
 * request can still be answered. */
static int
pass_on(struct request *request, const struct lua_opening *o, bool tells)
{
	struct buf answer = { 0 }, context = { 0 };
	struct hub_handover h = { .id = o->id, .tells = tells,
		.session = part_of(o->session, o->session_len),
		.first = &o->first };
	int result = -1;

	h.fd = proto_of(self.conn)->pass(request, &h.input.data, &h.input.len);
	if (socket_answer(request, o->protocol, &answer) == 0 &&
	    socket_context(request, &context) == 0) {
		h.answer = part_of(answer.data, answer.len);
		h.context = part_of(context.data, context.len);
		result = hub_client_hand_over(&h);
	}
	if (result == 0) {
		request->passed = true;
		request->status = 101;
		request->bytes_out = answer.len;
	}
	buf_free(&answer);
	buf_free(&context);
	return result;
}

static void
refuse_socket(struct request *request)
{
	score_more(self.args->score, SCORE_REFUSED);
	builtin_refuse(request, 503);
}

/* A request to upgrade: the application decides, and then the hub has it. */
static void
open_socket(struct request *request)
{
	static struct lua_opening o;
	bool tells;

	if (!hub_client_takes()) {
		refuse_socket(request);
		return;
	}
	buf_clear(&o.first);
	o.id = hub_client_id();
	o.offered = socket_offers(request);
	*o.protocol = '\0';
	o.session_len = 0;
	if (lua_app_open_socket(self.app, request, &o, &tells) &&
	    pass_on(request, &o, tells) == -1)
		refuse_socket(request);
}

/* Let the request be answered, by the application if need be. */
static enum access_late
answer(struct request *request, int64_t since)
{
	if (has_queued(request, since)) {
		score_more(self.args->score, SCORE_QUEUED);
		builtin_refuse(request, 503);
		return LATE_QUEUED;
	}
	if (builtin_serve(request))
		return LATE_NOT;
	if (is_too_long(request)) {
		log_too_long(request);
		builtin_refuse(request, 413);
		return LATE_NOT;
	}
	if (self.programs) {
		cgi_serve(request);
		return cgi_expired() ? LATE_STOPPED : LATE_NOT;
	}
	if (request->upgrade)
		open_socket(request);
	else
		lua_app_serve(self.app, request);
	return lua_deadline_expired() ? LATE_STOPPED : LATE_NOT;
}

static void
enter(struct request *request)
{
	log_request(request->id);
	note_busy(request);
	note_cpu(request);
	access_log_begin(request);
	/* Connections that were accepted before their requests came must not
	 * wait for this request: an idle worker takes them. */
	if (shared())
		handoff_give_fresh(self.args->exchange[1], FRESH_MS);
	request->completes = note_answer;
	self.request = request;
	watchdog_enter(&self.watch, request->begun);
}

static void
release(const struct conn *c, struct request *request)
{
	if (proto_of(c)->release != NULL)
		proto_of(c)->release(request);
}

static bool
is_unfinished(void)
{
	if (self.programs)
		return cgi_is_unfinished();
	return self.app != NULL && lua_app_is_unfinished(self.app);
}

/* Nothing of a request that was over at clock_us() now is left to do. */
static void
settle(int64_t now)
{
	if (self.app != NULL)
		score_gauge(self.args->score, GAUGE_HEAP,
		    (int64_t)lua_app_memory(self.app));
	log_request(NULL);
	score_idle(self.args->score);
	if (self.app != NULL && lua_app_retires(self.app))
		retire_wish();
	if (is_served())
		retire_served(now / 1000, self.app != NULL &&
		    lua_app_exhausted(self.app));
}

/* Run what the request that was served last has left to be done when its
 * connection does not wait for it. */
static void
finish(void)
{
	int64_t now;

	if (!is_unfinished())
		return;
	if (self.programs) {
		entry_begin(LUA_AFTER);
		cgi_finish();
		entry_end();
	} else {
		lua_app_finish(self.app);
	}
	now = clock_us();
	self.waited = self.behind = true;
	settle(now);
}

/* What becomes of a connection when its response has been sent. */
static void
dispose(struct conn *c, enum conn_then then)
{
	if (then == CONN_THEN_LINGER)
		conn_linger(c);
	else if (then == CONN_THEN_CLOSE)
		conn_close(c);
	else if (c->in.len == 0)
		conn_park(c, CONN_IDLE);
	else
		conn_park(c, CONN_READY);
}

/* The response has been written; what the peer has not taken of it yet leaves
 * while the connection is parked.  True: it may hold another request, to be
 * judged here. */
static bool
settle_conn(struct conn *c, enum conn_then then)
{
	if (c->out.len > 0) {
		c->then = then;
		conn_park(c, CONN_FLUSH);
		return false;
	}
	c->pending = 0;
	if (then == CONN_THEN_KEEP && c->in.len > 0)
		return true;
	dispose(c, then);
	return false;
}

/* Returns clock_us(). */
static int64_t
note_end(struct request *request, enum access_late late)
{
	int64_t now = clock_us();

	if (now - request->begun >= LONG_US)
		self.waited = self.behind = true;
	over(request, now, late);
	return now;
}

/* Serve one request, which is complete as far as it has to be, and begins at
 * clock_us() *begun.  True: the connection goes on and holds more bytes; false:
 * it is parked or closed. */
static bool
serve(struct conn *c, int64_t *begun)
{
	struct request *request;
	enum conn_then then;
	enum access_late late;
	int64_t now, since = c->since;

	c->since = 0;
	conn_take(c);
	request = proto_of(c)->begin(c);
	if (request == NULL) {
		conn_close(c);
		return false;
	}
	if (is_abandoned(request)) {
		proto_of(c)->end(request);
		release(c, request);
		conn_close(c);
		return false;
	}
	if (self.args->pool->develop && self.app != NULL)
		lua_app_refresh(self.app);
	*begun = request->begun;
	self.conn = c;
	enter(request);
	late = answer(request, since);
	watchdog_leave();
	hub_client_back();
	note_answer(request);
	then = proto_of(c)->end(request);
	if (is_unfinished() && self.programs)
		cgi_outlive(request);
	else if (is_unfinished())
		lua_app_outlive(self.app, request);
	now = note_end(request, late);
	release(c, request);
	if (is_unfinished())
		score_finishing(self.args->score);
	else
		settle(now);
	return settle_conn(c, then);
}

/* A kept connection holds more bytes.  True: they may be judged at once; false:
 * it has been handed over or parked, as the peer has had its turn (clock_us()
 * `until`), or work is left to be done. */
static bool
goes_on(struct conn *c, int64_t until)
{
	if (is_unfinished() && shared() &&
	    handoff_give(c, self.args->exchange[1]) == 0)
		return false;
	if (!is_unfinished() && clock_us() < until)
		return true;
	conn_park(c, CONN_READY);
	return false;
}

/* A connection that was kept idle stays so if no byte of a request has come. */
static enum conn_state
awaits(const struct conn *c)
{
	return c->in.len == 0 && c->state == CONN_IDLE ? CONN_IDLE : CONN_HEAD;
}

/* More of what is awaited may be here already: of that only so much is awaited
 * that no peer holds the worker. */
static bool
receives_more(struct conn *c)
{
	return !c->drained && conn_receive(c, CONN_FIRST) > 0;
}

/* Judge what has come, serve what is complete.  Requests that a peer sent ahead
 * are served here for as long as one long request may take; what is left is
 * served behind others that wait. */
static void
advance(struct conn *c)
{
	int64_t first = 0, begun;
	bool more;

	for (;;) {
		switch (proto_of(c)->judge(c)) {
		case PROTO_REQUEST:
			more = serve(c, &begun);
			if (first == 0)
				first = begun;
			more = more && goes_on(c, first + LONG_US);
			finish();
			if (more)
				continue;
			return;
		case PROTO_MORE:
			if (receives_more(c))
				continue;
			conn_park(c, awaits(c));
			return;
		case PROTO_BODY:
			if (receives_more(c))
				continue;
			conn_park(c, CONN_BODY);
			return;
		case PROTO_LINGER:
			conn_linger(c);
			return;
		default:
			conn_close(c);
			return;
		}
	}
}

void
serve_turn(int64_t before)
{
	self.waited = self.behind && clock_ms() - before <= NAP;
	self.behind = false;
	if (self.args->pool->timeouts.queue > 0)
		self.turn = clock_ms();
}

/* connect(2) wakes a worker, often on the processor that its peer needs to send
 * the request: waiting in the run queue is cheaper than two more switches. */
static ssize_t
receive_first(struct conn *c)
{
	ssize_t n = conn_receive(c, CONN_FIRST);

	if (n != -1 || errno != EAGAIN)
		return n;
	sched_yield();
	return conn_receive(c, CONN_FIRST);
}

/* Receive, and go on if there are more than the `judged` bytes that have been
 * judged before. */
static void
receive(struct conn *c, size_t judged)
{
	ssize_t n = c->waited ? conn_receive(c, CONN_FIRST) : receive_first(c);

	if (c->in.len > judged)
		advance(c);
	else if (n == -1 && errno == EAGAIN)
		conn_park(c, c->state);
	else
		conn_close(c);
}

/* The peer may take more of a response. */
static void
flush(struct conn *c)
{
	switch (output_flush(c)) {
	case 0:
		conn_park(c, CONN_FLUSH);
		return;
	case 1:
		dispose(c, c->then);
		return;
	default:
		conn_close(c);
	}
}

void
serve_adopted(struct conn *c)
{
	self.waited = true;
	if (c->state == CONN_FLUSH)
		flush(c);
	else
		receive(c, 0);
}

static void
hear(struct conn *c)
{
	/* A request that comes after a reload is reported as done is for the
	 * new workers. */
	if (c->state != CONN_LINGER && c->in.len == 0 && acceptor_passes_on() &&
	    handoff_give(c, self.args->exchange[1]) == 0)
		return;
	if (c->state == CONN_FLUSH)
		flush(c);
	else if (c->state != CONN_LINGER)
		receive(c, c->in.len);
	else
		conn_discard(c);
}

void
serve_ready(void)
{
	struct conn *c;

	for (unsigned kind = 0; kind < CONN_KINDS; kind++)
		for (unsigned n = conn_count(CONN_READY); n > 0 &&
		    (c = conn_oldest(kind, CONN_READY)) != NULL; n--) {
			conn_take(c);
			advance(c);
		}
}

void
serve_receive(struct conn *c)
{
	if (c->state == CONN_READY)
		return; /* its turn comes in serve_ready */
	if (c->since == 0)
		c->since = self.turn;
	hear(c);
}

/* ---- work of the hub --------------------------------------------------------- */

/* A message, or the end of a socket, as a request. */
static void
serve_job(const struct hub_job *job)
{
	struct request *request = socket_request_begin(job);
	bool done;

	if (self.args->pool->develop)
		lua_app_refresh(self.app);
	enter(request);
	done = lua_app_deliver(self.app, request, job);
	watchdog_leave();
	hub_client_done(!done);
	hub_client_back();
	note_end(request, lua_deadline_expired() ? LATE_STOPPED : LATE_NOT);
	settle(clock_us());
}

/* The hub gives few at a time, and connections have their turn after these. */
void
serve_hub(void)
{
	struct hub_job job;

	hub_client_receive();
	if (self.app == NULL)
		return;
	while (hub_client_next(&job))
		serve_job(&job);
}

/* ---- accepting ----------------------------------------------------------- */

/* If descriptors run out, an idle connection is closed for a client that waits;
 * accept4 fails before it looks for one.  False with errno if none can be. */
static bool
make_room(int listener)
{
	int error = errno, waits = poller_readable(listener, 0);
	bool made = waits > 0 && conn_make_room();

	errno = waits == 0 ? EAGAIN : error;
	return made;
}

/* -1 with errno: no client waits, or none can be accepted now. */
static int
accept_one(size_t listener)
{
	int from = self.args->listeners[listener], fd;

	do
		fd = accept4(from, NULL, NULL, SOCK_CLOEXEC);
	while (fd == -1 && (errno == ECONNABORTED || errno == EINTR ||
	    ((errno == EMFILE || errno == ENFILE) && make_room(from))));
	if (fd == -1)
		return -1;
	score_accepted(self.args->score, listener);
	acceptor_passed();
	if (score_is_leaving(self.args->score))
		sock_hear(fd);
	return fd;
}

static void
welcome(size_t listener, int fd)
{
	if (allow_admit(fd))
		hear(conn_add(fd, self.args->protocols[listener]));
	else
		close(fd);
}

/*
 * Under load a queue is emptied without a wait for each connection; but only
 * for a while, so that signals and kept connections have their turn.
 */
void
serve_accept(size_t listener)
{
	int64_t until = clock_ms() + BURST_MS;
	int fd;

	for (int i = 0; i < BURST_MAX && acceptor_admits(); i++) {
		fd = accept_one(listener);
		if (fd == -1) {
			/* It has been shut down: a unix socket says so only
			 * to poll(2). */
			if (errno == EINVAL || (i == 0 && errno == EAGAIN &&
				fd_is_shut(self.args->listeners[listener])))
				acceptor_lose(self.args->listeners[listener]);
			else
				acceptor_failed();
			return;
		}
		welcome(listener, fd);
		if (clock_ms() >= until)
			break;
	}
	self.behind |= self.waited; /* so has the rest of the queue */
}

/* Only what is in the queue now: others keep the socket, and new clients might
 * come without end. */
void
serve_queue(size_t listener)
{
	int fd, n = sock_queue_length(self.args->listeners[listener]);

	for (; n != 0; n--) {
		fd = accept_one(listener);
		if (fd == -1)
			break;
		welcome(listener, fd);
	}
}

void
serve_late(struct conn *c)
{
	if (c->state != CONN_FLUSH) {
		proto_of(c)->late(c);
		return;
	}
	peer_blame(c, "response not taken in time (timeouts.write)");
	conn_close(c);
}

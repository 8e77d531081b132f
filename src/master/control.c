#include "master/control.h"

#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/tuning.h"
#include "net/sock.h"

#define CLIENTS 32
#define BACKLOG 128
#define PAUSE	1000 /* ms until accept(2) is tried again after it failed */

static struct {
	struct loop *loop;
	void (*asked)(struct control_client *client, char *line);
	struct sock_address address;
	int listener;
	bool watched;
	char *path; /* NULL: nowhere */
	struct {
		struct sock_address address;
		int listener;
		char *path;
		bool same; /* it is the present socket */
	} next; /* control_prepare */
	struct loop_timer pause;
	struct control_client clients[CLIENTS];
} self = { .listener = -1, .next.listener = -1 };

/* ---- clients ------------------------------------------------------------- */

static void listener_ready(void *arg, int fd, short revents);

/* The listener is watched only while a client can be served; more wait in its
 * queue, at no cost. */
static void
watch_listener(bool on)
{
	if (self.listener == -1 || on == self.watched)
		return;
	if (on && loop_watch(self.loop, self.listener, POLLIN, listener_ready,
		NULL) == -1)
		return;
	if (!on)
		loop_unwatch(self.loop, self.listener);
	self.watched = on;
}

static void
drop(struct control_client *client)
{
	loop_timer_clear(self.loop, &client->timer);
	loop_unwatch(self.loop, client->fd);
	fd_close(&client->fd);
	buf_free(&client->answer);
	client->state = CONTROL_FREE;
	client->wish = 0;
	if (!self.pause.set)
		watch_listener(true);
}

static void
too_late(void *arg)
{
	drop(arg);
}

static void client_ready(void *arg, int fd, short revents);

/* Watch the client for these events, for `patience` ms (0: no limit).
 * Replacing a watch needs no memory. */
static int
expect(struct control_client *client, short events, int64_t patience)
{
	loop_timer_clear(self.loop, &client->timer);
	loop_unwatch(self.loop, client->fd);
	if (patience > 0)
		loop_timer_set(self.loop, &client->timer,
		    clock_ms() + patience);
	return loop_watch(self.loop, client->fd, events, client_ready, client);
}

/* ---- answers ------------------------------------------------------------- */

static void
send_answer(struct control_client *client)
{
	ssize_t n = 1;

	while (n > 0 && client->len < client->answer.len) {
		n = send(client->fd, client->answer.data + client->len,
		    client->answer.len - client->len,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0)
			client->len += (size_t)n;
	}
	if (n == -1 && errno == EAGAIN)
		return;
	drop(client); /* all is sent, or the peer is gone */
}

void
control_answer(struct control_client *client, bool good, const void *text,
    size_t n)
{
	client->state = CONTROL_TAKES;
	client->wish = 0;
	client->len = 0;
	buf_clear(&client->answer);
	buf_puts(&client->answer, good ? "ok\n" : "failed\n");
	buf_add(&client->answer, text, n);
	/* An incomplete answer would be a wrong one. */
	if (client->answer.failed ||
	    expect(client, POLLOUT, tuning.control) == -1)
		drop(client);
	else
		send_answer(client);
}

void
control_answerf(struct control_client *client, bool good, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text) - 1, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(text) - 2)
		n = (int)sizeof(text) - 2;
	text[n++] = '\n';
	control_answer(client, good, text, (size_t)n);
}

int
control_pass(struct control_client *client, int door, const char *line)
{
	char text[CONTROL_PASSED];
	size_t more = client->len - client->behind;
	int n = snprintf(text, sizeof(text), "%s\n", line);

	if (n < 0 || (size_t)n + more > sizeof(text)) {
		errno = EMSGSIZE;
		return -1;
	}
	memcpy(text + n, client->line + client->behind, more);
	if (fd_send(door, client->fd, text, (size_t)n + more) == -1)
		return -1;
	drop(client);
	return 0;
}

void
control_each(void (*fn)(struct control_client *client))
{
	for (int i = 0; i < CLIENTS; i++)
		if (self.clients[i].state == CONTROL_WAITS &&
		    self.clients[i].wish != 0)
			fn(&self.clients[i]);
}

/* ---- questions ----------------------------------------------------------- */

/* After its line a client is watched for a hang-up only. */
static void
ask(struct control_client *client)
{
	char *end = memchr(client->line, '\n', client->len);

	if (end == NULL) {
		if (client->len == sizeof(client->line))
			control_answerf(client, false, "the line is too long");
		return;
	}
	*end = '\0';
	client->behind = (size_t)(end + 1 - client->line);
	if (end > client->line && end[-1] == '\r')
		end[-1] = '\0';
	client->state = CONTROL_WAITS;
	if (expect(client, 0, 0) == -1)
		drop(client);
	else
		self.asked(client, client->line);
}

static void
read_line(struct control_client *client)
{
	ssize_t n = recv(client->fd, client->line + client->len,
	    sizeof(client->line) - client->len, MSG_DONTWAIT);

	if (n == 0 && client->len > 0) /* end of file ends a line too */
		client->line[client->len++] = '\n';
	else if (n > 0)
		client->len += (size_t)n;
	if (n > 0 || (n == 0 && client->len > 0))
		ask(client);
	else if (n == 0 || errno != EAGAIN)
		drop(client);
}

static void
client_ready(void *arg, int fd, short revents)
{
	struct control_client *client = arg;

	(void)fd;
	if (client->state == CONTROL_ASKS)
		read_line(client);
	else if (client->state == CONTROL_TAKES)
		send_answer(client);
	else if (revents & (POLLHUP | POLLERR))
		drop(client);
}

/* ---- connections --------------------------------------------------------- */

static bool
may_ask(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	    (peer.uid == 0 || peer.uid == geteuid()))
		return true;
	log_warning("a process that is neither root's nor this user's was "
	    "turned away from the control socket");
	return false;
}

static void
begin(struct control_client *client, int fd)
{
	*client = (struct control_client){ .fd = fd, .state = CONTROL_ASKS,
		.timer = { .fire = too_late, .arg = client } };
	if (!may_ask(fd))
		control_answerf(client, false, "permission denied");
	else if (expect(client, POLLIN, tuning.control) == -1)
		drop(client);
}

static struct control_client *
room(void)
{
	for (int i = 0; i < CLIENTS; i++)
		if (self.clients[i].state == CONTROL_FREE)
			return &self.clients[i];
	return NULL;
}

static void
pause_over(void *arg)
{
	(void)arg;
	watch_listener(room() != NULL);
}

/* The listener is not watched for a while: a client that cannot be accepted
 * would be reported in every turn. */
static void
wait_for_descriptors(void)
{
	log_warning("control socket: cannot accept: %s", strerror(errno));
	watch_listener(false);
	self.pause.fire = pause_over;
	loop_timer_set(self.loop, &self.pause, clock_ms() + PAUSE);
}

static void
listener_ready(void *arg, int listener, short revents)
{
	struct control_client *client;
	int fd;

	(void)arg;
	(void)revents;
	while ((client = room()) != NULL) {
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd != -1)
			begin(client, fd);
		else if (errno != ECONNABORTED && errno != EINTR)
			break;
	}
	if (client == NULL)
		watch_listener(false);
	else if (errno != EAGAIN)
		wait_for_descriptors();
}

/* ---- over an upgrade in place -------------------------------------------- */

void
control_hand_over(struct buf *out)
{
	const struct control_client *client;
	struct buf record = { 0 };

	if (self.path == NULL)
		return;
	record_put_text(&record, "path", self.path);
	record_put_number(&record, "dev", (int64_t)self.address.dev);
	record_put_number(&record, "ino", (int64_t)self.address.ino);
	record_put_fd(&record, "fd", self.listener);
	record_put(out, "control", record.data, record.len);
	out->failed |= record.failed;
	for (client = self.clients; client < self.clients + CLIENTS; client++)
		if (client->state != CONTROL_FREE)
			control_client_put(client, out);
	buf_free(&record);
}

static void
take_over_socket(const struct record *record)
{
	char *path = record_text(record, "path");
	int fd = record_fd(record, "fd");

	if (path == NULL || fd == -1 || self.listener != -1 ||
	    sock_parse(path, &self.address, NULL) == -1) {
		fd_close(&fd);
		free(path);
		return;
	}
	sock_locate(&self.address);
	self.address.dev = (dev_t)record_number(record, "dev", 0);
	self.address.ino = (ino_t)record_number(record, "ino", 0);
	self.listener = fd;
	self.path = path;
	watch_listener(true);
}

/* Its time limit begins anew. */
static void
take_over_client(const struct record *record)
{
	static const short events[] = { [CONTROL_ASKS] = POLLIN,
		[CONTROL_WAITS] = 0, [CONTROL_TAKES] = POLLOUT };
	struct control_client *client = room();

	if (client == NULL)
		return;
	control_client_recall(record, client);
	client->timer.fire = too_late;
	client->timer.arg = client;
	if (client->state != CONTROL_FREE &&
	    (client->answer.failed || expect(client, events[client->state],
		client->state == CONTROL_WAITS ? 0 : tuning.control) == -1))
		drop(client);
}

void
control_take_over(const struct record *record)
{
	if (record_is(record, "control"))
		take_over_socket(record);
	else if (record_is(record, "asker"))
		take_over_client(record);
}

/* ---- the socket ---------------------------------------------------------- */

static void
close_listener(void)
{
	if (self.listener == -1)
		return;
	watch_listener(false);
	loop_timer_clear(self.loop, &self.pause);
	sock_refuse(self.listener, &self.address);
	fd_close(&self.listener);
	free(self.path);
	self.path = NULL;
}

void
control_init(struct loop *loop,
    void (*asked)(struct control_client *client, char *line))
{
	self.loop = loop;
	self.asked = asked;
}

static int
listen_at(const char *path, struct why *why)
{
	const struct sock_options options = { .backlog = BACKLOG,
		.owner = (uid_t)-1, .group = (gid_t)-1, .mode = 0600 };

	if ((self.next.path = strdup(path)) == NULL) {
		why_set(why, "control: %s", strerror(errno));
		return -1;
	}
	self.next.listener = sock_listen(&self.next.address, &options, why);
	if (self.next.listener != -1)
		return 0;
	free(self.next.path);
	self.next.path = NULL;
	return -1;
}

int
control_prepare(const char *path, struct why *why)
{
	self.next.same = false;
	if (path == NULL)
		return 0;
	if (sock_parse(path, &self.next.address, why) == -1)
		return -1;
	sock_locate(&self.next.address);
	self.next.same = self.path != NULL &&
	    sock_same(&self.next.address, &self.address);
	return self.next.same ? 0 : listen_at(path, why);
}

void
control_commit(void)
{
	if (!self.next.same) {
		close_listener();
		self.listener = self.next.listener;
		self.address = self.next.address;
		self.path = self.next.path;
		self.next.listener = -1;
		self.next.path = NULL;
	}
	watch_listener(room() != NULL && !self.pause.set);
}

void
control_abandon(void)
{
	if (self.next.listener != -1)
		sock_refuse(self.next.listener, &self.next.address);
	fd_close(&self.next.listener);
	free(self.next.path);
	self.next.path = NULL;
	watch_listener(room() != NULL && !self.pause.set);
}

const char *
control_path(void)
{
	return self.path;
}

void
control_close(void)
{
	control_abandon();
	close_listener();
	for (int i = 0; i < CLIENTS; i++)
		if (self.clients[i].state != CONTROL_FREE)
			drop(&self.clients[i]);
}

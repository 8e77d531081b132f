#include "worker/cgi/cgi_body.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

#define TURNS 16 /* buffers in one go, before other streams have theirs */

int
cgi_body_init(struct cgi_body *body)
{
	body->file = -1;
	body->data = malloc(CGI_BODY_ROOM);
	body->room = malloc(CGI_BODY_ROOM);
	return body->data != NULL && body->room != NULL ? 0 : -1;
}

/* ---- from the client ------------------------------------------------------- */

/* Take what is here into `to`.  How much, 0 if there is none, and *end says
 * whether more will come. */
static size_t
take(struct cgi_body *body, char *to, int64_t waited, enum cgi_body_end *end)
{
	struct request *request = body->request;
	ssize_t n;

	if (request->ops->take != NULL)
		n = request->ops->take(request, to, CGI_BODY_ROOM, waited);
	else
		n = request->ops->read(request, to, CGI_BODY_ROOM);
	if (n > 0)
		return (size_t)n;
	if (n == 0) {
		body->whole = true;
	} else if (errno != EAGAIN) {
		*end = CGI_BODY_FAILED;
		body->error = errno;
	}
	return 0;
}

static enum cgi_body_end
fill(struct cgi_body *body, int64_t waited)
{
	enum cgi_body_end end = CGI_BODY_MORE;

	body->at = 0;
	body->len = take(body, body->data, waited, &end);
	return end;
}

enum cgi_body_end
cgi_body_begin(struct cgi_body *body, struct request *request)
{
	body->request = request;
	body->at = body->len = 0;
	body->from = body->to = 0;
	body->whole = body->more = false;
	return fill(body, 0);
}

/* ---- by way of the file ---------------------------------------------------- */

bool
cgi_body_keep(struct cgi_body *body)
{
	const char *directory = getenv("TMPDIR");

	if (body->file == -1)
		body->file = open(directory != NULL && *directory == '/' ?
		    directory : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return body->file != -1;
}

/* Write n bytes of the room behind what is in the file. */
static int
append(struct cgi_body *body, size_t n)
{
	size_t at = 0;
	ssize_t done;

	while (at < n) {
		done = pwrite(body->file, body->room + at, n - at, body->to);
		if (done <= 0) {
			errno = done == 0 ? ENOSPC : errno;
			return -1;
		}
		at += (size_t)done;
		body->to += done;
	}
	return 0;
}

/* What has come goes into the file. */
static enum cgi_body_end
store(struct cgi_body *body, int64_t waited)
{
	enum cgi_body_end end = CGI_BODY_MORE;
	size_t n = 1;

	for (int i = 0; i < TURNS && n > 0; i++) {
		n = take(body, body->room, waited, &end);
		waited = 0;
		if (append(body, n) == -1)
			return CGI_BODY_LOST;
	}
	body->more = n > 0;
	return end;
}

/* The next bytes of the file are to be written.  0, or -1 with errno. */
static int
restore(struct cgi_body *body)
{
	ssize_t n = pread(body->file, body->data, CGI_BODY_ROOM, body->from);

	if (n <= 0) {
		errno = n == 0 ? EIO : errno;
		return -1;
	}
	body->at = 0;
	body->len = (size_t)n;
	body->from += n;
	if (body->from == body->to) {
		if (ftruncate(body->file, 0) == -1)
			return -1;
		body->from = body->to = 0;
	}
	return 0;
}

/* ---- into the program ------------------------------------------------------ */

static bool
is_kept(const struct cgi_body *body)
{
	return body->file != -1 && body->from < body->to;
}

bool
cgi_body_awaits_client(const struct cgi_body *body)
{
	return !body->whole && (body->at == body->len || body->file != -1);
}

bool
cgi_body_awaits_program(const struct cgi_body *body)
{
	return body->at < body->len;
}

/* The next bytes to be written, from wherever they are.  False if there are
 * none now. */
static bool
advance(struct cgi_body *body, int64_t waited, enum cgi_body_end *end)
{
	if (is_kept(body)) {
		if (restore(body) == -1)
			*end = CGI_BODY_LOST;
	} else if (!body->whole) {
		*end = fill(body, waited);
	}
	return body->at < body->len;
}

/* True if there may be room for more. */
static bool
put(struct cgi_body *body, int *in)
{
	ssize_t n = write(*in, body->data + body->at, body->len - body->at);

	if (n > 0)
		body->at += (size_t)n;
	else if (errno != EAGAIN && errno != EINTR)
		fd_close(in);
	return n > 0;
}

enum cgi_body_end
cgi_body_move(struct cgi_body *body, int *in, int64_t waited)
{
	enum cgi_body_end end = CGI_BODY_MORE;

	body->more = false;
	if (body->file != -1 && !body->whole) {
		end = store(body, waited);
		waited = 0;
	}
	for (int i = 0; *in != -1 && end == CGI_BODY_MORE; i++) {
		body->more |= i == TURNS;
		if (i == TURNS)
			break;
		if (body->at == body->len && !advance(body, waited, &end)) {
			if (body->whole && end == CGI_BODY_MORE)
				fd_close(in);
			break;
		}
		waited = 0;
		if (!put(body, in))
			break;
	}
	return end;
}

void
cgi_body_end(struct cgi_body *body)
{
	fd_close(&body->file);
	body->request = NULL;
}

#include "worker/process/stdio.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_pipe.h"
#include "ipc/output_tag.h"

#define KEEP_MOST 65536 /* bytes of self.out that are kept for the next write */

static struct {
	pthread_mutex_t lock; /* for both streams and all threads */
	bool marked;
	bool open;	      /* the last line written has no newline yet, */
	char request[OUTPUT_TAG_ID]; /* and is of this request; "": of none */
	struct buf out;
} self = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* What is written next is of this request: end an open line of another. */
static void
turn_to(const char *request)
{
	if (strcmp(self.request, request) == 0)
		return;
	if (self.open)
		buf_putc(&self.out, '\n');
	self.open = false;
	snprintf(self.request, sizeof(self.request), "%s", request);
}

static void
add_line(const char *data, size_t n)
{
	if (!self.open && *self.request != '\0')
		buf_addf(&self.out, "%c%s%c", OUTPUT_TAG_BEGIN, self.request,
		    OUTPUT_TAG_END);
	buf_add(&self.out, data, n);
	self.open = data[n - 1] != '\n';
}

static void
mark(const char *request, const char *data, size_t n)
{
	const char *end = data + n, *nl, *next;

	buf_clear(&self.out);
	turn_to(request);
	for (; data < end; data = next) {
		nl = memchr(data, '\n', (size_t)(end - data));
		next = nl != NULL ? nl + 1 : end;
		add_line(data, (size_t)(next - data));
	}
}

/* fopencookie(3): 0 means failure. */
static ssize_t
output_write(void *cookie, const char *data, size_t n)
{
	const char *request = log_request_now();
	int fd = log_pipe(), result;

	(void)cookie;
	pthread_mutex_lock(&self.lock);
	if (self.marked)
		mark(request != NULL ? request : "", data, n);
	if (!self.marked || self.out.failed)
		result = fd_write_all(fd, data, n);
	else
		result = fd_write_all(fd, self.out.data, self.out.len);
	if (self.out.cap > KEEP_MOST)
		buf_free(&self.out);
	pthread_mutex_unlock(&self.lock);
	return result == -1 ? 0 : (ssize_t)n;
}

static FILE *
own_stream(FILE *old, int buffering)
{
	const cookie_io_functions_t functions = { .write = output_write };
	FILE *stream = fopencookie(NULL, "w", functions);

	if (stream == NULL)
		stream = old;
	setvbuf(stream, NULL, buffering, 0);
	return stream;
}

/* The C library (glibc) lets them be assigned. */
void
stdio_begin(bool marked)
{
	self.marked = marked;
	stdout = own_stream(stdout, marked ? _IONBF : _IOLBF);
	stderr = own_stream(stderr, _IONBF);
}

#include "ipc/spool.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

/*
 * begin <= written <= end count bytes and never go back.  A line is pending
 * from the store to `end` until the store to `written`.  While `at` is set, the
 * file may have more bytes than `written` says.
 */
struct spool {
	_Atomic uint64_t begin; /* the count of bytes before text[0] */
	_Atomic uint64_t written;
	_Atomic uint64_t end;
	_Atomic int64_t at; /* 1 + position of the file before a write; or 0 */
	char text[];
};

#define ROOM (SCORE_STASH - sizeof(struct spool))

/* The worker stores; the master loads after its death. */
#define GET(field)	  atomic_load(&p->field)
#define SET(field, value) atomic_store(&p->field, value)

struct spool *
spool_of(struct score *score)
{
	return score_stash(score);
}

/* ---- worker -------------------------------------------------------------- */

int64_t
spool_mark(const struct spool *p)
{
	return (int64_t)GET(end);
}

bool
spool_any(const struct spool *p)
{
	return GET(written) < GET(end);
}

bool
spool_fits(const struct spool *p, size_t n)
{
	return n <= ROOM - (spool_any(p) ? GET(end) - GET(begin) : 0);
}

void
spool_add(struct spool *p, const char *line, size_t n)
{
	uint64_t end = GET(end);

	if (!spool_any(p))
		SET(begin, end);
	memcpy(p->text + (end - GET(begin)), line, n);
	SET(end, end + n);
}

/* Write the first n pending bytes; `at` is set while it is not known how many
 * of them the file has. */
static size_t
push(struct spool *p, struct sink *sink, size_t n)
{
	const char *text = p->text + (GET(written) - GET(begin));
	size_t done;

	SET(at, 1 + sink_position(sink));
	done = sink_write_lines(sink, text, n);
	SET(written, GET(written) + done);
	SET(at, 0);
	return done;
}

int
spool_push(struct spool *p, struct sink *sink)
{
	size_t n = (size_t)(GET(end) - GET(written));

	return n == 0 || push(p, sink, n) == n ? 0 : -1;
}

int
spool_push_one(struct spool *p, struct sink *sink)
{
	const char *text = p->text + (GET(written) - GET(begin));
	const char *last = memchr(text, '\n',
	    (size_t)(GET(end) - GET(written)));
	size_t n = (size_t)(last - text) + 1;

	if (push(p, sink, n) == n)
		return 0;
	SET(written, GET(written) + n);
	return -1;
}

/* `end` moves with `written`: the mark changes, and nothing is pending. */
int
spool_pass(struct spool *p, struct sink *sink, const char *line, size_t n)
{
	size_t done;

	SET(at, 1 + sink_position(sink));
	done = sink_write_lines(sink, line, n);
	SET(written, GET(end) + 1);
	SET(end, GET(end) + 1);
	SET(at, 0);
	return done == n ? 0 : -1;
}

/* ---- master -------------------------------------------------------------- */

/* A copy of the stash: the original may hold anything, and a process that the
 * worker left behind may still write to it. */
struct left {
	uint64_t end;
	int64_t at; /* the file's position; -1: the worker was not writing */
	size_t len;
	char text[ROOM];
};

static void
copy(const struct spool *p, struct left *left)
{
	uint64_t begin = GET(begin), written = GET(written);
	int64_t at = GET(at);

	left->end = GET(end);
	left->at = at > 0 ? at - 1 : -1;
	left->len = 0;
	if (begin > written || written >= left->end ||
	    left->end - begin > ROOM)
		return;
	left->len = (size_t)(left->end - written);
	memcpy(left->text, p->text + (written - begin), left->len);
	left->len = sink_whole_lines(left->text, left->len);
}

/* The number of bytes of the text that the file has right before a position
 * that is behind left->at; all of them if the file cannot be read. */
static size_t
written_before(int fd, const struct left *left, int64_t position)
{
	char tail[ROOM];
	size_t n = left->len;

	if (position - left->at < (int64_t)n)
		n = (size_t)(position - left->at);
	if (pread(fd, tail, n, position - (int64_t)n) != (ssize_t)n)
		return left->len;
	for (size_t i = 0; i < n; i++)
		if (memcmp(tail + i, left->text, n - i) == 0)
			return n - i;
	return 0;
}

/* Overwrite the n bytes before the position, the beginning of a cut line, with
 * blanks and a newline, because another writer's line may follow. */
static void
blank(int fd, int64_t position, size_t n)
{
	char spaces[ROOM];

	memset(spaces, ' ', n);
	spaces[n - 1] = '\n';
	if (pwrite(fd, spaces, n, position - (int64_t)n) == -1)
		return; /* the cut line stays */
}

/* The worker was killed during a write that had moved the position.  Returns
 * the bytes of whole lines that the file has; if it cannot be read, all of
 * them, because most likely the write was complete. */
static size_t
find_written(const struct left *left, int own, int64_t position)
{
	int fd = fd_open_again(own, O_RDWR); /* without O_APPEND */
	size_t done, whole;

	if (fd == -1)
		return left->len;
	done = written_before(fd, left, position);
	whole = sink_whole_lines(left->text, done);
	if (done > whole)
		blank(fd, position, done - whole);
	close(fd);
	return whole;
}

/* Tabs are what a format of access lines may have. */
static bool
is_sound(const char *line, size_t n)
{
	for (size_t i = 0; i + 1 < n; i++)
		if (((unsigned char)line[i] < ' ' && line[i] != '\t') ||
		    line[i] == 0x7f)
			return false;
	return n > 1;
}

/* Append the lines without control characters: others are not ours. */
static void
add_sound(struct buf *out, const char *text, size_t n)
{
	const char *end = text + n, *next;

	for (; text < end; text = next) {
		next = (const char *)memchr(text, '\n',
		    (size_t)(end - text)) + 1;
		if (is_sound(text, (size_t)(next - text)))
			buf_add(out, text, (size_t)(next - text));
	}
}

int64_t
spool_salvage(const void *stash, int own, struct buf *out)
{
	struct left left;
	int64_t position = -1;
	size_t done = 0;

	copy(stash, &left);
	if (left.at >= 0 && own != -1)
		position = lseek(own, 0, SEEK_CUR);
	if (position != -1 && position > left.at) {
		if (left.len > 0)
			done = find_written(&left, own, position);
		else
			left.end++; /* spool_pass had written its line */
	}
	add_sound(out, left.text + done, left.len - done);
	return (int64_t)left.end;
}

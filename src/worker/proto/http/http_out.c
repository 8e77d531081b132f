#include "worker/proto/http/http_out.h"

#include <sys/socket.h>

#include <string.h>

#include "base/num.h"
#include "worker/net/output.h"

#define LAST_CHUNK "0\r\n\r\n"
#define SIZE_LINE  (NUM_TEXT + 2) /* bytes of the line with a chunk's size */
#define FRAME	   (SIZE_LINE + 2 + sizeof(LAST_CHUNK)) /* around pieces */

void
http_out_begin(struct http_out *out, struct conn *conn)
{
	out->conn = conn;
	out->framing = FRAMED_NOT;
	out->written = out->length = 0;
	out->ended = out->sent = false;
	gather_clear(&out->gather);
}

int
http_out_send(struct http_out *out)
{
	struct gather *g = &out->gather;
	int result;

	if (g->n == 0)
		return 0;
	out->sent = true;
	result = output_send(out->conn, g->piece, g->n);
	gather_clear(g);
	return result;
}

static int
make_room(struct http_out *out, size_t n)
{
	return gather_has_room(&out->gather, n) ? 0 : http_out_send(out);
}

static void
put(struct http_out *out, const void *data, size_t n)
{
	memcpy(gather_take(&out->gather, n), data, n);
}

/* Short data, and what fits and leaves room for the end of the response. */
static int
add(struct http_out *out, const void *data, size_t n)
{
	bool copied = n <= GATHER_SHORT ||
	    n + FRAME <= GATHER_BUFFER - out->gather.used;

	if (n == 0)
		return 0;
	if (make_room(out, FRAME + (copied ? n : 0)) == -1)
		return -1;
	if (copied)
		put(out, data, n);
	else
		gather_borrow(&out->gather, data, n);
	return 0;
}

int
http_out_head(struct http_out *out, const struct buf *head,
    enum http_framing framing, uint64_t length)
{
	out->framing = framing;
	out->length = length;
	return add(out, head->data, head->len);
}

static int
put_size(struct http_out *out, size_t n)
{
	char line[SIZE_LINE];
	size_t len = num_hex(n, line);

	line[len++] = '\r';
	line[len++] = '\n';
	if (make_room(out, FRAME) == -1)
		return -1;
	put(out, line, len);
	return 0;
}

static int
put_end(struct http_out *out)
{
	out->ended = true;
	if (out->framing != FRAMED_IN_CHUNKS)
		return 0;
	if (make_room(out, FRAME) == -1)
		return -1;
	put(out, LAST_CHUNK, sizeof(LAST_CHUNK) - 1);
	return 0;
}

static int
add_pieces(struct http_out *out, const struct iovec *piece, int n, size_t sum)
{
	bool chunked = out->framing == FRAMED_IN_CHUNKS;

	if (sum == 0)
		return 0;
	if (chunked && put_size(out, sum) == -1)
		return -1;
	for (int i = 0; i < n; i++)
		if (add(out, piece[i].iov_base, piece[i].iov_len) == -1)
			return -1;
	if (chunked && make_room(out, FRAME) == -1)
		return -1;
	if (chunked)
		put(out, "\r\n", 2);
	out->written += sum;
	return 0;
}

/* Borrowed memory is the caller's again after this, so it is sent at once. */
int
http_out_write(struct http_out *out, const struct iovec *piece, int n,
    bool last)
{
	size_t sum = 0;

	for (int i = 0; i < n; i++)
		sum += piece[i].iov_len;
	if (add_pieces(out, piece, n, sum) == -1)
		return -1;
	if (last && put_end(out) == -1)
		return -1;
	return last || out->gather.borrowed ? http_out_send(out) : 0;
}

int
http_out_end(struct http_out *out)
{
	if (!out->ended && put_end(out) == -1)
		return -1;
	return http_out_send(out);
}

bool
http_out_is_whole(const struct http_out *out)
{
	return out->framing != FRAMED_BY_LENGTH || out->written == out->length;
}

int
http_out_cut(struct http_out *out)
{
	if (out->framing == FRAMED_BY_CLOSE)
		conn_reset(out->conn);
	out->ended = true;
	return http_out_send(out);
}

bool
http_out_replace(struct http_out *out, const void *data, size_t n)
{
	if (out->sent || out->conn->out.len > 0) {
		if (out->framing == FRAMED_BY_CLOSE)
			conn_reset(out->conn);
		return false;
	}
	send(out->conn->fd, data, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	return true;
}

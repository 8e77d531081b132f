/*
 * What the frame codec makes of a client's bytes, for tests/run/ws_codec.py: an
 * echo server without sockets.  Lines on standard input:
 *
 *	case MESSAGE FRAGMENTS	a new connection with these limits
 *	write HEX		bytes that arrive together
 *	end			of the case
 *
 * and on standard output what the server would say: "text HEX", "binary HEX",
 * "pong HEX", then "closed CODE" for a close frame of the client's (CODE 1005
 * if it had none) or "bad CODE FAULT" for what is wrong, then "end".
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/ws_frame.h"

struct bytes {
	unsigned char *data;
	size_t len, room;
};

static struct ws_limits limits;
static struct ws_reader reader;
static struct bytes input, message;
static bool over;

static void *
room(struct bytes *b, size_t n)
{
	if (b->len + n > b->room) {
		b->room = (b->len + n) * 2;
		b->data = realloc(b->data, b->room);
		if (b->data == NULL)
			abort();
	}
	return b->data + b->len;
}

static void
append(struct bytes *b, const void *data, size_t n)
{
	if (n > 0)
		memcpy(room(b, n), data, n);
	b->len += n;
}

static void
say(const char *kind, const unsigned char *data, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	fputs(kind, stdout);
	putchar(' ');
	for (size_t i = 0; i < n; i++) {
		putchar(digits[data[i] >> 4]);
		putchar(digits[data[i] & 15]);
	}
	putchar('\n');
}

static void
answer_control(const struct ws_piece *piece)
{
	if (piece->kind == WS_PING)
		say("pong", piece->data, piece->len);
	if (piece->kind == WS_CLOSE) {
		printf("closed %u\n", piece->code);
		over = true;
	}
}

static void
answer(enum ws_event event, const struct ws_piece *piece)
{
	switch (event) {
	case WS_MORE:
		break;
	case WS_DATA:
		append(&message, piece->data, piece->len);
		break;
	case WS_MESSAGE:
		append(&message, piece->data, piece->len);
		say(piece->kind == WS_TEXT ? "text" : "binary", message.data,
		    message.len);
		message.len = 0;
		break;
	case WS_CONTROL_FRAME:
		answer_control(piece);
		break;
	case WS_BAD:
		printf("bad %u %s\n", piece->code, piece->fault);
		over = true;
		break;
	}
}

static void
arrive(void)
{
	enum ws_event event = WS_DATA;
	size_t at = 0;

	while (!over && event != WS_MORE) {
		struct ws_piece piece = {0};
		event = ws_next(&reader, &limits, input.data, input.len, &at,
		    &piece);
		answer(event, &piece);
	}
	memmove(input.data, input.data + at, input.len - at);
	input.len -= at;
	if (!over && input.len >= WS_HEADER + WS_CONTROL)
		printf("bad 0 kept back %zu bytes\n", input.len);
}

static unsigned
nibble(int c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void
take(const char *hex, size_t n)
{
	unsigned char *out = room(&input, n / 2);

	for (size_t i = 0; i + 1 < n; i += 2)
		out[i / 2] = (unsigned char)(nibble(hex[i]) << 4 |
		    nibble(hex[i + 1]));
	input.len += n / 2;
	arrive();
}

static void
begin(const char *line)
{
	unsigned long long bytes = 0;

	memset(&reader, 0, sizeof(reader));
	input.len = message.len = 0;
	over = false;
	if (sscanf(line, "case %llu %u", &bytes, &limits.fragments) != 2)
		abort();
	limits.message = bytes;
	limits.masked = true;
}

int
main(void)
{
	char *line = NULL;
	size_t size = 0;

	for (ssize_t n; (n = getline(&line, &size, stdin)) > 0;) {
		if (strncmp(line, "case ", 5) == 0) {
			begin(line);
		} else if (strncmp(line, "write ", 6) == 0) {
			take(line + 6, (size_t)n - 7);
		} else {
			puts("end");
			fflush(stdout);
		}
	}
	free(line);
	free(input.data);
	free(message.data);
	return 0;
}

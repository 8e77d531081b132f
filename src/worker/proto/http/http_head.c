#include "worker/proto/http/http_head.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/num.h"
#include "net/ws_handshake.h"

static void
put_line(struct buf *out, const char *name, const char *value)
{
	buf_puts(out, name);
	buf_puts(out, value);
	buf_add(out, "\r\n", 2);
}

static void
put_number(struct buf *out, const char *name, int64_t n)
{
	char digits[NUM_TEXT];

	digits[num_decimal((uint64_t)n, digits)] = '\0';
	put_line(out, name, digits);
}

/* As RFC 9110, 5.6.7 has it, whatever the application's locale; made anew once
 * a second. */
static void
put_date(struct buf *out)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	static char line[48];
	static size_t len;
	static time_t made;
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (now.tv_sec != made || len == 0) {
		gmtime_r(&now.tv_sec, &tm);
		len = (size_t)snprintf(line, sizeof(line),
		    "Date: %.3s, %02d %.3s %d %02d:%02d:%02d GMT\r\n",
		    days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon,
		    tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
		made = now.tv_sec;
	}
	buf_add(out, line, len);
}

static void
put_status(struct buf *out, int status, const char *phrase)
{
	const char digits[] = { (char)('0' + status / 100),
		(char)('0' + status / 10 % 10), (char)('0' + status % 10), ' ' };

	buf_add(out, "HTTP/1.1 ", 9);
	buf_add(out, digits, sizeof(digits));
	put_line(out, phrase, "");
}

static enum http_framing
framing_of(const struct response *r, int64_t length,
    const struct http_head_facts *facts)
{
	if (facts->head || !response_has_body(r))
		return FRAMED_NOT;
	if (length != -1)
		return FRAMED_BY_LENGTH;
	return facts->old ? FRAMED_BY_CLOSE : FRAMED_IN_CHUNKS;
}

enum http_framing
http_head_print(const struct response *r, int64_t body_len,
    struct http_head_facts *facts, struct buf *out)
{
	int64_t length = response_length(r, body_len);
	enum http_framing framing = framing_of(r, length, facts);
	const char *type = response_type(r);

	facts->keep &= !r->close && framing != FRAMED_BY_CLOSE;
	put_status(out, r->status, response_phrase(r));
	if (!r->has_date)
		put_date(out);
	if (type != NULL)
		put_line(out, "Content-Type: ", type);
	buf_add(out, r->headers.data, r->headers.len);
	if (length != -1)
		put_number(out, "Content-Length: ", length);
	else if (framing == FRAMED_IN_CHUNKS)
		put_line(out, "Transfer-Encoding: chunked", "");
	if (!facts->keep)
		put_line(out, "Connection: close", "");
	else if (facts->old)
		put_line(out, "Connection: keep-alive", "");
	buf_add(out, "\r\n", 2);
	out->failed |= r->headers.failed;
	return framing;
}

void
http_head_print_error(int status, bool head, struct buf *out)
{
	const char *reason = response_reason(status);

	put_status(out, status, reason);
	put_date(out);
	put_line(out, "Content-Type: text/plain", "");
	put_number(out, "Content-Length: ", (int64_t)strlen(reason) + 1);
	put_line(out, "Connection: close",
	    status == 426 ? ", Upgrade" : "");
	if (status == 426) { /* RFC 9110, 15.5.22; RFC 6455, 4.4 */
		put_line(out, "Upgrade: websocket", "");
		put_line(out, "Sec-WebSocket-Version: ", WS_VERSION);
	}
	buf_add(out, "\r\n", 2);
	if (!head) {
		buf_puts(out, reason);
		buf_add(out, "\n", 1);
	}
}

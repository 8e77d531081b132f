#include "worker/proto/http/http_proxy.h"

#include <string.h>

#include "net/http_class.h"

#define V1	 "PROXY "
#define V1_MOST	 107 /* bytes with CR and LF (2.1) */
#define V2	 "\r\n\r\n\0\r\nQUIT\n"
#define V2_FIXED 16 /* bytes before the addresses (2.2) */

enum { /* of version 2, in its 13th byte: version and command */
	COMMAND_LOCAL = 0x20,
	COMMAND_PROXY = 0x21
};

enum { /* in its 14th byte: family and transport */
	FAMILY_UNSPEC = 0x00,
	FAMILY_TCP4 = 0x11,
	FAMILY_TCP6 = 0x21,
	FAMILY_UNIX = 0x31
};

static enum http_proxy_verdict
bad(struct http_proxy *p, const char *fault)
{
	p->fault = fault;
	return HTTP_PROXY_BAD;
}

/* ---- version 1 ------------------------------------------------------------ */

/* Take a word off the front of the line, with the one blank that follows it;
 * it is empty, which no word is, if the line ends in that. */
static struct http_span
take_word(struct http_span *line)
{
	const char *blank = memchr(line->data, ' ', line->len);
	struct http_span word = *line;

	if (blank == NULL) {
		*line = (struct http_span) { line->data + line->len, 0 };
		return word;
	}
	word.len = (size_t)(blank - line->data);
	line->data += word.len + 1;
	line->len -= word.len + 1;
	if (line->len == 0)
		word.len = 0;
	return word;
}

/* 0 to 65535 without zeros in front. */
static bool
parse_port(struct http_span word, uint16_t *port)
{
	unsigned value = 0;

	if (word.len == 0 || word.len > 5 ||
	    (word.len > 1 && word.data[0] == '0'))
		return false;
	for (size_t i = 0; i < word.len; i++) {
		if (!http_is(word.data[i], HTTP_DIGIT))
			return false;
		value = value * 10 + (unsigned)(word.data[i] - '0');
	}
	*port = (uint16_t)value;
	return value <= UINT16_MAX;
}

static bool
parse_ip(struct http_span word, bool v4, struct http_address *address)
{
	const char *colon = memchr(word.data, ':', word.len);

	return (colon == NULL) == v4 && memchr(word.data, '[', word.len) ==
	    NULL && http_address_parse(word, address) && address->port == 0;
}

/* A line behind "PROXY ", without its end. */
static bool
parse_line(struct http_span line, struct http_proxy *p)
{
	struct http_span protocol, ip[2], port[2];
	bool v4;

	if (line.len >= 7 && memcmp(line.data, "UNKNOWN", 7) == 0 &&
	    (line.len == 7 || line.data[7] == ' '))
		return true;
	protocol = take_word(&line);
	if (protocol.len != 4 || (memcmp(protocol.data, "TCP4", 4) != 0 &&
	    memcmp(protocol.data, "TCP6", 4) != 0))
		return false;
	v4 = protocol.data[3] == '4';
	for (int i = 0; i < 2; i++)
		ip[i] = take_word(&line);
	for (int i = 0; i < 2; i++)
		port[i] = take_word(&line);
	return line.len == 0 && parse_ip(ip[0], v4, &p->source) &&
	    parse_ip(ip[1], v4, &p->destination) &&
	    parse_port(port[0], &p->source.port) &&
	    parse_port(port[1], &p->destination.port);
}

static enum http_proxy_verdict
judge_v1(const char *data, size_t n, struct http_proxy *p)
{
	size_t most = n < V1_MOST ? n : V1_MOST, begin = strlen(V1);
	const char *cr = memchr(data, '\r', most), *lf = memchr(data, '\n',
	    most);

	if (lf == NULL && most == V1_MOST)
		return bad(p, "PROXY line without an end");
	if ((lf != NULL && cr != lf - 1) ||
	    (lf == NULL && cr != NULL && cr != data + n - 1))
		return bad(p, "PROXY line that does not end in CR LF");
	if (lf == NULL)
		return HTTP_PROXY_MORE;
	p->len = (size_t)(lf + 1 - data);
	if (!parse_line((struct http_span) { data + begin,
	    (size_t)(cr - data) - begin }, p))
		return bad(p, "malformed PROXY line");
	return HTTP_PROXY_DONE;
}

/* ---- version 2 ------------------------------------------------------------ */

static unsigned
get16(const unsigned char *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* The addresses of `size` bytes each, and the ports behind them. */
static void
take_ip(const unsigned char *at, size_t size, struct http_proxy *p)
{
	const unsigned char *ports = at + 2 * size;

	http_address_set(&p->source, at, size, (uint16_t)get16(ports));
	http_address_set(&p->destination, at + size, size,
	    (uint16_t)get16(ports + 2));
}

/* The bytes that the addresses of a family have; -1: of no known one. */
static int
family_size(unsigned family)
{
	switch (family) {
	case FAMILY_UNSPEC:
		return 0;
	case FAMILY_TCP4:
		return 12;
	case FAMILY_TCP6:
		return 36;
	case FAMILY_UNIX:
		return 216;
	default:
		return -1;
	}
}

static void
take_addresses(const unsigned char *at, unsigned family, struct http_proxy *p)
{
	if (family == FAMILY_TCP4)
		take_ip(at, 4, p);
	else if (family == FAMILY_TCP6)
		take_ip(at, 16, p);
	else if (family == FAMILY_UNIX)
		p->source.kind = p->destination.kind = HTTP_ADDRESS_UNIX;
}

static enum http_proxy_verdict
judge_v2(const unsigned char *data, size_t n, struct http_proxy *p)
{
	unsigned command, rest;
	int size;

	if (n <= 12)
		return HTTP_PROXY_MORE;
	command = data[12];
	if (command != COMMAND_LOCAL && command != COMMAND_PROXY)
		return bad(p, "PROXY header of another version or command");
	if (n < V2_FIXED)
		return HTTP_PROXY_MORE;
	rest = get16(data + 14);
	if (V2_FIXED + rest > HTTP_PROXY_MOST)
		return bad(p, "PROXY header that is too long");
	size = command == COMMAND_PROXY ? family_size(data[13]) : 0;
	if (size == -1)
		return bad(p, "PROXY header of no stream's family");
	if ((unsigned)size > rest)
		return bad(p, "PROXY header shorter than its addresses");
	if (n < V2_FIXED + rest)
		return HTTP_PROXY_MORE;
	p->len = V2_FIXED + rest;
	if (command == COMMAND_PROXY)
		take_addresses(data + V2_FIXED, data[13], p);
	return HTTP_PROXY_DONE;
}

static bool
begins(const char *data, size_t n, const char *what, size_t len)
{
	return memcmp(data, what, n < len ? n : len) == 0;
}

enum http_proxy_verdict
http_proxy_judge(const char *data, size_t n, struct http_proxy *out)
{
	*out = (struct http_proxy) { .len = 0 };
	if (n == 0)
		return HTTP_PROXY_MORE;
	if (begins(data, n, V2, sizeof(V2) - 1))
		return judge_v2((const unsigned char *)data, n, out);
	if (!begins(data, n, V1, sizeof(V1) - 1))
		return bad(out, "no PROXY header");
	return n < sizeof(V1) ? HTTP_PROXY_MORE : judge_v1(data, n, out);
}

void
http_proxy_add(const struct http_address *source,
    const struct http_address *destination, struct buf *out)
{
	const struct http_address *address[] = { source, destination };
	bool ip = source->kind == HTTP_ADDRESS_IP &&
	    destination->kind == HTTP_ADDRESS_IP;
	bool local = source->kind == HTTP_ADDRESS_UNIX &&
	    destination->kind == HTTP_ADDRESS_UNIX;
	static const char nowhere[216];

	buf_add(out, V2, sizeof(V2) - 1);
	buf_putc(out, ip || local ? COMMAND_PROXY : COMMAND_LOCAL);
	buf_putc(out, ip ? FAMILY_TCP6 : local ? FAMILY_UNIX : FAMILY_UNSPEC);
	buf_putc(out, 0);
	buf_putc(out, ip ? 36 : local ? (int)sizeof(nowhere) : 0);
	if (local)
		buf_add(out, nowhere, sizeof(nowhere));
	if (!ip)
		return;
	for (size_t i = 0; i < 2; i++)
		buf_add(out, address[i]->ip, sizeof(address[i]->ip));
	for (size_t i = 0; i < 2; i++) {
		buf_putc(out, address[i]->port >> 8);
		buf_putc(out, address[i]->port & 0xff);
	}
}

/* http-parser's view of a connection. */

#include "outcome.h"

#ifdef HAVE_HTTP_PARSER

#include <http_parser.h>

struct parsing {
	uint64_t length;
	bool whole;
};

static int
on_message_begin(http_parser *parser)
{
	((struct parsing *)parser->data)->length = 0;
	return 0;
}

/* An upgrade is not always taken. */
static int
on_headers_complete(http_parser *parser)
{
	parser->upgrade = 0;
	return 0;
}

static int
on_body(http_parser *parser, const char *at, size_t length)
{
	(void)at;
	((struct parsing *)parser->data)->length += length;
	return 0;
}

static int
on_message_complete(http_parser *parser)
{
	((struct parsing *)parser->data)->whole = true;
	http_parser_pause(parser, 1);
	return 0;
}

bool
ask_http_parser(const char *data, size_t n, struct outcome *o)
{
	static const http_parser_settings settings = {
		.on_message_begin = on_message_begin,
		.on_headers_complete = on_headers_complete,
		.on_body = on_body,
		.on_message_complete = on_message_complete,
	};
	struct parsing parsing = { 0 };
	http_parser parser;
	size_t at = 0;

	o->n = 0;
	o->end = MORE;
	http_parser_init(&parser, HTTP_REQUEST);
	parser.data = &parsing;
	while (at < n && o->end == MORE) {
		parsing.whole = false;
		at += http_parser_execute(&parser, &settings, data + at,
		    n - at);
		if (parsing.whole) {
			outcome_add(o, parsing.length, at);
			http_parser_pause(&parser, 0);
			if (!http_should_keep_alive(&parser))
				o->end = CLOSED;
		} else if (HTTP_PARSER_ERRNO(&parser) != HPE_OK) {
			o->end = REFUSED;
		}
	}
	return true;
}

#else

bool
ask_http_parser(const char *data, size_t n, struct outcome *o)
{
	(void)data;
	(void)n;
	(void)o;
	return false;
}

#endif

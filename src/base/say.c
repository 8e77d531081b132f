#include "base/say.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/escape.h"

static void
put_line(FILE *out, const char *name, const char *fmt, va_list ap)
{
	struct buf text = { 0 }, line = { 0 };

	if (name != NULL)
		buf_addf(&text, "%s: ", name);
	buf_addv(&text, fmt, ap);
	escape_text(&line, text.data, text.len);
	buf_putc(&line, '\n');
	if (line.len > 0) /* one write(2): stderr is not buffered */
		fwrite(line.data, 1, line.len, out);
	buf_free(&text);
	buf_free(&line);
}

void
say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_line(stderr, program_invocation_short_name, fmt, ap);
	va_end(ap);
}

void
die(int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_line(stderr, program_invocation_short_name, fmt, ap);
	va_end(ap);
	exit(code);
}

void
say_line(FILE *out, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_line(out, NULL, fmt, ap);
	va_end(ap);
}

void
say_lines(FILE *out, const char *text, size_t n)
{
	struct buf shown = { 0 };

	escape_lines(&shown, text, n);
	if (shown.len > 0)
		fwrite(shown.data, 1, shown.len, out);
	buf_free(&shown);
}

void
say_option(int option, char *const *argv)
{
	if (option == ':' && optopt > UCHAR_MAX)
		say("option %s needs an argument", argv[optind - 1]);
	else if (option == ':')
		say("option -%c needs an argument", optopt);
	else if (optopt == 0)
		say("unknown option %s", argv[optind - 1]);
	else
		say("unknown option -%c", optopt);
}

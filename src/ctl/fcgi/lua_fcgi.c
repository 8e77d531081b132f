/*
 * lua-fcgi(1): to FastCGI what curl is to HTTP, and a load generator.
 */

#include "config.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/say.h"
#include "ctl/fcgi/fcgi_client.h"
#include "ctl/fcgi/fcgi_load.h"
#include "ctl/fcgi/fcgi_request.h"
#include "net/fcgi_wire.h"

#define NO_LIMIT_MS (INT64_C(100) * 365 * 24 * 3600 * 1000)

enum { EXIT_FAILED = 1, EXIT_TIMEOUT = 2, EXIT_4XX = 4, EXIT_5XX = 5,
	EXIT_USAGE = 64 };

struct options {
	struct fcgi_request request;
	struct load_plan plan;
	struct buf body;
	struct buf data; /* -D */
	int64_t timeout_ms;
	bool include; /* -i */
	bool load;    /* -n or -T */
	bool json;
};

static const char usage_text[] =
    "usage: lua-fcgi [-ik] [-D data] [-d data] [-H header] [-p parameter]\n"
    "                [-r role] [-s file] [-t time] [-X method] socket [path]\n"
    "       lua-fcgi -n requests | -T time [-jk] [-c clients] [-d data] ...\n"
    "                socket [path]\n"
    "       lua-fcgi -h | -V\n";

static _Noreturn void
usage(void)
{
	fputs(usage_text, stderr);
	exit(EXIT_USAGE);
}

static void *
allocate(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (p == NULL)
		die(EXIT_FAILED, "%s", strerror(errno));
	return p;
}

/* Returns when the file was changed. */
static time_t
read_file(struct buf *body, const char *path)
{
	struct stat st = { 0 };
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO :
	    open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;
	char *room;

	if (fd == -1)
		die(EXIT_USAGE, "%s: %s", path, strerror(errno));
	while ((room = buf_reserve(body, 65536)) != NULL &&
	    (n = read(fd, room, 65536)) > 0)
		body->len += (size_t)n;
	if (room == NULL || n == -1 || fstat(fd, &st) == -1)
		die(EXIT_FAILED, "%s: %s", path, strerror(errno));
	if (fd != STDIN_FILENO)
		fd_close(&fd);
	return st.st_mtime;
}

/* The file that a filter is sent; only one. */
static void
set_data(struct options *o, const char *data)
{
	if (o->request.data != NULL)
		die(EXIT_USAGE, "-D is given twice");
	o->request.data = &o->data;
	o->request.data_time = time(NULL);
	if (*data == '@')
		o->request.data_time = read_file(&o->data, data + 1);
	else
		buf_puts(&o->data, data);
}

static unsigned
role(const char *name)
{
	static const char *const names[] = {
		[FCGI_RESPONDER] = "responder",
		[FCGI_AUTHORIZER] = "authorizer",
		[FCGI_FILTER] = "filter",
	};

	for (unsigned i = FCGI_RESPONDER; i <= FCGI_FILTER; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	die(EXIT_USAGE, "-r %s: not responder, authorizer or filter", name);
}

/* Several bodies are joined by "&", as the fields of a form are. */
static void
add_body(struct options *o, const char *data)
{
	if (o->request.body != NULL)
		buf_putc(&o->body, '&');
	o->request.body = &o->body;
	if (*data == '@')
		read_file(&o->body, data + 1);
	else
		buf_puts(&o->body, data);
}

static int64_t
duration(int option, const char *text)
{
	int64_t ms;

	if (num_duration(text, &ms) == -1)
		die(EXIT_USAGE, "-%c %s: not a time (500ms, 10s, 5m)",
		    option, text);
	return ms;
}

static int64_t
count(int option, const char *text, int64_t max)
{
	int64_t value;

	if (num_integer(text, 1, max, &value) == -1)
		die(EXIT_USAGE, "-%c %s: not a number from 1 to %lld",
		    option, text, (long long)max);
	return value;
}

static _Noreturn void
tell(const char *text)
{
	fputs(text, stdout);
	exit(0);
}

static void
load_option(struct options *o, int option, const char *arg,
    char *const *argv)
{
	switch (option) {
	case 'c':
		o->plan.clients = (unsigned)count('c', arg, 100000);
		break;
	case 'j':
		o->json = true;
		break;
	case 'n':
		o->plan.requests = (uint64_t)count('n', arg, INT64_MAX);
		o->load = true;
		break;
	case 'T':
		if ((o->plan.run_ms = duration('T', arg)) == 0)
			usage();
		o->load = true;
		break;
	default:
		say_option(option, argv);
		usage();
	}
}

static void
set_option(struct options *o, int option, char *arg, char *const *argv)
{
	switch (option) {
	case 'D':
		set_data(o, arg);
		break;
	case 'd':
		add_body(o, arg);
		break;
	case 'H':
		o->request.headers[o->request.nheaders++] = arg;
		break;
	case 'h':
		tell(usage_text);
	case 'i':
		o->include = true;
		break;
	case 'k':
		o->request.keep = o->plan.keep = true;
		break;
	case 'p':
		o->request.params[o->request.nparams++] = arg;
		break;
	case 'r':
		o->request.role = role(arg);
		break;
	case 's':
		o->request.script = arg;
		break;
	case 't':
		o->timeout_ms = duration('t', arg);
		break;
	case 'V':
		tell("lua-fcgi " PACKAGE_VERSION "\n");
	case 'X':
		o->request.method = arg;
		break;
	default:
		load_option(o, option, arg, argv);
	}
}

static void
parse(struct options *o, int argc, char **argv)
{
	int option;

	o->request.headers = allocate((size_t)argc, sizeof(char *));
	o->request.params = allocate((size_t)argc, sizeof(char *));
	o->request.role = FCGI_RESPONDER;
	o->timeout_ms = 60000;
	opterr = 0;
	while ((option = getopt(argc, argv, ":c:D:d:H:hijkn:p:r:s:T:t:VX:")) != -1)
		set_option(o, option, optarg, argv);
	argc -= optind;
	if (argc < 1 || argc > 2)
		usage();
	if (!o->load && (o->plan.clients > 0 || o->json))
		die(EXIT_USAGE, "-c and -j need -n or -T");
	if (o->request.data != NULL && o->request.role != FCGI_FILTER)
		die(EXIT_USAGE, "-D needs -r filter");
	if (o->request.body != NULL && o->request.role == FCGI_AUTHORIZER)
		die(EXIT_USAGE, "-d: an authorizer is sent no body");
	if (o->plan.clients == 0)
		o->plan.clients = 1;
	if (o->timeout_ms == 0)
		o->timeout_ms = NO_LIMIT_MS;
	o->request.uri = argc == 2 ? argv[optind + 1] : "/";
	if (o->request.uri[0] != '/')
		die(EXIT_USAGE, "%s: a path begins with /", o->request.uri);
}

static void
put(int fd, const void *data, size_t n)
{
	if (fd_write_all(fd, data, n) == -1)
		die(EXIT_FAILED, "write: %s", strerror(errno));
}

/* Print text of the server: escaped on a terminal, else unchanged. */
static void
put_text(FILE *out, const void *data, size_t n)
{
	if (isatty(fileno(out)))
		say_lines(out, data, n);
	else
		fwrite(data, 1, n, out);
	if (fflush(out) == EOF)
		die(EXIT_FAILED, "write: %s", strerror(errno));
}

static void
put_head(void *arg, const char *head, size_t n)
{
	static const char status[] = "Status:";
	const struct fcgi_reply *reply = arg;

	/* Without a Status line, print the status that a web server sends. */
	if (!reply->cgi.has_status)
		dprintf(STDOUT_FILENO, "%s %u\r\n", status,
		    reply->cgi.status);
	put_text(stdout, head, n);
}

static void
put_body(void *arg, const void *data, size_t n)
{
	(void)arg;
	put(STDOUT_FILENO, data, n);
}

static void
put_errors(void *arg, const void *data, size_t n)
{
	(void)arg;
	put_text(stderr, data, n);
}

static void
put_warning(void *arg, const char *text)
{
	(void)arg;
	say("%s", text);
}

static int
judge(enum fcgi_verdict verdict, const struct fcgi_reply *reply,
    const struct why *why)
{
	if (verdict != REPLY_DONE) {
		say("%s", why->text);
		return verdict == REPLY_TIMEOUT ? EXIT_TIMEOUT : EXIT_FAILED;
	}
	if (reply->app_status != 0)
		say("application status %u", reply->app_status);
	if (reply->cgi.status >= 400)
		return reply->cgi.status >= 500 ? EXIT_5XX : EXIT_4XX;
	return reply->app_status != 0 ? EXIT_FAILED : 0;
}

static int
fetch(const struct options *o)
{
	struct fcgi_reply reply = { 0 };
	struct fcgi_sink sink = { o->include ? put_head : NULL, put_body,
		put_errors, put_warning, &reply };
	enum fcgi_verdict verdict;
	struct why why;

	fcgi_reply_init(&reply, &sink, o->plan.head);
	verdict = fcgi_fetch(o->plan.address, o->plan.request, &reply,
	    clock_ms() + o->timeout_ms, &why);
	fcgi_reply_free(&reply);
	return judge(verdict, &reply, &why);
}

static int
load(const struct options *o)
{
	struct fcgi_tally *tally = allocate(1, sizeof(*tally));
	struct why why;
	int rc;

	if (fcgi_load(&o->plan, tally, &why) == -1)
		die(EXIT_FAILED, "%s", why.text);
	if (o->json)
		tally_print_json(tally, stdout);
	else
		tally_print(tally, stdout);
	rc = tally_failed(tally) > 0 || fflush(stdout) == EOF;
	free(tally);
	return rc;
}

int
main(int argc, char **argv)
{
	struct options o = { 0 };
	struct fcgi_address address;
	struct buf request = { 0 };
	struct why why;
	int rc;

	parse(&o, argc, argv);
	if (fcgi_address_parse(argv[optind], &address, &why) == -1 ||
	    fcgi_request_build(&o.request, &request, &why) == -1)
		die(EXIT_USAGE, "%s", why.text);
	o.plan.address = &address;
	o.plan.request = &request;
	o.plan.timeout_ms = o.timeout_ms;
	o.plan.head = strcmp(fcgi_request_method(&o.request), "HEAD") == 0;
	rc = o.load ? load(&o) : fetch(&o);
	buf_free(&request);
	buf_free(&o.body);
	buf_free(&o.data);
	free(o.request.headers);
	free(o.request.params);
	return rc;
}

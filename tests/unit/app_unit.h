#ifndef TESTS_UNIT_APP_UNIT_H
#define TESTS_UNIT_APP_UNIT_H

/*
 * What the tests of the Lua side share: an application in a directory of its
 * own, the error log in a file beside it, and a request whose client is a few
 * buffers.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "worker/lua/lua_app.h"
#include "worker/proto/fcgi/fcgi_head.h"

#include "unit.h"

static struct {
	char dir[32];
	char file[64]; /* DIR/app.lua */
	struct lua_app *app;
	struct buf log;
} scene;

static struct {
	struct request request; /* as it was after the last serve() */
	struct param params[64];
	size_t nparams;
	const char *body;
	size_t body_len, body_at;
	size_t chunk;	 /* of the body that comes at once */
	int64_t length;	 /* that is announced, -1: none */
	int error;	 /* errno where the body breaks off, 0: it ends */
	size_t patience; /* bytes of the response that the client takes */
	size_t largest;	 /* write */
	struct buf head, out;
	struct buf told;  /* to the web server's log */
	struct buf trace; /* R read, W write, F flush, in order */
} client;

/* ---- the client ---------------------------------------------------------- */

static ssize_t
client_read(struct request *request, void *data, size_t n)
{
	size_t left = client.body_len - client.body_at;

	buf_putc(&client.trace, 'R');
	if (left == 0 && client.error != 0) {
		request->aborted |= client.error != ETIMEDOUT;
		errno = client.error;
		return -1;
	}
	ck_assert_uint_gt(n, 0);
	n = n < client.chunk ? n : client.chunk;
	n = n < left ? n : left;
	memcpy(data, client.body + client.body_at, n);
	request->bytes_in += n;
	client.body_at += n;
	return (ssize_t)n;
}

static int
client_write(struct request *request, const struct iovec *piece, int n)
{
	ck_assert_int_gt(n, 0);
	for (int i = 0; i < n; i++) {
		buf_putc(&client.trace, 'W');
		ck_assert_uint_gt(piece[i].iov_len, 0);
		if (client.out.len + piece[i].iov_len > client.patience)
			request->aborted = true;
		if (request->aborted) {
			errno = EPIPE;
			return -1;
		}
		if (piece[i].iov_len > client.largest)
			client.largest = piece[i].iov_len;
		buf_add(&client.out, piece[i].iov_base, piece[i].iov_len);
	}
	return 0;
}

/* As CGI has it. */
static int
client_head(struct request *request, const struct response *response,
    int64_t body_len)
{
	buf_clear(&client.head);
	ck_assert_int_eq(fcgi_head_print(response, body_len, &client.head), 0);
	if (request_note_head(request, response->status, &client.head) == -1)
		return -1;
	return request_write(request, client.head.data, client.head.len);
}

static int
client_flush(struct request *request)
{
	buf_putc(&client.trace, 'F');
	errno = EPIPE;
	return request->aborted ? -1 : 0;
}

static int
client_complain(struct request *request, const void *data, size_t n)
{
	(void)request;
	return buf_add(&client.told, data, n);
}

static bool
client_gone(struct request *request)
{
	return request->aborted;
}

static const struct request_ops client_ops = {
	.read = client_read,
	.head = client_head,
	.write = client_write,
	.flush = client_flush,
	.complain = client_complain,
	.gone = client_gone,
};

static inline void
set_param_bytes(const char *name, const char *value, size_t value_len)
{
	ck_assert_uint_lt(client.nparams, 64);
	client.params[client.nparams++] = (struct param) {
		.name = name, .value = value, .name_len = strlen(name),
		.value_len = value_len };
}

static inline void
set_param(const char *name, const char *value)
{
	set_param_bytes(name, value, strlen(value));
}

static inline void
set_body(const char *body, size_t len)
{
	client.body = body;
	client.body_len = len;
}

/* A request as yet without parameters and body. */
static inline void
new_request(void)
{
	client.nparams = 0;
	set_body("", 0);
	client.chunk = SIZE_MAX;
	client.length = -1;
	client.error = 0;
	client.patience = SIZE_MAX;
}

static inline void
serve_quietly(void)
{
	struct request *r = &client.request;
	bool head_only = r->head_only;

	*r = (struct request) { .ops = &client_ops, .params = client.params,
		.nparams = client.nparams, .length = client.length,
		.id = "4711-1" };
	request_index(r);
	r->head_only = head_only;
	if (client.length != -1)
		r->length = client.length;
	client.body_at = client.largest = 0;
	buf_clear(&client.out);
	buf_clear(&client.told);
	buf_clear(&client.trace);
	log_request(r->id);
	lua_app_serve(scene.app, r);
	log_request(NULL);
}

/* The whole response, as a string as far as tests go that have no NUL. */
static inline const char *
serve(void)
{
	serve_quietly();
	return buf_string(&client.out);
}

/* The body of a response. */
static inline const char *
serve_body(void)
{
	const char *end = strstr(serve(), "\r\n\r\n");

	ck_assert_ptr_nonnull(end);
	return end + 4;
}

/* ---- the scene ----------------------------------------------------------- */

static inline void
write_file(const char *name, const char *text)
{
	char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", scene.dir, name);
	ck_assert_ptr_nonnull(f = fopen(path, "w"));
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
}

static inline void
setup(void)
{
	char path[96];

	strcpy(scene.dir, "/tmp/lua-fpm-app.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(scene.dir));
	snprintf(scene.file, sizeof(scene.file), "%s/app.lua", scene.dir);
	snprintf(path, sizeof(path), "%s/log", scene.dir);
	ck_assert_int_eq(log_open(path, LEVEL_INFO, FORM_TEXT, NULL), 0);
	client.request.head_only = false;
	new_request();
}

static inline void
teardown(void)
{
	char command[96];

	lua_app_free(scene.app);
	scene.app = NULL;
	log_open("stderr", LEVEL_NOTICE, FORM_TEXT, NULL);
	snprintf(command, sizeof(command), "rm -r %s", scene.dir);
	ck_assert_int_eq(system(command), 0);
	buf_free(&scene.log);
	buf_free(&client.head);
	buf_free(&client.out);
	buf_free(&client.told);
	buf_free(&client.trace);
}

/* Everything in the error log. */
static inline const char *
logged(void)
{
	char path[96];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/log", scene.dir);
	ck_assert_int_ne(fd = open(path, O_RDONLY), -1);
	buf_clear(&scene.log);
	while ((n = read(fd, buf_reserve(&scene.log, 4096), 4096)) > 0)
		scene.log.len += (size_t)n;
	close(fd);
	return buf_string(&scene.log);
}

static inline void
assert_logged(const char *text)
{
	ck_assert_msg(strstr(logged(), text) != NULL, "\"%s\" is not in:\n%s",
	    text, scene.log.data);
}

/* The application's file, and a text after it. */
static inline const char *
with_file(const char *text)
{
	static char out[256];

	snprintf(out, sizeof(out), "%s%s", scene.file, text);
	return out;
}

/* ---- applications -------------------------------------------------------- */

static inline void
load_app_for(const char *source, bool errors_to_server)
{
	const struct lua_app_options options = { .errors_to_server =
						     errors_to_server };
	struct why why;

	lua_app_free(scene.app);
	write_file("app.lua", source);
	scene.app = lua_app_load(scene.file, &options, &why);
	ck_assert_msg(scene.app != NULL, "%s", why.text);
}

static inline void
load_app(const char *source)
{
	load_app_for(source, false);
}

/* The application whose accept is `function(env) STATEMENTS end`. */
static inline void
load_accept(const char *statements)
{
	struct buf source = { 0 };

	buf_addf(&source, "local app = {}\nfunction app.accept(env)\n%s\nend\n"
	    "return app\n", statements);
	load_app(buf_string(&source));
	buf_free(&source);
}

/* What accept's statements make as the body of a response. */
static inline const char *
body_of(const char *statements)
{
	load_accept(statements);
	return serve_body();
}

/* What accept's statements make as a whole response. */
static inline const char *
response_of(const char *statements)
{
	load_accept(statements);
	return serve();
}

static inline void
assert_has(const char *response, const char *line)
{
	ck_assert_msg(strstr(response, line) != NULL, "\"%s\" is not in:\n%s",
	    line, response);
}

static inline void
assert_count(const char *line, int wanted)
{
	const char *p = client.out.data;
	int n = 0;

	for (; (p = strstr(p, line)) != NULL; p++)
		n++;
	ck_assert_int_eq(n, wanted);
}

/* Where the application gives no type. */
#define HTML "Content-Type: text/html; charset=utf-8\r\n"

#define NEUTRAL_500 "Status: 500 Internal Server Error\r\n" \
	"Content-Type: text/plain\r\nContent-Length: 22\r\n\r\n" \
	"Internal Server Error\n"

/* The statements fail: the client learns nothing, the log everything. */
static inline void
assert_fails(const char *statements, const char *reason)
{
	load_accept(statements);
	ck_assert_str_eq(serve(), NEUTRAL_500);
	ck_assert_int_eq(client.request.status, 500);
	ck_assert_int_eq(client.request.app_status, 0);
	assert_logged(reason);
	assert_logged(" error ");
}

#endif

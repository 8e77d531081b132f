/*
 * A measure that lua-fpm is held against: C on libfcgi's own accept loop,
 * pre-forked, nothing around it.
 *
 *   libfcgi SOCKET PROCESSES [SIZE | length]
 *
 * The answer is hello world; or a body of SIZE bytes; or how long the body of
 * the request was, which is read to its end.
 */

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcgiapp.h>

#include "prefork.h"

#define HEAD  "Status: 200 OK\r\nContent-Type: text/html\r\n\r\n"
#define HELLO "<h1>Hello</h1>\n"

static struct {
	char *text; /* head and body; NULL: the length is asked for */
	size_t len;
} answer;

static void
prepare(const char *body, size_t size)
{
	const size_t head = sizeof(HEAD) - 1;

	answer.len = head + size;
	if (size == 0 || (answer.text = malloc(answer.len)) == NULL)
		err(1, "a body of %zu bytes", size);
	memcpy(answer.text, HEAD, head);
	if (body != NULL)
		memcpy(answer.text + head, body, size);
	else
		memset(answer.text + head, 'x', size);
}

static void
put_length(FCGX_Request *request)
{
	static char bytes[65536];
	char text[sizeof(HEAD) + 20];
	size_t sum = 0;
	int n;

	while ((n = FCGX_GetStr(bytes, sizeof(bytes), request->in)) > 0)
		sum += (size_t)n;
	snprintf(text, sizeof(text), HEAD "%zu", sum);
	FCGX_PutS(text, request->out);
}

static void
serve(int listener)
{
	FCGX_Request request;

	FCGX_InitRequest(&request, listener, 0);
	while (FCGX_Accept_r(&request) == 0) {
		if (answer.text != NULL)
			FCGX_PutStr(answer.text, (int)answer.len, request.out);
		else
			put_length(&request);
		FCGX_Finish_r(&request);
	}
}

int
main(int argc, char **argv)
{
	int n;

	if (argc < 3 || argc > 4 || (n = atoi(argv[2])) < 1)
		errx(64, "usage: libfcgi socket processes [size | length]");
	if (argc == 3)
		prepare(HELLO, sizeof(HELLO) - 1);
	else if (strcmp(argv[3], "length") != 0)
		prepare(NULL, strtoul(argv[3], NULL, 10));
	if (FCGX_Init() != 0)
		errx(1, "FCGX_Init");
	prefork(argv[1], n, serve);
}

/*
 * The measure that lua-fpm is held against: hello world in C on libfcgi's own
 * accept loop, pre-forked, nothing around it.
 *
 *   hello SOCKET PROCESSES
 *
 * TERM ends all of them; so does the death of the parent.
 */

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <err.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fcgiapp.h>

static int
listen_at(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (strlen(path) >= sizeof(un.sun_path))
		errx(64, "%s: too long", path);
	strcpy(un.sun_path, path);
	if (fd == -1 ||
	    bind(fd, (const struct sockaddr *)&un, sizeof(un)) == -1 ||
	    chmod(path, 0666) == -1 || listen(fd, 511) == -1)
		err(1, "%s", path);
	return fd;
}

static _Noreturn void
serve(int listener)
{
	FCGX_Request request;

	FCGX_InitRequest(&request, listener, 0);
	while (FCGX_Accept_r(&request) == 0) {
		FCGX_PutS("Status: 200 OK\r\nContent-Type: text/html\r\n\r\n"
		    "<h1>Hello</h1>\n", request.out);
		FCGX_Finish_r(&request);
	}
	_exit(1);
}

int
main(int argc, char **argv)
{
	int i, n, listener;

	if (argc != 3 || (n = atoi(argv[2])) < 1)
		errx(64, "usage: hello socket processes");
	listener = listen_at(argv[1]);
	if (FCGX_Init() != 0)
		errx(1, "FCGX_Init");
	signal(SIGTERM, SIG_DFL);
	for (i = 0; i < n; i++)
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			serve(listener);
		}
	while (wait(NULL) > 0)
		continue;
	return 1;
}

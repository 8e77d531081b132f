#include "prefork.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <err.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

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

void
prefork(const char *path, int n, void (*serve)(int listener))
{
	int listener = listen_at(path);

	signal(SIGTERM, SIG_DFL);
	while (n-- > 0)
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			serve(listener);
			_exit(1);
		}
	while (wait(NULL) > 0)
		continue;
	_exit(1);
}

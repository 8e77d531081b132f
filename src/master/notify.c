#include "master/notify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define NOTIFY_TEXT 512 /* longest message */

static struct notify {
	struct sockaddr_un address;
	socklen_t len; /* 0: nobody listens */
} notify;

void
notify_init(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t n = path == NULL ? 0 : strlen(path);

	notify = (struct notify){ .address.sun_family = AF_UNIX };
	if (n > 1 && n < sizeof(notify.address.sun_path) &&
	    (path[0] == '/' || path[0] == '@')) {
		memcpy(notify.address.sun_path, path, n);
		/* An abstract name has no terminator: its length tells. */
		if (path[0] == '@')
			notify.address.sun_path[0] = '\0';
		notify.len = (socklen_t)(offsetof(struct sockaddr_un,
		    sun_path) + n + (path[0] == '/' ? 1 : 0));
	}
	unsetenv("NOTIFY_SOCKET");
}

void
notify_send(const char *fmt, ...)
{
	struct timeval limit = { .tv_sec = 1 }; /* a full queue may empty */
	char text[NOTIFY_TEXT];
	va_list ap;
	int fd;

	if (notify.len == 0)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if ((fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) == -1)
		return;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	sendto(fd, text, strlen(text), MSG_NOSIGNAL,
	    (struct sockaddr *)&notify.address, notify.len);
	close(fd);
}

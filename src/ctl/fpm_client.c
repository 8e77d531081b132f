#include "ctl/fpm_client.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

static int
reach(const char *path, struct why *why)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		why_set(why, "the path of the socket is too long: %s", path);
		return -1;
	}
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd != -1 && connect(fd, (struct sockaddr *)&address,
		sizeof(address)) == 0)
		return fd;
	why_set(why, "cannot reach lua-fpm at %s: %s", path, strerror(errno));
	if (fd != -1)
		close(fd);
	return -1;
}

/* Whoever turned us away may have answered without reading: its answer is
 * there all the same. */
static int
talk(int fd, const char *line, struct buf *all)
{
	ssize_t n = 0;
	char *room;

	send(fd, line, strlen(line), MSG_NOSIGNAL);
	while ((room = buf_reserve(all, 65536)) != NULL &&
	    (n = recv(fd, room, 65536, 0)) > 0)
		all->len += (size_t)n;
	if (room == NULL)
		errno = ENOMEM;
	return room == NULL || (n == -1 && errno != ECONNRESET) ? -1 : 0;
}

static bool
starts(const struct buf *all, const char *word)
{
	size_t n = strlen(word);

	return all->len >= n && memcmp(all->data, word, n) == 0;
}

int
fpm_ask(const char *socket, const char *line, struct fpm_answer *answer,
    struct why *why)
{
	int fd = reach(socket, why), result;

	*answer = (struct fpm_answer){ 0 };
	if (fd == -1)
		return -1;
	result = talk(fd, line, &answer->text);
	if (result == -1)
		why_set(why, "no answer from lua-fpm: %s", strerror(errno));
	close(fd);
	answer->good = starts(&answer->text, "ok\n");
	if (result == 0 && !answer->good && !starts(&answer->text, "failed\n")) {
		why_set(why, "lua-fpm went away without an answer");
		result = -1;
	}
	if (result == 0) {
		buf_consume(&answer->text, answer->good ? 3 : 7);
		buf_string(&answer->text);
	} else
		buf_free(&answer->text);
	return result;
}

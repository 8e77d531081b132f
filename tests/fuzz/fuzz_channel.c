/* What a worker takes from its channel: a log, a level, a status, or nothing;
 * no descriptor is left over. */

#include <sys/socket.h>

#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "fuzz.h"
#include "ipc/channel.h"

static int
lowest_free(void)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	close(fd);
	return fd;
}

/* The first byte says whether with a descriptor. */
FUZZ(channel)
{
	struct sink sinks[SINK_COUNT] = { [SINK_ACCESS] = { .out.fd = -1 },
		[SINK_SLOW] = { .out.fd = -1 } };
	int channel[2], fd = -1, status, unused = lowest_free();

	if (size == 0)
		return;
	must(fd_pair(channel) == 0);
	if (data[0] % 4 != 0)
		fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	must(fd_send(channel[0], fd, data + 1, size - 1) != -1);
	fd_close(&fd);
	if (channel_receive(channel[1], sinks, &status) == CHANNEL_STATUS)
		fd_close(&status);
	close(channel[0]);
	close(channel[1]);
	for (int i = 0; i < SINK_COUNT; i++)
		sink_close(&sinks[i]);
	must(lowest_free() == unused);
}

#include "ipc/channel.h"

#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "conf/conf_timer.h"

#define TAG_LEVEL  'E'
#define TAG_STATUS 'T'
#define TAG_ORDER  'B'
#define TAG_RUN    'R'
#define TAG_LIMITS 'L'
#define TAG_HEIR   'H'

static char timer[TIMER_NAME];

static int
send_message(int channel, int fd, const void *data, size_t n)
{
	return fd_send(channel, fd, data, n) == -1 ? -1 : 0;
}

int
channel_send_level(int channel, enum log_level level)
{
	const unsigned char data[] = { TAG_LEVEL, (unsigned char)level };

	return send_message(channel, -1, data, sizeof(data));
}

int
channel_send_status(int channel, int memory)
{
	return send_message(channel, memory, (char[]){ TAG_STATUS }, 1);
}

int
channel_send_limits(int channel, int memory)
{
	return send_message(channel, memory, (char[]){ TAG_LIMITS }, 1);
}

int
channel_send_heir(int channel, int pair)
{
	return send_message(channel, pair, (char[]){ TAG_HEIR }, 1);
}

int
channel_send_order(int channel, char order)
{
	return send_message(channel, -1, (char[]){ TAG_ORDER, order }, 2);
}

int
channel_send_run(int channel, const char *name)
{
	char data[1 + TIMER_NAME] = { TAG_RUN };
	size_t n = strnlen(name, TIMER_NAME - 1);

	memcpy(data + 1, name, n);
	return send_message(channel, -1, data, 1 + n);
}

/* A name that is none is an unknown message. */
static bool
take_timer(const unsigned char *data, size_t n)
{
	char name[TIMER_NAME] = "";

	if (n > sizeof(name) || memchr(data + 1, '\0', n - 1) != NULL)
		return false;
	memcpy(name, data + 1, n - 1);
	if (!conf_timer_is_name(name))
		return false;
	memcpy(timer, name, sizeof(timer));
	return true;
}

const char *
channel_timer(void)
{
	return timer;
}

static enum channel_message
take(const unsigned char *data, size_t n, int fd,
    struct sink sinks[SINK_COUNT], int *told)
{
	if (data[0] == TAG_LEVEL && n > 1 && data[1] <= LEVEL_ALERT) {
		fd_close(&fd);
		log_set_level((enum log_level)data[1]);
		return CHANNEL_LEVEL;
	}
	if (data[0] == TAG_STATUS) {
		*told = fd;
		return CHANNEL_STATUS;
	}
	if (data[0] == TAG_LIMITS) {
		*told = fd;
		return CHANNEL_LIMITS;
	}
	if (data[0] == TAG_HEIR) {
		*told = fd;
		return CHANNEL_HEIR;
	}
	if (data[0] == TAG_ORDER && n > 1) {
		fd_close(&fd);
		*told = data[1];
		return CHANNEL_ORDER;
	}
	if (data[0] == TAG_RUN && take_timer(data, n)) {
		fd_close(&fd);
		return CHANNEL_RUN;
	}
	if (sink_take(sinks, fd, data, n))
		return CHANNEL_LOG;
	fd_close(&fd);
	return CHANNEL_OTHER;
}

enum channel_message
channel_receive(int channel, struct sink sinks[SINK_COUNT], int *told)
{
	unsigned char data[1 + TIMER_NAME];
	int fd;
	long n = fd_receive(channel, &fd, data, sizeof(data));

	*told = -1;
	if (n > 0)
		return take(data, (size_t)n, fd, sinks, told);
	fd_close(&fd);
	if (n == 0)
		return CHANNEL_CLOSED;
	if (errno == EAGAIN)
		return CHANNEL_EMPTY;
	if (errno != EMFILE)
		return CHANNEL_CLOSED;
	log_error("cannot take over a descriptor from the master: %s",
	    strerror(errno));
	return CHANNEL_OTHER;
}

#include <unistd.h>

#include "hub/hub_impl.h"

int
hub_watch(struct hub *hub, struct hub_watch *watch, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	return epoll_ctl(hub->epoll, EPOLL_CTL_ADD, fd, &event);
}

int
hub_rewatch(struct hub *hub, struct hub_watch *watch, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	return epoll_ctl(hub->epoll, EPOLL_CTL_MOD, fd, &event);
}

void
hub_ignore(struct hub *hub, int fd)
{
	epoll_ctl(hub->epoll, EPOLL_CTL_DEL, fd, NULL);
}

void
hub_unwatch(struct hub *hub, int fd)
{
	hub_ignore(hub, fd);
	close(fd);
}

#include "ipc/inherit.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"

#define FIRST 3 /* SD_LISTEN_FDS_START */
#define MOST  1024

static struct {
	int n;
	char *names; /* separated by colons; NULL: no names */
} self;

static int64_t
number(const char *variable, int64_t max)
{
	const char *text = getenv(variable);
	int64_t value;

	if (text == NULL || num_integer(text, 0, max, &value) == -1)
		return 0;
	return value;
}

void
inherit_revoke(void)
{
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

void
inherit_init(void)
{
	const char *names = getenv("LISTEN_FDNAMES");

	if (number("LISTEN_PID", INT32_MAX) == getpid())
		self.n = (int)number("LISTEN_FDS", MOST);
	if (names != NULL)
		self.names = strdup(names);
	for (int i = 0; i < self.n; i++)
		fd_cloexec(FIRST + i, true);
	inherit_revoke();
}

int
inherit_find(const char *name)
{
	const char *at = self.names;
	size_t len = strlen(name), part;
	int found = -1;

	for (int i = 0; i < self.n && at != NULL; i++) {
		part = strcspn(at, ":");
		if (part == len && memcmp(at, name, len) == 0)
			found = found == -1 ? FIRST + i : -2;
		at = at[part] == ':' ? at + part + 1 : NULL;
	}
	return found;
}

void
inherit_leave(void)
{
	char number[16];

	if (self.n == 0)
		return;
	for (int i = 0; i < self.n; i++)
		fd_cloexec(FIRST + i, false);
	snprintf(number, sizeof(number), "%ld", (long)getpid());
	setenv("LISTEN_PID", number, 1);
	snprintf(number, sizeof(number), "%d", self.n);
	setenv("LISTEN_FDS", number, 1);
	if (self.names != NULL)
		setenv("LISTEN_FDNAMES", self.names, 1);
}

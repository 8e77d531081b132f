#include "base/image.h"

#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"

#define VARIABLE  "LUA_FPM_ORDERS"
#define KEPT_MOST 64

extern char **environ;

static int image = -1;

int
image_open(void)
{
	image = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	return image == -1 ? -1 : 0;
}

/* ---- becoming ------------------------------------------------------------ */

/* A variable that applied to this image applies to the same image again. */
static bool
is_for_the_image(const char *variable)
{
	static const char *const beginnings[] = { "LD_", "MALLOC_",
		"GLIBC_TUNABLES=", "ASAN_OPTIONS=", "UBSAN_OPTIONS=",
		"LSAN_OPTIONS=" };

	for (size_t i = 0; i < sizeof(beginnings) / sizeof(*beginnings); i++)
		if (strncmp(variable, beginnings[i], strlen(beginnings[i])) ==
		    0)
			return true;
	return false;
}

static _Noreturn void
fail(const char *what)
{
	dprintf(STDERR_FILENO, "cannot become a process of its own: %s: %s\n",
	    what, strerror(errno));
	_exit(EX_OSERR);
}

static int
keep_standard(void)
{
	return close_range(STDERR_FILENO + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC);
}

static void
execute(char *const *argv, char *const *variables)
{
	syscall(SYS_execveat, image, "", argv, variables, AT_EMPTY_PATH);
}

/* Mark every descriptor close-on-exec but 0 to 2, fds and orders. */
static void
keep(int orders, const int *fds, size_t n)
{
	if (keep_standard() == -1)
		fail("close_range");
	for (size_t i = 0; i < n; i++)
		if (fds[i] != -1 && fd_cloexec(fds[i], false) == -1)
			fail("fcntl");
	if (fd_cloexec(orders, false) == -1)
		fail("fcntl");
}

void
image_become(const char *title, int orders, const int *fds, size_t n)
{
	char variable[sizeof(VARIABLE) + 16];
	char *argv[] = { (char *)(uintptr_t)title, NULL };
	char *kept[KEPT_MOST + 2];
	size_t nkept = 0;

	for (char **v = environ; v != NULL && *v != NULL; v++)
		if (nkept < KEPT_MOST && is_for_the_image(*v))
			kept[nkept++] = *v;
	snprintf(variable, sizeof(variable), VARIABLE "=%d", orders);
	kept[nkept++] = variable;
	kept[nkept] = NULL;
	keep(orders, fds, n);
	execute(argv, kept);
	fail("execveat");
}

void
image_again(char *const *argv, char *const *variables)
{
	if (keep_standard() == 0)
		execute(argv, variables);
}

bool
image_orders(int *orders)
{
	const char *text = getenv(VARIABLE);
	int64_t fd = -1;

	if (text == NULL)
		return false;
	num_integer(text, STDERR_FILENO + 1, INT_MAX, &fd);
	unsetenv(VARIABLE);
	*orders = (int)fd;
	return true;
}

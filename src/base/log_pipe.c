#include "base/log_pipe.h"

#include <sys/stat.h>

#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

static struct {
	bool kept;
	int own;
	dev_t device;
	ino_t inode;
} self;

void
log_pipe_keep(void)
{
	struct stat st;

	if (fstat(STDERR_FILENO, &st) == -1)
		return;
	self.own = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	self.device = st.st_dev;
	self.inode = st.st_ino;
	self.kept = true;
}

static bool
is_pipe(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_dev == self.device &&
	    st.st_ino == self.inode;
}

int
log_pipe(void)
{
	const int fds[] = { self.own, STDERR_FILENO, STDOUT_FILENO };

	if (!self.kept)
		return STDERR_FILENO;
	for (unsigned i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (is_pipe(fds[i]))
			return fds[i];
	return -1;
}

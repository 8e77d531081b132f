#include "base/sealed.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"

#define SEALS_SIZE (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define SEALS	   (SEALS_SIZE | F_SEAL_WRITE)

/* Other seals may be set: some kernels add F_SEAL_EXEC (vm.memfd_noexec). */
static bool
has_seals(int fd, int wanted)
{
	int seals = fcntl(fd, F_GET_SEALS);

	return seals != -1 && (seals & wanted) == wanted;
}

int
sealed_make(const char *name, const struct buf *text)
{
	int fd;

	if (text->failed) {
		errno = ENOMEM;
		return -1;
	}
	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd != -1 && (fd_write_all(fd, text->data, text->len) == -1 ||
	    fcntl(fd, F_ADD_SEALS, SEALS) == -1))
		fd_close(&fd);
	return fd;
}

int
sealed_read(int fd, struct buf *text)
{
	struct stat st;
	char *room;
	size_t size;

	if (!has_seals(fd, SEALS) || fstat(fd, &st) == -1 || st.st_size == 0) {
		errno = EPROTO;
		return -1;
	}
	size = (size_t)st.st_size;
	room = buf_reserve(text, size);
	if (room == NULL || pread(fd, room, size, 0) != st.st_size)
		return -1;
	text->len += size;
	return 0;
}

int
sealed_room(const char *name, size_t size)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd != -1 && (ftruncate(fd, (off_t)size) == -1 ||
	    fcntl(fd, F_ADD_SEALS, SEALS_SIZE) == -1))
		fd_close(&fd);
	return fd;
}

bool
sealed_is_room(int fd, size_t size)
{
	struct stat st;

	return has_seals(fd, SEALS_SIZE) && fstat(fd, &st) == 0 &&
	    st.st_size == (off_t)size;
}

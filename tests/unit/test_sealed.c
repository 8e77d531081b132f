#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sealed.h"

#include "unit.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

static const char text[] = "what is told";

/* A memfd with the text, and with those seals. */
static int
memory(unsigned flags, int seals)
{
	int fd = memfd_create("test", flags | MFD_ALLOW_SEALING);

	if (fd == -1)
		return -1;
	ck_assert_int_eq(fd_write_all(fd, text, sizeof(text)), 0);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void
check_read(int fd, int result)
{
	struct buf got = { 0 };

	errno = 0;
	ck_assert_int_eq(sealed_read(fd, &got), result);
	if (result == 0) {
		ck_assert_uint_eq(got.len, sizeof(text));
		ck_assert_mem_eq(got.data, text, sizeof(text));
	} else {
		ck_assert_int_eq(errno, EPROTO);
		ck_assert_uint_eq(got.len, 0);
	}
	buf_free(&got);
}

START_TEST(what_is_made_is_read)
{
	struct buf b = { 0 };
	int fd;

	buf_add(&b, text, sizeof(text));
	fd = sealed_make("test", &b);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	check_read(fd, 0);
	check_read(fd, 0); /* it is not used up */
	ck_assert_int_eq(pwrite(fd, "x", 1, 0), -1);
	ck_assert_int_eq(ftruncate(fd, 1), -1);
	ck_assert_int_eq(ftruncate(fd, 1000), -1);
	close(fd);
	b.failed = true;
	ck_assert_int_eq(sealed_make("test", &b), -1);
	ck_assert_int_eq(errno, ENOMEM);
	buf_free(&b);
}
END_TEST

/* Whatever else is read by nobody. */
START_TEST(nothing_else_is_read)
{
	static const int all[] = { F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE,
		F_SEAL_SEAL };
	int fds[2], empty = memfd_create("test", MFD_ALLOW_SEALING), fd;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		fd = memory(0, SEALS & ~all[i]);
		check_read(fd, -1);
		close(fd);
	}
	ck_assert_int_eq(fcntl(empty, F_ADD_SEALS, SEALS), 0);
	check_read(empty, -1);
	ck_assert_int_eq(fd_pair(fds), 0);
	ck_assert_int_eq(write(fds[1], text, sizeof(text)), sizeof(text));
	check_read(fds[0], -1);
	fd = open("/proc/self/exe", O_RDONLY);
	check_read(fd, -1);
	close(fd);
	check_read(fd, -1);
	check_read(-1, -1);
}
END_TEST

/* As the kernel makes it by itself where vm.memfd_noexec says so. */
START_TEST(a_seal_more_does_not_matter)
{
	int fd = memory(MFD_NOEXEC_SEAL, SEALS);

	if (fd != -1) /* Linux 6.3 */
		check_read(fd, 0);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("sealed");
	TCase *t = tcase_create("sealed");

	tcase_add_test(t, what_is_made_is_read);
	tcase_add_test(t, nothing_else_is_read);
	tcase_add_test(t, a_seal_more_does_not_matter);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

/* Files of uploads where a file system, or a chroot without /proc, knows less. */

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"
#include "worker/lua/lib/upload.h"

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_linkat(int from, const char *path, int to, const char *name,
    int flags);
int __wrap_linkat(int from, const char *path, int to, const char *name,
    int flags);
int __real_fsync(int fd);
int __wrap_fsync(int fd);

static struct {
	char dir[32], name[48];
	int no_unnamed; /* errno of O_TMPFILE, 0: it works */
	int no_link;	/* errno of linkat(2) from there */
	int links;	/* that fail, -1: all */
	int no_sync;
	int syncs;
} scene;

int
__wrap_open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = (mode_t)va_arg(ap, int);
	va_end(ap);
	if ((flags & O_TMPFILE) == O_TMPFILE && scene.no_unnamed != 0) {
		errno = scene.no_unnamed;
		return -1;
	}
	return __real_open(path, flags, mode);
}

int
__wrap_linkat(int from, const char *path, int to, const char *name, int flags)
{
	if (scene.no_link != 0 && scene.links-- != 0) {
		errno = scene.no_link;
		return -1;
	}
	return __real_linkat(from, path, to, name, flags);
}

int
__wrap_fsync(int fd)
{
	scene.syncs++;
	errno = scene.no_sync;
	return scene.no_sync != 0 ? -1 : __real_fsync(fd);
}

static void
setup(void)
{
	memset(&scene, 0, sizeof(scene));
	scene.links = -1;
	strcpy(scene.dir, "/tmp/lua-fpm-upload.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(scene.dir));
	snprintf(scene.name, sizeof(scene.name), "%s/name", scene.dir);
	umask(027);
}

/* There is nothing in the directory. */
static void
assert_empty(void)
{
	ck_assert_int_eq(rmdir(scene.dir), 0);
	ck_assert_int_eq(mkdir(scene.dir, 0700), 0);
}

static void
teardown(void)
{
	unlink(scene.name);
	ck_assert_int_eq(rmdir(scene.dir), 0);
}

static int
begin(const char *text)
{
	int fd = upload_open(scene.dir);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_empty();
	ck_assert_int_eq(write(fd, text, strlen(text)), (int)strlen(text));
	return fd;
}

static void
assert_moved(int fd, const char *text)
{
	char got[64] = "";
	struct stat st;
	int copy;

	ck_assert_int_eq(upload_move(fd, scene.name), 0);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), (int)strlen(text));
	ck_assert_int_ge(copy = open(scene.name, O_RDONLY), 0);
	ck_assert_int_eq(read(copy, got, sizeof(got)), (int)strlen(text));
	ck_assert_str_eq(got, text);
	ck_assert_int_eq(fstat(copy, &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0640);
	close(copy);
	close(fd);
}

START_TEST(is_linked)
{
	assert_moved(begin("one"), "one");
	ck_assert_int_eq(scene.syncs, 0);
	ck_assert_int_eq(unlink(scene.name), 0);
	assert_empty();
}
END_TEST

START_TEST(replaces)
{
	int fd = begin("two");

	assert_moved(begin("one"), "one");
	assert_moved(fd, "two");
}
END_TEST

START_TEST(has_a_name_for_a_moment)
{
	static const int errors[] = { EOPNOTSUPP, EISDIR, EINVAL };

	for (size_t i = 0; i < 3; i++) {
		scene.no_unnamed = errors[i];
		assert_moved(begin("one"), "one"); /* its first name is gone */
		ck_assert_int_eq(unlink(scene.name), 0);
	}
	scene.no_unnamed = EACCES;
	ck_assert_int_eq(upload_open(scene.dir), -1);
	ck_assert_int_eq(errno, EACCES);
}
END_TEST

/* The copy is linked. */
START_TEST(is_copied_to_another_file_system)
{
	int fd = begin("one");

	scene.no_link = EXDEV;
	scene.links = 1;
	assert_moved(fd, "one");
	ck_assert_int_eq(scene.syncs, 1);
}
END_TEST

START_TEST(is_copied_where_nothing_is_linked)
{
	static const int errors[] = { EXDEV, ENOENT, EPERM, EOPNOTSUPP,
		EMLINK };

	for (size_t i = 0; i < 5; i++) {
		int fd = begin("one");

		scene.no_link = errors[i];
		scene.syncs = 0;
		assert_moved(fd, "one");
		ck_assert_int_ge(scene.syncs, 1);
		ck_assert_int_eq(unlink(scene.name), 0);
	}
}
END_TEST

START_TEST(leaves_nothing_where_it_fails)
{
	int fd = begin("one");

	ck_assert_int_eq(upload_move(fd, "/proc/none/x"), -1);
	ck_assert_int_eq(upload_move(fd, scene.dir), -1);
	scene.no_link = EXDEV;
	scene.no_sync = ENOSPC;
	ck_assert_int_eq(upload_move(fd, scene.name), -1);
	ck_assert_int_eq(errno, ENOSPC);
	assert_empty();
	scene.no_sync = 0;
	ck_assert_int_eq(mkdir(scene.name, 0700), 0);
	ck_assert_int_eq(upload_move(fd, scene.name), -1);
	ck_assert_int_eq(errno, EISDIR);
	ck_assert_int_eq(rmdir(scene.name), 0);
	assert_empty();
	scene.no_link = EACCES;
	ck_assert_int_eq(upload_move(fd, scene.name), -1);
	ck_assert_int_eq(errno, EACCES);
	close(fd);
}
END_TEST

START_TEST(names_may_be_relative_and_long)
{
	char path[5000];
	int fd = begin("one"), cwd = open(".", O_RDONLY | O_DIRECTORY);

	ck_assert_int_eq(chdir(scene.dir), 0);
	ck_assert_int_eq(upload_move(fd, "name"), 0);
	ck_assert_int_eq(access("name", F_OK), 0);
	ck_assert_int_eq(fchdir(cwd), 0);
	close(cwd);
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	ck_assert_int_eq(upload_move(fd, path), -1);
	ck_assert_int_eq(errno, ENAMETOOLONG);
	path[4998] = '/';
	ck_assert_int_eq(upload_move(fd, path), -1);
	ck_assert_int_eq(errno, ENAMETOOLONG);
	ck_assert_int_eq(upload_open(path), -1);
	close(fd);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("upload");
	TCase *tc = tcase_create("files");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, is_linked);
	tcase_add_test(tc, replaces);
	tcase_add_test(tc, has_a_name_for_a_moment);
	tcase_add_test(tc, is_copied_to_another_file_system);
	tcase_add_test(tc, is_copied_where_nothing_is_linked);
	tcase_add_test(tc, leaves_nothing_where_it_fails);
	tcase_add_test(tc, names_may_be_relative_and_long);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}

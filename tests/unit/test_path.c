/* Paths on which somebody else may have laid something. */

#include "unit.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"

#define USER 65534 /* who must not choose what we open */

static char directory[64];
static struct why why;

/* "ours" is ours alone, "theirs" is a user's, "sticky" is everybody's. */
static void
setup(void)
{
	umask(022);
	strcpy(directory, "/tmp/lua-fpm-path.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_eq(chmod(directory, 0755), 0);
	ck_assert_int_eq(chdir(directory), 0);
	ck_assert_int_eq(mkdir("ours", 0755), 0);
	ck_assert_int_eq(mkdir("theirs", 0755), 0);
	ck_assert_int_eq(mkdir("sticky", 0755), 0);
	ck_assert_int_eq(chmod("sticky", 01777), 0);
	if (geteuid() == 0)
		ck_assert_int_eq(chown("theirs", USER, USER), 0);
	else
		ck_assert_int_eq(chmod("theirs", 0777), 0);
}

static void
teardown(void)
{
	char command[80];

	snprintf(command, sizeof(command), "rm -r %s", directory);
	ck_assert_int_eq(system(command), 0);
}

static void
make(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	ck_assert_int_ne(fd, -1);
	close(fd);
}

/* A link of that user; without rights all links are ours. */
static void
link_to(const char *target, const char *path, uid_t owner)
{
	ck_assert_int_eq(symlink(target, path), 0);
	if (geteuid() == 0)
		ck_assert_int_eq(lchown(path, owner, owner), 0);
}

static off_t
size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == -1 ? -1 : st.st_size;
}

static void
opens(const char *path, const char *file)
{
	off_t before = size_of(file);
	int fd = path_open_log(path, &why);

	ck_assert_msg(fd > STDERR_FILENO, "%s: %s", path, why.text);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(write(fd, "x", 1), 1);
	ck_assert_int_eq(size_of(file), before == -1 ? 1 : before + 1);
	close(fd);
	ck_assert_int_ne(path_try_log(path, (uid_t)-1, &why), -1);
}

/* With that reason, by -t as well; and nothing is made. */
static void
refuses(const char *path, const char *reason)
{
	ck_assert_msg(path_open_log(path, &why) == -1, "%s", path);
	ck_assert_msg(strstr(why.text, reason) != NULL, "%s", why.text);
	why.text[0] = '\0';
	ck_assert_msg(path_try_log(path, (uid_t)-1, &why) == -1, "%s", path);
	ck_assert_msg(strstr(why.text, reason) != NULL, "%s", why.text);
}

START_TEST(a_log_is_made_and_appended_to)
{
	char absolute[96];
	struct stat st;

	opens("ours/log", "ours/log");
	opens(".//ours/../ours/log", "ours/log");
	snprintf(absolute, sizeof(absolute), "%s/ours/log", directory);
	opens(absolute, "ours/log");
	ck_assert_int_eq(stat("ours/log", &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0640);
	opens("log", "log");
}
END_TEST

START_TEST(says_why_it_cannot)
{
	char path[PATH_MAX + 10];

	refuses("none/log", strerror(ENOENT));
	refuses("", strerror(ENOENT));
	refuses("/", strerror(EISDIR));
	refuses("ours", strerror(EISDIR));
	refuses("ours/..", strerror(EISDIR));
	refuses("log/", strerror(EISDIR));
	make("file");
	refuses("file/log", strerror(ENOTDIR));
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	refuses(path, strerror(ENAMETOOLONG));
	path[NAME_MAX + 1] = '\0';
	refuses(path, strerror(ENAMETOOLONG));
}
END_TEST

/* As they stand in /var/log. */
START_TEST(our_own_links_are_followed)
{
	char absolute[96];

	snprintf(absolute, sizeof(absolute), "%s/ours", directory);
	link_to("ours", "relative", 0);
	link_to(absolute, "absolute", 0);
	link_to("relative/../absolute/one", "last", 0);
	opens("relative/one", "ours/one");
	opens("absolute/one", "ours/one");
	opens("last", "ours/one");
	link_to("ours/made", "dangling", 0);
	opens("dangling", "ours/made");
	link_to("loop", "loop", 0);
	refuses("loop", strerror(ELOOP));
	refuses("loop/log", strerror(ELOOP));
}
END_TEST

START_TEST(links_of_others_are_not)
{
	make("precious");
	ck_assert_int_eq(mkdir("secret", 0700), 0);
	link_to("../precious", "theirs/log", USER);
	link_to("../secret", "theirs/logs", USER);
	refuses("theirs/log", "log is a symbolic link ");
	refuses("theirs/logs/log", "logs is a symbolic link ");
	link_to("../secret", "sticky/logs", USER);
	refuses("sticky/logs/log", "logs is a symbolic link ");
	/* ours, but they could have laid it there */
	link_to("../precious", "theirs/ours", 0);
	refuses("theirs/ours", "where others may write");
	link_to("../precious", "sticky/ours", 0);
	refuses("sticky/ours", "where others may write");
	ck_assert_int_eq(mkdir("theirs/inner", 0755), 0);
	link_to("../../precious", "theirs/inner/log", 0);
	refuses("theirs/inner/log", "where others may write");
	ck_assert_int_eq(size_of("precious"), 0);
	ck_assert_int_eq(size_of("secret/log"), -1);
}
END_TEST

START_TEST(a_users_link_counts_for_little_anywhere)
{
	if (geteuid() != 0)
		return;
	make("precious");
	link_to("precious", "log", USER);
	refuses("log", "log is a symbolic link of another user");
	ck_assert_int_eq(chown("ours", 0, USER), 0);
	ck_assert_int_eq(chmod("ours", 0775), 0);
	link_to("../precious", "ours/log", 0);
	refuses("ours/log", "where others may write");
	ck_assert_int_eq(size_of("precious"), 0);
}
END_TEST

/* A directory of the pool's user is a usual place for its logs. */
START_TEST(files_in_their_directory_are_opened)
{
	opens("theirs/log", "theirs/log");
	opens("sticky/log", "sticky/log");
	ck_assert_int_eq(mkdir("theirs/logs", 0755), 0);
	opens("theirs/logs/log", "theirs/logs/log");
}
END_TEST

START_TEST(hard_links_are_refused_where_others_write)
{
	make("precious");
	ck_assert_int_eq(link("precious", "theirs/log"), 0);
	refuses("theirs/log", "hard links");
	ck_assert_int_eq(link("precious", "sticky/log"), 0);
	refuses("sticky/log", "hard links");
	ck_assert_int_eq(size_of("precious"), 0);
	ck_assert_int_eq(link("precious", "ours/log"), 0);
	opens("ours/log", "precious");
}
END_TEST

START_TEST(a_fifo_is_not_waited_for)
{
	char byte;
	int fd, reader;

	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	ck_assert_int_eq(path_open_log("fifo", &why), -1);
	ck_assert_str_eq(why.text, "it is a FIFO that nobody reads");
	ck_assert_int_eq(path_try_log("fifo", (uid_t)-1, &why), 0);
	reader = open("fifo", O_RDONLY | O_NONBLOCK);
	fd = path_open_log("fifo", &why);
	ck_assert_int_ne(fd, -1);
	ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
	close(fd);
	ck_assert_int_eq(read(reader, &byte, 1), 0);
	close(reader);
}
END_TEST

/* Its reader would take the end of a trial for that of the daemon. */
START_TEST(a_trial_is_not_seen_by_who_reads_a_fifo)
{
	char byte;
	int reader, writer;

	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	reader = open("fifo", O_RDONLY | O_NONBLOCK);
	ck_assert_int_eq(path_try_log("fifo", (uid_t)-1, &why), 0);
	writer = open("fifo", O_WRONLY | O_NONBLOCK);
	ck_assert_int_eq(write(writer, "x", 1), 1);
	ck_assert_int_eq(read(reader, &byte, 1), 1);
	close(reader);
	close(writer);
}
END_TEST

START_TEST(sockets_are_no_logs)
{
	struct sockaddr_un address = { AF_UNIX, "socket" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address,
	    sizeof(address)), 0);
	refuses("socket", "it is a socket");
	close(fd);
}
END_TEST

START_TEST(a_device_for_characters_is_one)
{
	int fd = path_open_log("/dev/full", &why);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, "x", 1), -1);
	close(fd);
	if (mknod("disk", S_IFBLK | 0600, makedev(7, 255)) == 0)
		ck_assert_int_eq(path_open_log("disk", &why), -1);
}
END_TEST

START_TEST(descriptors_have_names)
{
	int file = open("file", O_WRONLY | O_CREAT | O_APPEND, 0600);
	int saved = dup(STDERR_FILENO), in;
	char name[40];

	ck_assert_int_eq(dup2(file, STDERR_FILENO), STDERR_FILENO);
	opens("/dev/stderr", "file");
	opens("/dev/fd/2", "file");
	snprintf(name, sizeof(name), "/proc/self/fd/%d", file);
	opens(name, "file");
	/* as images of containers have it */
	link_to("/dev/stderr", "log", 0);
	opens("log", "file");
	dup2(saved, STDERR_FILENO);
	refuses("/proc/self/fd/999", strerror(EBADF));
	in = open("file", O_RDONLY);
	snprintf(name, sizeof(name), "/dev/fd/%d", in);
	refuses(name, "not open for writing");
	link_to("/dev/stderr", "theirs/log", USER);
	refuses("theirs/log", "is a symbolic link ");
}
END_TEST

/* They are not opened by a path that may be forbidden, or a link. */
START_TEST(a_socket_can_be_stderr)
{
	int ends[2], fd;
	char byte;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	dup2(ends[0], STDIN_FILENO);
	fd = path_open_log("/dev/stdin", &why);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, "x", 1), 1);
	ck_assert_int_eq(read(ends[1], &byte, 1), 1);
	close(fd);
}
END_TEST

START_TEST(a_trial_makes_nothing_and_warns)
{
	uid_t user = geteuid() == 0 ? USER : (uid_t)-1;

	ck_assert_int_eq(path_try_log("ours/log", (uid_t)-1, &why), 0);
	ck_assert_int_eq(path_try_log("theirs/log", (uid_t)-1, &why), 1);
	ck_assert_int_eq(path_try_log("sticky/log", user, &why), 1);
	if (geteuid() == 0)
		ck_assert_int_eq(path_try_log("theirs/log", user, &why), 0);
	ck_assert_int_eq(mkdir("theirs/inner", 0755), 0);
	ck_assert_int_eq(path_try_log("theirs/inner/log", (uid_t)-1, &why), 1);
	ck_assert_int_eq(mkdir("sticky/inner", 0755), 0);
	ck_assert_int_eq(path_try_log("sticky/inner/log", (uid_t)-1, &why), 0);
	ck_assert_int_eq(size_of("ours/log"), -1);
	ck_assert_int_eq(size_of("theirs/log"), -1);
	ck_assert_int_eq(size_of("sticky/inner/log"), -1);
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(USER), 0);
	else
		ck_assert_int_eq(chmod("ours", 0555), 0);
	ck_assert_int_eq(path_try_log("ours/log", (uid_t)-1, &why), -1);
	ck_assert_str_eq(why.text, strerror(EACCES));
	ck_assert_int_eq(seteuid(getuid()), 0);
	chmod("ours", 0755);
}
END_TEST

START_TEST(the_directory_of_a_last_name)
{
	char name[NAME_MAX + 1];
	struct stat st, want;
	int fd;

	link_to("nothing", "ours/pid", 0);
	fd = path_parent("ours/pid", name, &why);
	ck_assert_int_ne(fd, -1);
	ck_assert_str_eq(name, "pid");
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(stat("ours", &want), 0);
	ck_assert_uint_eq(st.st_ino, want.st_ino);
	close(fd);
	link_to("../ours", "theirs/run", USER);
	ck_assert_int_eq(path_parent("theirs/run/pid", name, &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "run is a symbolic link "));
	ck_assert_int_eq(path_parent("/dev/stdout", name, &why), -1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("path");
	TCase *tc = tcase_create("path");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_log_is_made_and_appended_to);
	tcase_add_test(tc, says_why_it_cannot);
	tcase_add_test(tc, our_own_links_are_followed);
	tcase_add_test(tc, links_of_others_are_not);
	tcase_add_test(tc, a_users_link_counts_for_little_anywhere);
	tcase_add_test(tc, files_in_their_directory_are_opened);
	tcase_add_test(tc, hard_links_are_refused_where_others_write);
	tcase_add_test(tc, a_fifo_is_not_waited_for);
	tcase_add_test(tc, a_trial_is_not_seen_by_who_reads_a_fifo);
	tcase_add_test(tc, sockets_are_no_logs);
	tcase_add_test(tc, a_device_for_characters_is_one);
	tcase_add_test(tc, descriptors_have_names);
	tcase_add_test(tc, a_socket_can_be_stderr);
	tcase_add_test(tc, a_trial_makes_nothing_and_warns);
	tcase_add_test(tc, the_directory_of_a_last_name);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}

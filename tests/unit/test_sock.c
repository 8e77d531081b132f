#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/sock.h"
#include "net/sock_try.h"

#include "unit.h"

/* What somebody else does in the moment after bind(2). */
static void (*after_bind)(void);

int __real_bind(int fd, const struct sockaddr *to, socklen_t len);
int __wrap_bind(int fd, const struct sockaddr *to, socklen_t len);

int
__wrap_bind(int fd, const struct sockaddr *to, socklen_t len)
{
	int result = __real_bind(fd, to, len);

	if (after_bind != NULL)
		after_bind();
	return result;
}

static const struct sock_options plain = {
	.backlog = 16, .owner = (uid_t)-1, .group = (gid_t)-1, .mode = 0600
};
static char directory[64], path[96];
static struct sock_address address;
static struct why why;

static void
setup(void)
{
	strcpy(directory, "/tmp/lua-fpm-sock.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/www.sock", directory);
	ck_assert_int_eq(sock_parse(path, &address, &why), 0);
}

/* Whatever happened: beside the path nothing is left. */
static void
teardown(void)
{
	unlink(path);
	ck_assert_int_eq(rmdir(directory), 0);
}

/* ---- addresses ---------------------------------------------------------- */

START_TEST(reads_addresses)
{
	struct sock_address a;

	ck_assert_int_eq(sock_parse("./x.sock", &a, &why), 0);
	ck_assert_int_eq(a.kind, SOCK_UNIX);
	ck_assert_str_eq(a.sa.un.sun_path, "./x.sock");
	ck_assert_int_eq(sock_parse("127.0.0.1:9000", &a, &why), 0);
	ck_assert_int_eq(a.kind, SOCK_INET);
	ck_assert_int_eq(a.sa.in.sin_family, AF_INET);
	ck_assert_uint_eq(ntohs(a.sa.in.sin_port), 9000);
	ck_assert_uint_eq(ntohl(a.sa.in.sin_addr.s_addr), INADDR_LOOPBACK);
	ck_assert_int_eq(sock_parse("*:1", &a, &why), 0);
	ck_assert_uint_eq(a.sa.in.sin_addr.s_addr, INADDR_ANY);
	ck_assert_int_eq(sock_parse("[::1]:65535", &a, &why), 0);
	ck_assert_int_eq(a.sa.in6.sin6_family, AF_INET6);
	ck_assert_uint_eq(ntohs(a.sa.in6.sin6_port), 65535);
	ck_assert_mem_eq(&a.sa.in6.sin6_addr, &in6addr_loopback, 16);
	ck_assert_int_eq(sock_parse("fd:3", &a, &why), 0);
	ck_assert_int_eq(a.kind, SOCK_FD);
	ck_assert_int_eq(a.fd, 3);
}
END_TEST

START_TEST(reads_protocols)
{
	static const char *const places[] = { "./x.sock", "/x.sock",
		"127.0.0.1:8080", "*:8080", "[::1]:8080", "fd:3",
		"systemd:www" };
	struct sock_address a, b;
	char text[64];

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		snprintf(text, sizeof(text), "http:%s", places[i]);
		ck_assert_int_eq(sock_parse(places[i], &a, &why), 0);
		ck_assert_int_eq(a.protocol, SOCK_FCGI);
		ck_assert_int_eq(sock_parse(text, &b, &why), 0);
		ck_assert_int_eq(b.protocol, SOCK_HTTP);
		ck_assert(sock_same(&a, &b));
		ck_assert(sock_overlap(&a, &b));
		ck_assert_str_eq(sock_place(text), places[i]);
		ck_assert_str_eq(sock_place(places[i]), places[i]);
	}
}
END_TEST

START_TEST(refuses_what_is_no_address)
{
	static const char *const wrong[] = { "", "9000", ":9000", "x.sock",
		"localhost:9000", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0",
		"127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:9000x",
		"127.0.0.256:9000", "::1:9000", "[::1]", "[::1]9000",
		"[]:9000", "[::1:9000", "[127.0.0.1]:9000", "[*]:9000",
		"fd:", "fd:x", "fd:-1", "fd:99999999999",
		"http:", "http:8080", "http:x.sock", "http:127.0.0.1",
		"http:127.0.0.1:0", "http:::1:80", "http:fd:x",
		"http:http:127.0.0.1:80", "http://127.0.0.1:80",
		"http://run/x.sock", "HTTP:127.0.0.1:80", "https:*:443",
		"fcgi:*:9000", "fcgi:/x.sock", "ws:*:80", " http:*:80",
		"[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb]:1" };
	struct sock_address a;
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		why.text[0] = '\0';
		ck_assert_msg(sock_parse(wrong[i], &a, &why) == -1, "\"%s\"",
		    wrong[i]);
		ck_assert_msg(why.text[0] != '\0', "\"%s\"", wrong[i]);
	}
}
END_TEST

/* What php-fpm, nginx and others take. */
START_TEST(explains_what_others_take)
{
	static const char *const texts[][2] = {
		{ "9000", "not an address: 9000 (a port alone; write "
		    "127.0.0.1:9000, or *:9000 for all interfaces)" },
		{ "unix:/x.sock", "not an address: unix:/x.sock (a path stands "
		    "alone: /x.sock)" },
		{ "localhost:9000", "not a numeric address: localhost:9000 "
		    "(write 127.0.0.1:9000 or [::1]:9000)" },
		{ "www.example:80", "not a numeric address: www.example:80 "
		    "(names are not looked up; as 127.0.0.1:9000 or "
		    "[::1]:9000)" },
		{ "::1:9000", "not an address: ::1:9000 (IPv6 stands in "
		    "brackets, as [::1]:9000)" },
		{ "x.sock", "not an address: x.sock (a path, 127.0.0.1:9000, "
		    "[::1]:9000, *:9000, fd:3 or systemd:www)" },
		{ "http:8080", "not an address: http:8080 (a port alone; "
		    "write http:127.0.0.1:8080, or http:*:8080 for all "
		    "interfaces)" },
		{ "http:unix:/x.sock", "not an address: http:unix:/x.sock (a "
		    "path stands alone: http:/x.sock)" },
		{ "http:localhost:80", "not a numeric address: "
		    "http:localhost:80 (write http:127.0.0.1:80 or "
		    "http:[::1]:80)" },
		{ "http:127.0.0.1:0", "not a port from 1 to 65535: "
		    "http:127.0.0.1:0" },
		{ "http:x", "not an address: http:x (a path, 127.0.0.1:9000, "
		    "[::1]:9000, *:9000, fd:3 or systemd:www, each after "
		    "http:)" },
		{ "http://127.0.0.1:8080", "not an address: "
		    "http://127.0.0.1:8080 (no URL; write "
		    "http:127.0.0.1:8080)" },
		{ "HTTP://[::1]:80/a", "not an address: HTTP://[::1]:80/a (no "
		    "URL; write http:[::1]:80)" },
		{ "http:///x.sock", "not an address: http:///x.sock (no URL; "
		    "write http:/x.sock)" },
		{ "https:*:443", "not an address: https:*:443 (TLS is left to "
		    "a proxy, which speaks HTTP or FastCGI to lua-fpm)" },
		{ "fcgi:*:9000", "not an address: fcgi:*:9000 (FastCGI has no "
		    "prefix: *:9000)" },
	};
	struct sock_address a;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		ck_assert_int_eq(sock_parse(texts[i][0], &a, &why), -1);
		ck_assert_str_eq(why.text, texts[i][1]);
	}
}
END_TEST

START_TEST(knows_the_same_address)
{
	static const char *const texts[] = { "/a", "/ab", "127.0.0.1:1",
		"127.0.0.1:2", "*:1", "[::1]:1", "[::]:1", "fd:3", "fd:4" };
	struct sock_address a, b;
	size_t i, j;

	for (i = 0; i < 9; i++)
		for (j = 0; j < 9; j++) {
			memset(&a, 1, sizeof(a));
			sock_parse(texts[i], &a, &why);
			sock_parse(texts[j], &b, &why);
			a.dev = a.ino = 7; /* sock_listen's own note */
			ck_assert_int_eq(sock_same(&a, &b), i == j);
		}
}
END_TEST

START_TEST(a_path_fits_or_is_too_long)
{
	char text[200] = "/";
	struct sock_address a;

	memset(text + 1, 'x', sizeof(text) - 2);
	text[sizeof(a.sa.un.sun_path) - 1] = '\0';
	ck_assert_int_eq(sock_parse(text, &a, &why), 0);
	strcat(text, "x");
	ck_assert_int_eq(sock_parse(text, &a, &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "too long"));
}
END_TEST

/* ---- unix sockets ------------------------------------------------------- */

static int
listen_ok(struct sock_address *a, const struct sock_options *options)
{
	int fd = sock_listen(a, options, &why);

	ck_assert_msg(fd != -1, "%s", why.text);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
	return fd;
}

static void
listen_fails(struct sock_address *a, const char *reason)
{
	ck_assert_int_eq(sock_listen(a, &plain, &why), -1);
	ck_assert_msg(strstr(why.text, reason) != NULL, "%s", why.text);
}

/* A client, connected; -1 with errno. */
static int
client(const struct sock_address *a)
{
	int fd = socket(a->sa.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int error;

	if (connect(fd, &a->sa.any, a->len) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static int
client_inet(const struct sock_address *a)
{
	int fd = socket(a->sa.any.sa_family, SOCK_STREAM, 0);

	ck_assert_int_eq(connect(fd, &a->sa.any, a->len), 0);
	return fd;
}

static void
check_mode(mode_t mode)
{
	struct stat st;

	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	ck_assert_int_eq(st.st_mode & 07777, mode);
}

START_TEST(a_unix_socket_has_its_mode)
{
	struct sock_options options = plain;
	mode_t mask = umask(077);

	options.mode = 0666;
	close(listen_ok(&address, &options));
	check_mode(0666);
	umask(0);
	options.mode = 0600;
	close(listen_ok(&address, &options));
	check_mode(0600);
	umask(mask);
}
END_TEST

START_TEST(a_unix_socket_has_its_owner)
{
	struct sock_options options = plain;
	struct stat st;

	options.owner = 12;
	options.group = 34;
	if (geteuid() != 0) {
		ck_assert_int_eq(sock_listen(&address, &options, &why), -1);
		ck_assert_ptr_nonnull(strstr(why.text, "owner"));
		ck_assert_int_eq(lstat(path, &st), -1);
		return;
	}
	listen_ok(&address, &options);
	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert_uint_eq(st.st_uid, 12);
	ck_assert_uint_eq(st.st_gid, 34);
}
END_TEST

static char some_user[16] = "1234";
static char *some_users[] = { some_user };

START_TEST(a_list_that_cannot_be_says_why)
{
	const struct conf_list users = { some_users, 1 }, none = { NULL, 0 };

	ck_assert_int_eq(sock_acl_set("/proc/self/comm", 0600, &users, &none,
	    &why), -1);
	ck_assert_str_eq(why.text, strerror(sock_acl_known() ? EOPNOTSUPP :
	    ENOSYS));
}
END_TEST

START_TEST(without_its_list_there_is_no_socket)
{
	const struct conf_list users = { some_users, 1 }, none = { NULL, 0 };
	struct sock_options options = plain;
	struct stat st;

	options.acl = true;
	options.acl_users = &users;
	options.acl_groups = &none;
	if (sock_acl_known()) {
		close(listen_ok(&address, &options));
		/* the mask of the list is shown as the group's */
		check_mode(0660);
		unlink(path);
		strcpy(some_user, "no-such-user");
	}
	ck_assert_int_eq(sock_listen(&address, &options, &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "access control list"));
	ck_assert_int_eq(lstat(path, &st), -1);
}
END_TEST

START_TEST(a_stale_socket_is_replaced)
{
	int fd = listen_ok(&address, &plain);

	close(fd);
	errno = 0;
	ck_assert_int_eq(client(&address), -1);
	ck_assert_int_eq(errno, ECONNREFUSED);
	listen_ok(&address, &plain);
	ck_assert_int_ne(client(&address), -1);
}
END_TEST

START_TEST(a_live_socket_is_not_taken)
{
	struct sock_address again = address;
	struct sock_options options = plain;
	int fd, waiting, i;

	options.backlog = 1;
	fd = listen_ok(&address, &options);
	listen_fails(&again, "somebody listens");
	/* not even if its queue is full */
	for (i = 0; i < 5; i++)
		waiting = client(&address);
	ck_assert_int_eq(waiting, -1);
	ck_assert_int_eq(errno, EAGAIN);
	listen_fails(&again, "somebody listens");
	/* what was there still works */
	ck_assert_int_ne(accept(fd, NULL, NULL), -1);
	check_mode(0600);
}
END_TEST

/* Sockets come and go all the time, in all parts of the kernel's table. */
static pid_t
churn(void)
{
	int fds[400][2] = { { 0 } };
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		int *pair = fds[rand() % 400];

		if (pair[0] != 0) {
			close(pair[0]);
			close(pair[1]);
		}
		socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	}
}

START_TEST(a_table_that_changes_hides_no_listener)
{
	int fd = listen_ok(&address, &plain);
	pid_t pid[2] = { churn(), churn() };
	int hidden = 0;

	ck_assert_int_ne(fd, -1);
	for (int i = 0; i < 200; i++)
		hidden += sock_try(&address, getpid(), &why) == -1;
	for (int i = 0; i < 2; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
	}
	ck_assert_int_eq(hidden, 0);
	close(fd);
}
END_TEST

/* Somebody who listens at that address, in a directory of his own. */
static pid_t
namesake(const char *text)
{
	struct sock_address other;
	int ready[2], fd;
	char byte = 0;
	pid_t pid;

	ck_assert_int_eq(sock_parse(text, &other, &why), 0);
	ck_assert_int_eq(pipe(ready), 0);
	if ((pid = fork()) == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		if (mkdir("elsewhere", 0700) == 0 && chdir("elsewhere") == 0 &&
		    bind(fd, &other.sa.any, other.len) == 0 &&
		    listen(fd, 1) == 0)
			byte = write(ready[1], "x", 1) == 1;
		for (;;)
			pause();
	}
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

START_TEST(the_same_address_elsewhere_is_another)
{
	int fd = listen_ok(&address, &plain);
	pid_t pid;

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(chdir(directory), 0);
	pid = namesake("./www.sock");
	ck_assert_int_eq(sock_try(&address, getpid(), &why), 0);
	ck_assert_int_eq(sock_try(&address, 0, &why), -1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ck_assert_int_eq(unlink("elsewhere/www.sock"), 0);
	ck_assert_int_eq(rmdir("elsewhere"), 0);
	close(fd);
}
END_TEST

START_TEST(what_is_no_socket_is_not_touched)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0644);

	ck_assert_int_eq(write(fd, "x", 1), 1);
	listen_fails(&address, "not a socket");
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), 1);
	ck_assert_int_eq(access(path, F_OK), 0);
	unlink(path);
	ck_assert_int_eq(symlink("/nonexistent", path), 0);
	listen_fails(&address, "not a socket");
}
END_TEST

static char precious[96], elsewhere[96];

static void
lay_link(void)
{
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(symlink(precious, path), 0);
}

static void
lay_name(void)
{
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(link(precious, path), 0);
}

/* Whoever may write to the directory lays another file in place of the socket
 * that has just been bound: its rights are not what is set, and it stays. */
START_TEST(rights_are_those_of_the_socket_that_was_bound)
{
	static void (*const tricks[])(void) = { lay_link, lay_name, lay_name };
	struct sock_options options = plain;
	struct sockaddr_un other = { .sun_family = AF_UNIX };
	struct stat st;

	options.mode = 0666;
	snprintf(precious, sizeof(precious), "%s/precious", directory);
	snprintf(other.sun_path, sizeof(other.sun_path), "%s", precious);
	for (int i = 0; i < 3; i++) {
		if (i < 2)
			close(open(precious, O_WRONLY | O_CREAT, 0600));
		else
			ck_assert_int_eq(__real_bind(socket(AF_UNIX,
			    SOCK_STREAM, 0), (struct sockaddr *)&other,
			    sizeof(other)), 0);
		ck_assert_int_eq(chmod(precious, 0600), 0);
		after_bind = tricks[i];
		ck_assert_int_eq(sock_listen(&address, &options, &why), -1);
		after_bind = NULL;
		ck_assert_ptr_nonnull(strstr(why.text,
		    "somebody has replaced"));
		ck_assert_int_eq(stat(precious, &st), 0);
		ck_assert_uint_eq(st.st_mode & 07777, 0600);
		ck_assert_int_eq(lstat(path, &st), 0);
		unlink(path);
		unlink(precious);
	}
}
END_TEST

/* So do directories on the way. */
START_TEST(a_link_of_another_user_is_not_followed)
{
	char theirs[80], text[96];
	struct sock_address a, real;
	struct stat st;
	int fd;

	if (geteuid() != 0)
		return;
	snprintf(theirs, sizeof(theirs), "%s/theirs", directory);
	ck_assert_int_eq(symlink(directory, theirs), 0);
	ck_assert_int_eq(lchown(theirs, 65534, 65534), 0);
	snprintf(text, sizeof(text), "%s/www.sock", theirs);
	ck_assert_int_eq(sock_parse(text, &a, &why), 0);
	listen_fails(&a, "theirs is a symbolic link of another user");
	ck_assert_int_eq(lstat(path, &st), -1);
	/* nor is a stale socket removed that way */
	real = address;
	fd = listen_ok(&real, &plain);
	close(fd);
	listen_fails(&a, "theirs is a symbolic link of another user");
	a.dev = real.dev;
	a.ino = real.ino;
	sock_refuse(-1, &a);
	ck_assert_int_eq(lstat(path, &st), 0);
	/* root's may be there */
	ck_assert_int_eq(lchown(theirs, 0, 0), 0);
	fd = listen_ok(&a, &plain);
	sock_refuse(fd, &a);
	ck_assert_int_eq(lstat(path, &st), -1);
	unlink(theirs);
}
END_TEST

START_TEST(a_stale_socket_that_was_replaced_stays)
{
	int fd = listen_ok(&address, &plain);
	struct sock_address next = address;
	struct stat st;

	snprintf(elsewhere, sizeof(elsewhere), "%s/moved", directory);
	ck_assert_int_eq(rename(path, elsewhere), 0);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	ck_assert_int_eq(sock_file_adjust(&address, &plain, false, &why), 0);
	sock_refuse(fd, &address);
	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert(S_ISREG(st.st_mode));
	listen_fails(&next, "not a socket");
	unlink(elsewhere);
}
END_TEST

START_TEST(a_missing_directory_is_named)
{
	struct sock_address a;
	char text[120];

	snprintf(text, sizeof(text), "%s/none/www.sock", directory);
	ck_assert_int_eq(sock_parse(text, &a, &why), 0);
	listen_fails(&a, strerror(ENOENT));
	ck_assert_ptr_nonnull(strstr(why.text, "none/"));
}
END_TEST

START_TEST(refusing_removes_our_path_only)
{
	struct sock_address next = address;
	int fd = listen_ok(&address, &plain), waiting, fresh;

	waiting = client(&address);
	ck_assert_int_ne(waiting, -1);
	sock_refuse(fd, &address);
	ck_assert_int_eq(access(path, F_OK), -1);
	ck_assert_int_eq(client(&address), -1);
	/* who waits is still served */
	ck_assert_int_ne(accept(fd, NULL, NULL), -1);
	/* and the next one's path is not ours */
	fresh = listen_ok(&next, &plain);
	sock_refuse(fd, &address);
	ck_assert_int_ne(client(&next), -1);
	sock_refuse(fresh, &next);
	ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

START_TEST(a_unix_queue_is_counted)
{
	int fd = listen_ok(&address, &plain), i;

	ck_assert_int_eq(sock_queue_length(fd), 0);
	for (i = 1; i <= 5; i++) {
		ck_assert_int_ne(client(&address), -1);
		ck_assert_int_eq(sock_queue_length(fd), i);
	}
	ck_assert_int_ne(accept(fd, NULL, NULL), -1);
	ck_assert_int_eq(sock_queue_length(fd), 4);
	sock_refuse(fd, &address);
	ck_assert_int_eq(sock_queue_length(fd), 4);
}
END_TEST

START_TEST(only_a_socket_has_a_queue)
{
	ck_assert_int_eq(sock_queue_length(open("/dev/null", O_RDONLY)), -1);
	ck_assert_int_eq(sock_queue_length(-1), -1);
	ck_assert_int_eq(errno, EBADF);
}
END_TEST

/* ---- TCP ---------------------------------------------------------------- */

/* A free port of loopback: one that the kernel has just given out. */
static unsigned
free_port(int family)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} sa = { .any.sa_family = (sa_family_t)family };
	socklen_t len = sizeof(sa);
	int fd = socket(family, SOCK_STREAM, 0);

	if (fd == -1 || bind(fd, &sa.any, family == AF_INET ?
	    sizeof(sa.in) : sizeof(sa.in6)) == -1)
		return 0;
	ck_assert_int_eq(getsockname(fd, &sa.any, &len), 0);
	close(fd);
	return ntohs(sa.in.sin_port);
}

/* A listener; another process may take the port first, so try again.  False
 * if this machine does not have the family. */
static bool
listen_loopback(int family, struct sock_address *a, int *fd)
{
	unsigned port;
	char text[64];

	do {
		if ((port = free_port(family)) == 0)
			return false;
		snprintf(text, sizeof(text), family == AF_INET ?
		    "127.0.0.1:%u" : "[::1]:%u", port);
		ck_assert_int_eq(sock_parse(text, a, &why), 0);
	} while ((*fd = sock_listen(a, &plain, &why)) == -1);
	return true;
}

static int
option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	ck_assert_int_eq(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static int
accept_soon(int listener)
{
	struct pollfd ready = { listener, POLLIN, 0 };

	ck_assert_int_eq(poll(&ready, 1, 10000), 1);
	return accept(listener, NULL, NULL);
}

START_TEST(tcp_works)
{
	struct sock_address a, again;
	int fd, peer;

	ck_assert(listen_loopback(AF_INET, &a, &fd));
	client_inet(&a);
	ck_assert_int_ne(peer = accept_soon(fd), -1);
	ck_assert_int_eq(option(peer, IPPROTO_TCP, TCP_NODELAY), 1);
	again = a;
	listen_fails(&again, "127.0.0.1:");
	ck_assert_ptr_nonnull(strstr(why.text, strerror(EADDRINUSE)));
	/* a restart does not wait for the connections of before */
	close(peer);
	close(fd);
	listen_ok(&again, &plain);
}
END_TEST

START_TEST(ipv6_is_ipv6_only)
{
	struct sock_address a;
	int fd;

	if (!listen_loopback(AF_INET6, &a, &fd))
		return;
	ck_assert_int_eq(option(fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
	client_inet(&a);
	ck_assert_int_ne(accept_soon(fd), -1);
}
END_TEST

/* The kernel may queue a connection a little after connect returned. */
static void
wait_for_queue(int fd, int length)
{
	while (sock_queue_length(fd) < length)
		sched_yield();
	ck_assert_int_eq(sock_queue_length(fd), length);
}

START_TEST(a_tcp_queue_is_counted)
{
	struct sock_address a;
	int fd, i;

	ck_assert(listen_loopback(AF_INET, &a, &fd));
	ck_assert_int_eq(sock_queue_length(fd), 0);
	for (i = 1; i <= 3; i++) {
		client_inet(&a);
		wait_for_queue(fd, i);
	}
	ck_assert_int_ne(accept(fd, NULL, NULL), -1);
	ck_assert_int_eq(sock_queue_length(fd), 2);
}
END_TEST

static void
check_refusal(int family)
{
	struct sock_address a, b;
	int fd, early, late, barrier, peer;
	char byte;

	if (!listen_loopback(family, &a, &fd))
		return;
	ck_assert(listen_loopback(family, &b, &barrier));
	early = client_inet(&a);
	wait_for_queue(fd, 1);
	sock_refuse(fd, &a);
	late = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(connect(late, &a.sa.any, a.len), -1);
	ck_assert_int_eq(errno, EINPROGRESS);
	/* A SYN that is dropped shows nowhere; but one that was sent later and
	 * elsewhere has been answered. */
	client_inet(&b);
	ck_assert_int_ne(accept_soon(barrier), -1);
	ck_assert_int_eq(poll(&(struct pollfd){ late, POLLOUT, 0 }, 1, 0), 0);
	ck_assert_int_eq(sock_queue_length(fd), 1);
	ck_assert_int_ne(peer = accept(fd, NULL, NULL), -1);
	ck_assert_int_eq(accept(fd, NULL, NULL), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(write(early, "x", 1), 1);
	ck_assert_int_eq(read(peer, &byte, 1), 1);
}

START_TEST(tcp_refuses_and_serves_who_waits)
{
	check_refusal(AF_INET);
	check_refusal(AF_INET6);
}
END_TEST

/* ---- inherited ---------------------------------------------------------- */

static void
inherit(struct sock_address *a, int fd)
{
	char text[32];

	snprintf(text, sizeof(text), "fd:%d", fd);
	ck_assert_int_eq(sock_parse(text, a, &why), 0);
}

START_TEST(a_listener_is_inherited)
{
	struct sock_address a;
	int fd = listen_ok(&address, &plain);

	fcntl(fd, F_SETFD, 0);
	fcntl(fd, F_SETFL, 0);
	inherit(&a, fd);
	ck_assert_int_eq(listen_ok(&a, &plain), fd);
	sock_refuse(fd, &a); /* not ours to close */
	ck_assert_int_ne(client(&address), -1);
}
END_TEST

START_TEST(nothing_else_is_inherited)
{
	int pair[2], flags;
	struct sock_address a;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	flags = fcntl(pair[0], F_GETFL);
	inherit(&a, pair[0]);
	listen_fails(&a, "not a listening");
	ck_assert_int_eq(fcntl(pair[0], F_GETFL), flags);
	inherit(&a, socket(AF_INET, SOCK_DGRAM, 0));
	listen_fails(&a, "not a listening");
	inherit(&a, open("/dev/null", O_RDONLY));
	listen_fails(&a, "not a listening");
	inherit(&a, 1000);
	listen_fails(&a, "fd:1000");
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("sock");
	TCase *t = tcase_create("sock");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, reads_addresses);
	tcase_add_test(t, reads_protocols);
	tcase_add_test(t, refuses_what_is_no_address);
	tcase_add_test(t, explains_what_others_take);
	tcase_add_test(t, knows_the_same_address);
	tcase_add_test(t, a_path_fits_or_is_too_long);
	tcase_add_test(t, a_unix_socket_has_its_mode);
	tcase_add_test(t, a_unix_socket_has_its_owner);
	tcase_add_test(t, a_list_that_cannot_be_says_why);
	tcase_add_test(t, without_its_list_there_is_no_socket);
	tcase_add_test(t, a_stale_socket_is_replaced);
	tcase_add_test(t, a_live_socket_is_not_taken);
	tcase_add_test(t, a_table_that_changes_hides_no_listener);
	tcase_add_test(t, what_is_no_socket_is_not_touched);
	tcase_add_test(t, rights_are_those_of_the_socket_that_was_bound);
	tcase_add_test(t, a_link_of_another_user_is_not_followed);
	tcase_add_test(t, the_same_address_elsewhere_is_another);
	tcase_add_test(t, a_stale_socket_that_was_replaced_stays);
	tcase_add_test(t, a_missing_directory_is_named);
	tcase_add_test(t, refusing_removes_our_path_only);
	tcase_add_test(t, a_unix_queue_is_counted);
	tcase_add_test(t, only_a_socket_has_a_queue);
	tcase_add_test(t, tcp_works);
	tcase_add_test(t, ipv6_is_ipv6_only);
	tcase_add_test(t, a_tcp_queue_is_counted);
	tcase_add_test(t, tcp_refuses_and_serves_who_waits);
	tcase_add_test(t, a_listener_is_inherited);
	tcase_add_test(t, nothing_else_is_inherited);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

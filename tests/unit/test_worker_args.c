#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sealed.h"
#include "conf/conf_read.h"
#include "ipc/board.h"
#include "ipc/worker_args.h"

#include "unit.h"

static struct identity identity;
static struct board *board;
static struct worker_orders orders;
static int channel[2], exchange[2];

/* What a master gives to a worker of the slot 1 of 2. */
static void
setup(void)
{
	static const char text[] = "pools: { www: { app = \"/a.lua\"; "
	    "listen = \"/www.sock\"; }; };";
	static int listener;
	static const enum sock_protocol protocol = SOCK_HTTP;
	static const struct conf *conf; /* it outlives what points into it */
	struct board_lease lease;

	conf = conf_recall(text, sizeof(text) - 1);
	ck_assert_ptr_nonnull(conf);
	ck_assert_int_eq(fd_pair(channel), 0);
	ck_assert_int_eq(fd_pair(exchange), 0);
	listener = open("/dev/null", O_RDONLY | O_CLOEXEC);
	board = board_new(2, NULL);
	ck_assert_ptr_nonnull(board);
	ck_assert_int_eq(board_lease(board, 1, &lease), 0);
	orders = (struct worker_orders){ .kind = WORKER_KIND_APP, .pool = &conf->pools[0],
		.identity = &identity, .listeners = &listener,
		.protocols = &protocol,
		.nlisteners = 1, .channel = channel[1],
		.exchange = { exchange[0], exchange[1] }, .door = -1,
		.head = lease.head, .slot = lease.slot, .number = 1,
		.setup = true };
}

/* As image_become leaves them open. */
static void
pass_on(void)
{
	const int fds[] = { orders.listeners[0], orders.channel, exchange[0],
		exchange[1], orders.head, orders.slot };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] != -1)
			fd_cloexec(fds[i], false);
}

static void
check_refused(int memory)
{
	struct why why = { .text = "" };

	pass_on();
	ck_assert_ptr_null(worker_args_take(memory, &why));
	ck_assert_str_ne(why.text, "");
}

START_TEST(what_is_given_is_taken)
{
	int memory = worker_args_prepare(&orders);
	const struct worker_args *args;
	struct why why;

	ck_assert_int_ne(memory, -1);
	pass_on();
	args = worker_args_take(memory, &why);
	ck_assert_msg(args != NULL, "%s", why.text);
	ck_assert_str_eq(args->pool->name, "www");
	ck_assert_uint_eq(args->nlisteners, 1);
	ck_assert_int_eq(args->listeners[0], orders.listeners[0]);
	ck_assert_int_eq(args->protocols[0], SOCK_HTTP);
	ck_assert_int_eq(args->channel, channel[1]);
	ck_assert_int_eq(args->exchange[0], exchange[0]);
	ck_assert_int_eq(args->exchange[1], exchange[1]);
	ck_assert_int_eq(fcntl(exchange[1], F_GETFD), FD_CLOEXEC);
	ck_assert_ptr_nonnull(args->score);
	ck_assert(args->setup);
	ck_assert(!args->shut);
	/* The log's copy of stderr (log_pipe.h) may have its number. */
	ck_assert(fcntl(memory, F_GET_SEALS) == -1);
}
END_TEST

/* The bytes of good orders, as far as they are to go, under a head of records
 * that has that name. */
static struct buf
bytes(const char *name, size_t cut)
{
	struct buf good = { 0 }, out = { 0 };
	int memory = worker_args_prepare(&orders);
	const char *rest;
	struct record all;
	size_t len;

	ck_assert_int_eq(sealed_read(memory, &good), 0);
	close(memory);
	rest = good.data;
	len = good.len;
	ck_assert(record_next(&rest, &len, &all));
	if (name == NULL)
		buf_add(&out, good.data, good.len);
	else
		record_put(&out, name, all.value, all.len);
	out.len -= cut;
	buf_free(&good);
	return out;
}

static int
sealed(struct buf text)
{
	int fd = sealed_make("test", &text);

	ck_assert_int_ne(fd, -1);
	buf_free(&text);
	return fd;
}

static int
unsealed(struct buf text)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_eq(fd_write_all(fd, text.data, text.len), 0);
	buf_free(&text);
	return fd;
}

START_TEST(what_is_no_sealed_memory_is_refused)
{
	int closed = dup(channel[0]);

	close(closed);
	check_refused(closed);
	check_refused(-1);
	check_refused(channel[1]);
	check_refused(unsealed(bytes(NULL, 0)));
}
END_TEST

/* Of another build, cut off, with more behind it, or nothing of the kind. */
START_TEST(other_bytes_are_refused)
{
	struct buf more = bytes(NULL, 0), nonsense = { 0 };

	check_refused(sealed(bytes("lua_fpm_birth_1", 0)));
	check_refused(sealed(bytes(NULL, 1)));
	check_refused(sealed(bytes(NULL, 100)));
	buf_puts(&more, "x");
	check_refused(sealed(more));
	for (int i = 0; i < 5000; i++)
		buf_putc(&nonsense, i * 7);
	check_refused(sealed(nonsense));
}
END_TEST

/* A slot or a head of another size, or none. */
START_TEST(a_score_that_cannot_be_is_refused)
{
	int wrong = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int slot = orders.slot, head = orders.head;

	ck_assert_int_eq(ftruncate(wrong, 5), 0);
	orders.slot = wrong;
	check_refused(worker_args_prepare(&orders));
	orders.slot = -1;
	check_refused(worker_args_prepare(&orders));
	orders.slot = slot;
	orders.head = wrong;
	check_refused(worker_args_prepare(&orders));
	orders.head = slot; /* twice the same */
	check_refused(worker_args_prepare(&orders));
	orders.head = head;
	orders.number = 2;
	check_refused(worker_args_prepare(&orders));
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("args");
	TCase *t = tcase_create("args");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, what_is_given_is_taken);
	tcase_add_test(t, what_is_no_sealed_memory_is_refused);
	tcase_add_test(t, other_bytes_are_refused);
	tcase_add_test(t, a_score_that_cannot_be_is_refused);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

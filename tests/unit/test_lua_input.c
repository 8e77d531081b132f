#include "app_unit.h"

/* ---- as io reads --------------------------------------------------------- */

/*
 * The same formats on env.input and on a file with the same bytes give the
 * same results.  Formats are drawn from a generator of its own, so that a
 * failure comes again.
 */
static const char differential[] =
    "local file = assert(io.open(env.FILE, 'rb')) "
    "local state = tonumber(env.SEED) "
    "local function draw(n) state = (state * 1103515245 + 12345) & 0x7fffffff "
    "  return (state >> 8) % n end "
    "local function format() local f = { 0, 1, 2, 7, 100, 5000, 40000, 'l', "
    "  65535, 65536, 65537, 150000, "
    "  'L', '*l', '*L', 'line' } "
    "  return draw(60) == 0 and 'a' or f[draw(#f) + 1] end "
    "local same = 0 "
    "for turn = 1, 400 do "
    "  local f = {} for i = 1, draw(4) do f[i] = format() end "
    "  local got = table.pack(env.input:read(table.unpack(f))) "
    "  local want = table.pack(file:read(table.unpack(f))) "
    "  assert(got.n == want.n, 'number of results') "
    "  for i = 1, want.n do assert(got[i] == want[i], ('turn %d: %q for %q "
    "but %q'):format(turn, got[i], f[i], want[i])) end "
    "  same = same + 1 "
    "end file:close() return {}, same";

/* Lines of all lengths, some beyond every buffer, the last one without end. */
static void
make_text(struct buf *text, unsigned seed)
{
	unsigned i, j, len;

	for (i = 0; i < 400; i++) {
		seed = seed * 1103515245U + 12345U;
		len = (seed >> 8) % (i % 50 == 0 ? 40000 : 80);
		for (j = 0; j < len; j++)
			buf_putc(text, (int)((i + j) % 3 == 0 ? 0 : 'a' + j));
		buf_putc(text, '\n');
	}
	buf_puts(text, "end");
}

static void
write_bytes(const char *path, const struct buf *bytes)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(bytes->data, 1, bytes->len, f), bytes->len);
	ck_assert_int_eq(fclose(f), 0);
}

START_TEST(reads_as_a_file_does)
{
	static const size_t chunks[] = { 1, 2, 100, 16383, 16384, SIZE_MAX };
	static const int64_t errors[] = { 0, 1000000, -20000, INT32_MAX };
	struct buf text = { 0 };
	char path[128], seed[16];
	int i;

	snprintf(path, sizeof(path), "%s/body", scene.dir);
	load_accept(differential);
	for (i = 0; i < 30; i++) {
		buf_clear(&text);
		make_text(&text, (unsigned)i);
		write_bytes(path, &text);
		snprintf(seed, sizeof(seed), "%d", i);
		new_request();
		set_param("FILE", path);
		set_param("SEED", seed);
		set_body(text.data, text.len);
		client.chunk = chunks[i % 6];
		if (i % 5 != 0)
			client.length = (int64_t)text.len + errors[i % 5 - 1];
		ck_assert_msg(strcmp(serve_body(), "400") == 0, "%s",
		    logged());
	}
	buf_free(&text);
}
END_TEST

START_TEST(reads_to_the_end)
{
	set_body("one\ntwo", 7);
	ck_assert_str_eq(body_of("return {}, { env.input:read('a'), '|', "
	    "env.input:read('a'), '|', tostring(env.input:read('l')), "
	    "tostring(env.input:read(0)), tostring(env.input:read(1)) }"),
	    "one\ntwo||nilnilnil");
	ck_assert_str_eq(body_of("local a, b, c, d = env.input:read('l', 'L', "
	    "1, 1) return {}, { a, b, tostring(c), select('#', d) }"),
	    "onetwonil1");
	ck_assert_str_eq(body_of("return {}, env.input:read(100)"),
	    "one\ntwo");
}
END_TEST

START_TEST(has_nothing_of_an_empty_body)
{
	ck_assert_str_eq(body_of("assert(env.input:read(0) == nil) "
	    "assert(env.input:read() == nil) assert(env.input:read(1) == nil) "
	    "assert(env.input:read('a') == '') "
	    "for _ in env.input:lines() do error('a line') end "
	    "return {}, 'empty'"), "empty");
}
END_TEST

START_TEST(gives_lines)
{
	set_body("one\n\nthree", 10);
	ck_assert_str_eq(body_of("local t = {} for l in env.input:lines() do "
	    "t[#t + 1] = '<' .. l .. '>' end return {}, t"),
	    "<one><><three>");
	ck_assert_str_eq(body_of("local t = {} for l in env.input:lines('L') "
	    "do t[#t + 1] = l end return {}, t"), "one\n\nthree");
	ck_assert_str_eq(body_of("local t = {} for a, b in "
	    "env.input:lines(1, 2) do t[#t + 1] = a .. '-' .. "
	    "tostring(b) .. ' ' end return {}, t"),
	    "o-ne \n-\nt h-re e-nil ");
	ck_assert_str_eq(body_of("return {}, env.input:lines(4)"),
	    "one\n\nthree");
}
END_TEST

START_TEST(refuses_other_formats)
{
	set_body("1", 1);
	assert_fails("env.input:read('n')",
	    "bad argument #1 to 'read' (invalid format)");
	assert_fails("env.input:read('x')", "invalid format");
	assert_fails("env.input:read('')", "invalid format");
	assert_fails("env.input:read(-1)", "negative count");
	assert_fails("env.input:read(1.5)",
	    "number has no integer representation");
	assert_fails("env.input:read({})", "string expected, got table");
	assert_fails("for _ in env.input:lines('x') do end",
	    "invalid format");
	assert_fails("env.input:lines(table.unpack({}, 1, 251))",
	    "too many arguments");
}
END_TEST

/* ---- streaming ----------------------------------------------------------- */

START_TEST(reads_nothing_unasked)
{
	struct buf text = { 0 };

	make_text(&text, 1);
	set_body(text.data, text.len);
	ck_assert_uint_gt(text.len, 100000);
	client.chunk = 1000;
	ck_assert_str_eq(body_of("local _ = env.input return {}, 'x'"), "x");
	ck_assert_uint_eq(client.body_at, 0);
	ck_assert_str_eq(body_of("env.input:read(1) return {}, 'x'"), "x");
	ck_assert_uint_eq(client.body_at, 1000);
	buf_free(&text);
}
END_TEST

/* As it is announced, or longer or shorter than that. */
START_TEST(gives_what_comes)
{
	static const int64_t lengths[] = { -1, 0, 1, 1000, 120000, 1 << 20 };
	struct buf text = { 0 };
	const char *body;

	make_text(&text, 1);
	set_body(text.data, text.len);
	client.chunk = 3000;
	client.length = lengths[_i];
	body = body_of("return {}, env.input:read(5000) .. "
	    "env.input:read('a')");
	ck_assert_ptr_eq(body + text.len, client.out.data + client.out.len);
	ck_assert_mem_eq(body, text.data, text.len);
	buf_free(&text);
}
END_TEST

/* What a client announces is not what it sends: memory is for what came. */
START_TEST(takes_memory_for_what_comes)
{
	set_body("abc", 3);
	ck_assert_str_eq(body_of("return {}, "
	    "env.input:read(math.maxinteger)"), "abc");
	new_request();
	set_body("abc", 3);
	client.length = INT64_MAX;
	ck_assert_str_eq(body_of("return {}, env.input:read('a')"), "abc");
}
END_TEST

/* Of what one client sent, the next one's request sees nothing. */
START_TEST(forgets_what_was_not_read)
{
	load_accept("return {}, env.input:read('l') or 'none'");
	set_body("one\nREST\n", 9);
	ck_assert_str_eq(serve_body(), "one");
	set_body("two\n", 4);
	ck_assert_str_eq(serve_body(), "two");
	set_body("", 0);
	ck_assert_str_eq(serve_body(), "none");
}
END_TEST

/* ---- a body that breaks off ---------------------------------------------- */

START_TEST(answers_a_late_client_with_408)
{
	set_body("half", 4);
	client.error = ETIMEDOUT;
	ck_assert_str_eq(response_of("return {}, env.input:read('a')"),
	    "Status: 408 Request Timeout\r\nContent-Type: text/plain\r\n"
	    "Content-Length: 16\r\n\r\nRequest Timeout\n");
	ck_assert_int_eq(client.request.status, 408);
	assert_logged(" notice ");
	assert_logged("request body: the client did not send it in time\n");
	ck_assert_ptr_null(strstr(logged(), " error "));
}
END_TEST

START_TEST(answers_nobody_who_left)
{
	set_body("half", 4);
	client.error = ECONNRESET;
	ck_assert_str_eq(response_of("return {}, env.input:read(5)"), "");
	ck_assert_str_eq(buf_string(&client.trace), "RR");
	assert_logged("request body: the client left\n");
	client.error = EPROTO;
	ck_assert_str_eq(response_of("for l in env.input:lines() do end"), "");
	assert_logged("request body: malformed\n");
	ck_assert_ptr_null(strstr(logged(), " error "));
	ck_assert_int_eq(client.request.app_status, 0);
}
END_TEST

START_TEST(cuts_a_stream_when_the_body_breaks_off)
{
	set_body("one\ntw", 6);
	client.error = ETIMEDOUT;
	ck_assert_str_eq(body_of("return {}, env.input:lines()"), "one");
	ck_assert_int_eq(client.request.status, 200);
	ck_assert_int_ne(client.request.app_status, 0);
	assert_logged(" notice ");
	ck_assert_ptr_null(strstr(logged(), " error "));
}
END_TEST

/* The application may know better what to do; and what it does wrong then is
 * its own fault. */
START_TEST(lets_the_application_catch_it)
{
	client.error = ETIMEDOUT;
	ck_assert_str_eq(body_of("local ok, text = pcall(env.input.read, "
	    "env.input) return {}, tostring(ok) .. ' ' .. text"),
	    "false request body: the client did not send it in time");
	ck_assert_str_eq(logged(), "");
	assert_fails("pcall(env.input.read, env.input) error('own fault')",
	    "own fault");
	ck_assert_str_eq(response_of("local ok, text = pcall(env.input.read, "
	    "env.input) error('upload: ' .. text)") + 8,
	    "408 Request Timeout\r\nContent-Type: text/plain\r\n"
	    "Content-Length: 16\r\n\r\nRequest Timeout\n");
}
END_TEST

START_TEST(forgets_an_earlier_fault)
{
	client.error = ETIMEDOUT;
	load_accept("if not text then text = select(2, pcall(env.input.read, "
	    "env.input)) return {} end error(text)");
	ck_assert_mem_eq(serve(), "Status: 200", 11);
	client.error = 0;
	ck_assert_str_eq(serve(), NEUTRAL_500);
	assert_logged(" error ");
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("lua_input");
	TCase *t = tcase_create("input");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, reads_as_a_file_does);
	tcase_add_test(t, reads_to_the_end);
	tcase_add_test(t, has_nothing_of_an_empty_body);
	tcase_add_test(t, gives_lines);
	tcase_add_test(t, refuses_other_formats);
	tcase_add_test(t, reads_nothing_unasked);
	tcase_add_loop_test(t, gives_what_comes, 0, 6);
	tcase_add_test(t, takes_memory_for_what_comes);
	tcase_add_test(t, forgets_what_was_not_read);
	tcase_add_test(t, answers_a_late_client_with_408);
	tcase_add_test(t, answers_nobody_who_left);
	tcase_add_test(t, cuts_a_stream_when_the_body_breaks_off);
	tcase_add_test(t, forgets_an_earlier_fault);
	tcase_add_test(t, lets_the_application_catch_it);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

/* Two configurations in, what a reload does out. */

#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conf/conf_diff.h"
#include "conf/conf_key.h"
#include "conf/conf_read.h"
#include "conf/conf_value.h"

static const char *const verbs[] = { "keep", "tune", "replace", "add",
	"drop" };

static struct conf *
read_text(const char *text)
{
	char file[] = "/tmp/test_conf_diff.XXXXXX";
	struct conf_faults faults = { 0 };
	struct conf *conf;
	int fd = mkstemp(file);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, text, strlen(text)), (long)strlen(text));
	close(fd);
	conf = conf_read(file, &faults);
	conf_faults_print(&faults, stderr);
	ck_assert_ptr_nonnull(conf);
	ck_assert_int_eq(unlink(file), 0);
	return conf;
}

/* The plan as text: "keep www, add shop". */
static const char *
plan_text(const struct conf *before, const struct conf *after)
{
	static char text[512];
	struct diff_step *plan;
	size_t n, used = 0;

	text[0] = '\0';
	plan = conf_diff(before, after, &n);
	for (size_t i = 0; i < n; i++) {
		const struct conf_pool *old = plan[i].before;
		const struct conf_pool *new = plan[i].after;

		ck_assert(old == NULL || old == conf_find(before, old->name));
		ck_assert(new == NULL || new == conf_find(after, new->name));
		ck_assert_int_eq(old == NULL, plan[i].verb == DIFF_ADD);
		ck_assert_int_eq(new == NULL, plan[i].verb == DIFF_DROP);
		used += (size_t)snprintf(text + used, sizeof(text) - used,
		    "%s%s %s", i > 0 ? ", " : "", verbs[plan[i].verb],
		    new != NULL ? new->name : old->name);
	}
	free(plan);
	return text;
}

static void
assert_plan(const char *before, const char *after, const char *expected)
{
	struct conf *old = read_text(before), *new = read_text(after);

	ck_assert_str_eq(plan_text(old, new), expected);
	conf_free(old);
	conf_free(new);
}

#define TEXT(name, keys)                                                   \
	name ": { app = \"/" name "\"; listen = \"/" name ".sock\"; " keys \
	     " }; "
#define POOLS(text) "pools: { " text "};"
#define WWW(keys)   POOLS(TEXT("www", keys))

START_TEST(nothing_changed)
{
	assert_plan(WWW(""), WWW(""), "keep www");
	/* written otherwise, and elsewhere in the file */
	assert_plan(WWW(""), "\n\n" WWW("backlog = 4096; user = \"\";"
	    "timeouts: { read = 60; };"), "keep www");
}
END_TEST

START_TEST(pools_come_and_go)
{
	assert_plan(POOLS(TEXT("a", "") TEXT("b", "") TEXT("c", "")),
	    POOLS(TEXT("d", "") TEXT("c", "") TEXT("b", "backlog = 5;")),
	    "add d, keep c, replace b, drop a");
	assert_plan(POOLS(TEXT("a", "")), POOLS(TEXT("b", "")),
	    "add b, drop a");
}
END_TEST

START_TEST(no_pool_on_one_side_or_both)
{
	const struct conf none = { 0 };
	struct conf *some = read_text(WWW(""));
	size_t n = 7;

	ck_assert_str_eq(plan_text(&none, some), "add www");
	ck_assert_str_eq(plan_text(some, &none), "drop www");
	ck_assert_ptr_null(conf_diff(&none, &none, &n));
	ck_assert_uint_eq(n, 0);
	conf_free(some);
}
END_TEST

START_TEST(the_daemons_own_keys_touch_no_pool)
{
	assert_plan(WWW(""), "pid_file = \"/p\"; error_log = \"/e\"; "
	    "log_level = \"debug\"; include = \"*.none\";" WWW(""), "keep www");
}
END_TEST

/* What differs besides pool www, "" if nothing does. */
static void
assert_besides(const char *before, const char *after, const char *expected)
{
	struct conf *old = read_text(before), *new = read_text(after);
	const char *found = conf_diff_besides(old, new, "www");

	ck_assert_str_eq(found == NULL ? "" : found, expected);
	conf_free(old);
	conf_free(new);
}

START_TEST(one_pool_alone)
{
	const char *two = POOLS(TEXT("www", "") TEXT("b", ""));

	assert_besides(two, two, "");
	assert_besides(two, POOLS(TEXT("b", "") TEXT("www", "backlog = 5;")),
	    "");
	assert_besides(two, POOLS(TEXT("b", "")), "");
	assert_besides(POOLS(TEXT("b", "")), two, "");
	assert_besides(two, WWW(""), "b");
	assert_besides(WWW(""), two, "b");
	assert_besides(two, POOLS(TEXT("www", "") TEXT("b",
	    "timeouts: { stop = 5; };")), "b");
	assert_besides(WWW(""), "log_level = \"debug\";" WWW(""), "log_level");
	assert_besides(WWW(""), "process_max = 9;" WWW(""), "process_max");
}
END_TEST

/* What lua-fpm.conf(5) promises for every key of a pool. */
static const struct {
	const char *keys;
	const char *verb;
} changes[] = {
	{ "workers: { start = 3; };", "tune" },
	{ "workers: { min_spare = 2; };", "tune" },
	{ "workers: { max_spare = 4; };", "tune" },
	{ "workers: { spawn_rate = 5; };", "tune" },
	{ "workers: { loading = 3; };", "tune" },
	{ "workers: { idle_timeout = 5; };", "tune" },
	{ "timeouts: { start = 5; };", "tune" },
	{ "timeouts: { stop = 5; };", "tune" },
	{ "workers: { mode = \"static\"; };", "replace" },
	{ "workers: { max = 9; };", "replace" },
	{ "timeouts: { request = 5; };", "replace" },
	{ "timeouts: { read = 5; };", "replace" },
	{ "timeouts: { write = 5; };", "replace" },
	{ "timeouts: { keepalive = 5; };", "replace" },
	{ "limits: { head = \"1K\"; };", "replace" },
	{ "listen_owner = \"root\";", "replace" },
	{ "listen_group = \"root\";", "replace" },
	{ "listen_mode = \"0600\";", "replace" },
	{ "listen_acl_users = \"root\";", "replace" },
	{ "listen_acl_groups = \"root\";", "replace" },
	{ "backlog = 512;", "replace" },
	{ "user = \"root\";", "replace" },
	{ "user = \"root\"; group = \"root\";", "replace" },
	{ "errors_to_server = true;", "replace" },
	{ "allowed_clients = \"::1\";", "replace" },
	{ "timeout_status = 503;", "replace" },
	{ "request_id = \"X\";", "replace" },
	{ "status_path = \"/s\";", "replace" },
	{ "status_listen = \"/s\";", "replace" },
	{ "ping_path = \"/p\";", "replace" },
	{ "ping_response = \"yes\";", "replace" },
	{ "logs: { access = \"/x\"; };", "tune" },
	{ "logs: { access_format = \"json\"; };", "replace" },
	{ "logs: { access_suppress = \"/x\"; };", "replace" },
	{ "lua: { path = \"\"; };", "replace" },
	{ "lua: { cpath = \"\"; };", "replace" },
	{ "lua: { disable = \"os.execute\"; };", "replace" },
	{ "lua: { libraries = \"base\"; };", "replace" },
	{ "lua: { binary_chunks = true; };", "replace" },
	{ "http: { proxies = \"unix\"; };", "replace" },
	{ "http: { forwarded = \"none\"; };", "replace" },
	{ "http: { proxy_protocol = true; };", "replace" },
	{ "http: { request_buffer = 0; };", "replace" },
	{ "http: { response_buffer = 0; };", "replace" },
	{ "http: { max_body = 0; };", "replace" },
	{ "http: { read = 5; };", "replace" },
	{ "http: { keepalive_requests = 0; };", "replace" },
	{ "limits: { body = 1; };", "replace" },
	{ "websocket: { connections = 5; };", "replace" },
	{ "websocket: { max_message = 5; };", "replace" },
	{ "websocket: { send_buffer = \"2K\"; };", "replace" },
	{ "websocket: { ping = 5; };", "replace" },
	{ "websocket: { silence = 5; };", "replace" },
	{ "websocket: { idle = 5; };", "replace" },
	{ "websocket: { drain = 5; };", "replace" },
	{ "websocket: { origins = \"*\"; };", "replace" },
	{ "chroot = \"/x\";", "replace" },
	{ "directory = \"/x\";", "replace" },
	{ "umask = \"0\";", "replace" },
	{ "priority = 1;", "replace" },
	{ "dumpable = true;", "replace" },
	{ "environment: { A = \"\"; };", "replace" },
	{ "shared: { a = \"4K\"; };", "replace" },
	{ "clear_environment = false;", "replace" },
	{ "timeouts: { slow = 1; };", "replace" },
	{ "logs: { slow = \"/l\"; };", "tune" },
	{ "logs: { slow_depth = 9; };", "replace" },
	{ "limits: { files = 64; };", "replace" },
	{ "limits: { core = 0; };", "replace" },
	{ "timeouts: { stop = 5; read = 5; };", "replace" },
	{ "workers: { start = 3; max = 9; };", "replace" },
};

START_TEST(a_key_changed)
{
	struct conf *old = read_text(WWW(""));
	char text[256], expected[32];
	struct conf *new;

	snprintf(text, sizeof(text), POOLS("www: { app = \"/www\"; "
	    "listen = \"/www.sock\"; %s }; "), changes[_i].keys);
	snprintf(expected, sizeof(expected), "%s www", changes[_i].verb);
	new = read_text(text);
	ck_assert_str_eq(plan_text(old, new), expected);
	ck_assert_str_eq(plan_text(new, old), expected);
	conf_free(old);
	conf_free(new);
}
END_TEST

START_TEST(application_and_addresses)
{
	const char *www = WWW("");

	assert_plan(www, POOLS("www: { app = \"/w\"; "
	    "listen = \"/www.sock\"; }; "), "replace www");
	assert_plan(www, POOLS("www: { app = \"/www\"; "
	    "listen = \"/w.sock\"; }; "), "replace www");
	assert_plan(www, POOLS("www: { app = \"/www\"; "
	    "listen = ( \"/www.sock\", \"*:1\" ); }; "), "replace www");
	assert_plan(www, POOLS("www: { app = \"/www\"; "
	    "listen = ( \"/www.sock\" ); }; "), "keep www");
}
END_TEST

/* Only the first timer asks for an interval that was not asked for before. */
START_TEST(timers_are_tuned_unless_they_are_the_first)
{
	const char *none = WWW("");
	const char *one = WWW("timers: ( { name = \"a\"; every = 60; } );");
	const char *other = WWW("timers: ( { name = \"a\"; every = 61; } );");

	assert_plan(one, WWW("timers: ( { every = \"1m\"; name = \"a\"; } );"),
	    "keep www");
	assert_plan(one, other, "tune www");
	assert_plan(one, none, "tune www");
	assert_plan(none, one, "replace www");
}
END_TEST

/* A key that compare() forgot would be lost on reload: spoil each in turn. */
START_TEST(every_key_of_a_pool_counts)
{
	struct conf *old = read_text(WWW("")), *new = read_text(WWW(""));
	const struct conf_key *key;

	for (key = conf_keys; key->name != NULL; key++) {
		void *member = (char *)new->pools + key->offset;

		if (key->group == GROUP_TOP)
			continue;
		ck_assert_msg(conf_value_same(key, old->pools, new->pools),
		    "%s", key->name);
		if (key->type >= KEY_INTEGER)
			++*(int64_t *)member;
		else if (key->type == KEY_BOOL)
			*(bool *)member ^= true;
		else
			ck_assert_int_eq(conf_value_set(key, new->pools,
			    key->type == KEY_TIMERS ? "a every 1m" :
			    "OTHER=8K"), 0);
		ck_assert_msg(!conf_value_same(key, old->pools, new->pools),
		    "%s", key->name);
		ck_assert_str_ne(plan_text(old, new), "keep www");
		conf_free(new);
		new = read_text(WWW(""));
	}
	conf_free(old);
	conf_free(new);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("conf_diff");
	TCase *tc = tcase_create("plan");

	tcase_add_test(tc, nothing_changed);
	tcase_add_test(tc, pools_come_and_go);
	tcase_add_test(tc, no_pool_on_one_side_or_both);
	tcase_add_test(tc, the_daemons_own_keys_touch_no_pool);
	tcase_add_test(tc, one_pool_alone);
	tcase_add_loop_test(tc, a_key_changed, 0,
	    sizeof(changes) / sizeof(changes[0]));
	tcase_add_test(tc, application_and_addresses);
	tcase_add_test(tc, timers_are_tuned_unless_they_are_the_first);
	tcase_add_test(tc, every_key_of_a_pool_counts);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

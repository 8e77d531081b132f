/* Configuration text in, configuration or faults out. */

#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "conf/conf_dump.h"
#include "conf/conf_key.h"
#include "conf/conf_read.h"
#include "conf/conf_single.h"

#define TEXT_MOST 65536

static char scratch[] = "/tmp/test_conf.XXXXXX";
static struct conf_faults faults;
static struct conf *conf;

static void
setup(void)
{
	strcpy(scratch + strlen(scratch) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(scratch));
	ck_assert_int_eq(chdir(scratch), 0);
}

static void
teardown(void)
{
	char command[64];

	conf_free(conf);
	conf = NULL;
	conf_faults_free(&faults);
	ck_assert_int_eq(chdir("/"), 0);
	snprintf(command, sizeof(command), "rm -r %s", scratch);
	ck_assert_int_eq(system(command), 0);
}

static void
write_bytes(const char *file, const char *text, size_t len)
{
	FILE *out = fopen(file, "w");

	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(fwrite(text, 1, len, out), len);
	ck_assert_int_eq(fclose(out), 0);
}

static void
write_text(const char *file, const char *text)
{
	write_bytes(file, text, strlen(text));
}

static void
read_file(const char *file)
{
	conf_free(conf);
	conf_faults_free(&faults);
	conf = conf_read(file, &faults);
}

static void
read_text(const char *text)
{
	write_text("c", text);
	read_file("c");
}

/* What the person sees: all faults, one to a line. */
static const char *
faults_text(void)
{
	static char text[TEXT_MOST];
	FILE *out = fmemopen(text, sizeof(text), "w");

	ck_assert_ptr_nonnull(out);
	text[0] = '\0';
	conf_faults_print(&faults, out);
	ck_assert_int_eq(fclose(out), 0);
	return text;
}

static void
assert_faults(const char *expected)
{
	ck_assert_ptr_null(conf);
	ck_assert_str_eq(faults_text(), expected);
}

static void
assert_good(void)
{
	ck_assert_str_eq(faults_text(), "");
	ck_assert_ptr_nonnull(conf);
}

static const char *
dump(void)
{
	static char text[TEXT_MOST];
	FILE *out = fmemopen(text, sizeof(text), "w");

	ck_assert_ptr_nonnull(out);
	ck_assert_int_eq(conf_dump(conf, out), 0);
	ck_assert_int_eq(fclose(out), 0);
	return text;
}

#define MINIMAL	   "pools: { www: { app = \"/a\"; listen = \"/s\"; "
#define END	   "}; };\n"
#define POOL(text) MINIMAL text END

/* ---- what is right ------------------------------------------------------ */

START_TEST(defaults_are_filled_in)
{
	read_text(POOL(""));
	assert_good();
	ck_assert_str_eq(dump(),
	    "pid_file = \"\";\n"
	    "error_log = \"stderr\";\n"
	    "log_level = \"notice\";\n"
	    "include = \"\";\n"
	    "\n"
	    "pools: {\n"
	    "\twww: {\n"
	    "\t\tapp = \"/a\";\n"
	    "\t\tlisten = \"/s\";\n"
	    "\t\tlisten_owner = \"\";\n"
	    "\t\tlisten_group = \"\";\n"
	    "\t\tlisten_mode = \"0660\";\n"
	    "\t\tbacklog = 511;\n"
	    "\t\tuser = \"\";\n"
	    "\t\tgroup = \"\";\n"
	    "\t\terrors_to_server = false;\n"
	    "\t\tworkers: {\n"
	    "\t\t\tmode = \"dynamic\";\n"
	    "\t\t\tmax = 8;\n"
	    "\t\t\tstart = 2;\n"
	    "\t\t\tmin_spare = 1;\n"
	    "\t\t\tmax_spare = 3;\n"
	    "\t\t\tspawn_rate = 32;\n"
	    "\t\t\tidle_timeout = \"10s\";\n"
	    "\t\t};\n"
	    "\t\ttimeouts: {\n"
	    "\t\t\tstart = \"30s\";\n"
	    "\t\t\tread = \"1m\";\n"
	    "\t\t\twrite = \"1m\";\n"
	    "\t\t\tkeepalive = \"75s\";\n"
	    "\t\t\tstop = \"30s\";\n"
	    "\t\t};\n"
	    "\t\tlimits: {\n"
	    "\t\t\thead = \"64K\";\n"
	    "\t\t};\n"
	    "\t};\n"
	    "};\n");
	ck_assert_ptr_null(conf->pid_file);
	ck_assert_ptr_null(conf->pools[0].user);
	ck_assert_str_eq(conf->pools[0].file, "c");
	ck_assert_int_eq(conf->pools[0].line, 1);
}
END_TEST

/* A row for every key (tests/lint/keys sees to it): how a good value is
 * written, how it is dumped, a bad value and what is said of it. */
static const struct row {
	const char *key;
	const char *good;
	const char *dumped;
	const char *bad;
	const char *said;
} rows[] = {
	{ "pid_file", "\"/run/x.pid\"", "\"/run/x.pid\"", "1",
	    "expected a string of 0 to 4095 bytes, found 1" },
	{ "error_log", "\"/var/x.log\"", "\"/var/x.log\"", "\"\"",
	    "expected a string of 1 to 4095 bytes, found \"\"" },
	{ "log_level", "\"debug\"", "\"debug\"", "\"Debug\"",
	    "expected one of \"debug\", \"info\", \"notice\", \"warning\", "
	    "\"error\", \"alert\", found \"Debug\"" },
	{ "include", "\"*.none\"", "\"\"", "true",
	    "expected a string of 0 to 4095 bytes, found true" },
	{ "app", "\"/x/\\\"\\\\\\x07\\xc3\\xa9\"", "\"/x/\\\"\\\\\\x07é\"",
	    "( \"/x\" )",
	    "expected a string of 1 to 4095 bytes, found a list" },
	{ "listen", "[ \"/a\", \"/b\" ]", "( \"/a\", \"/b\" )", "( )",
	    "expected a string or a list of strings, none empty, found a list" },
	{ "listen_owner", "\"root\"", "\"root\"", "0",
	    "expected a string of 0 to 255 bytes, found 0" },
	{ "listen_group", "\"0\"", "\"0\"", "{ }",
	    "expected a string of 0 to 255 bytes, found a group" },
	{ "listen_mode", "\"66\"", "\"0066\"", "0660",
	    "expected an octal mode in quotes, up to \"0777\", found 660" },
	{ "backlog", "65535", "65535", "65536",
	    "expected an integer from 1 to 65535, found 65536" },
	{ "user", "\"12345\"", "\"12345\"", "1.5",
	    "expected a string of 0 to 255 bytes, found a number with a "
	    "fraction" },
	{ "group", "\"root\"", "\"root\"", "false",
	    "expected a string of 0 to 255 bytes, found false" },
	{ "errors_to_server", "true", "true", "\"true\"",
	    "expected true or false, found \"true\"" },
	{ "workers.mode", "\"static\"", "\"static\"", "\"statics\"",
	    "expected one of \"static\", \"dynamic\", \"ondemand\", found "
	    "\"statics\"" },
	{ "workers.max", "10000", "10000", "\"20\"",
	    "expected an integer from 1 to 10000, found \"20\"" },
	{ "workers.start", "3", "3", "0",
	    "expected an integer from 1 to 10000, found 0" },
	{ "workers.min_spare", "2", "2", "-2147483648",
	    "expected an integer from 1 to 10000, found -2147483648" },
	{ "workers.max_spare", "8", "8", "4294967299L",
	    "expected an integer from 1 to 10000, found 4294967299" },
	{ "workers.spawn_rate", "0x10", "16", "2000",
	    "expected an integer from 1 to 1024, found 2000" },
	{ "workers.idle_timeout", "\"1500ms\"", "\"1500ms\"", "\"1.5s\"",
	    "expected a duration from 10ms to 1d, found \"1.5s\"" },
	{ "timeouts.start", "90", "\"90s\"", "-1",
	    "expected a duration from 10ms to 1d, found -1" },
	{ "timeouts.read", "\"10ms\"", "\"10ms\"", "\"9ms\"",
	    "expected a duration from 10ms to 1d, found \"9ms\"" },
	{ "timeouts.write", "\"1d\"", "\"1d\"", "86401",
	    "expected a duration from 10ms to 1d, found 86401" },
	{ "timeouts.keepalive", "\"5m\"", "\"5m\"", "\"10 s\"",
	    "expected a duration from 10ms to 1d, found \"10 s\"" },
	{ "timeouts.stop", "\"2h\"", "\"2h\"", "9223372036854775807L",
	    "expected a duration from 10ms to 1d, found 9223372036854775807" },
	{ "limits.head", "4096", "\"4K\"", "\"2M\"",
	    "expected a size from 1K to 1M, found \"2M\"" },
};

/* A whole configuration in which `key` has `value` on line 2. */
static const char *
with(const char *key, const char *value)
{
	static char text[1024];
	const char *dot = strchr(key, '.');
	const bool top = strcmp(key, "pid_file") == 0 ||
	    strcmp(key, "error_log") == 0 || strcmp(key, "log_level") == 0 ||
	    strcmp(key, "include") == 0;

	snprintf(text, sizeof(text), "%s\n%.*s%s%s = %s;%s\n%s%s%s" END,
	    top ? "" : "pools: { www: {", dot != NULL ? (int)(dot - key) : 0,
	    key, dot != NULL ? ": { " : "", dot != NULL ? dot + 1 : key, value,
	    dot != NULL ? " };" : "", top ? "pools: { www: {" : "",
	    strcmp(key, "app") == 0 ? "" : "app = \"/a\";",
	    strcmp(key, "listen") == 0 ? "" : "listen = \"/s\";");
	if (strcmp(key, "group") == 0)
		strcpy(text + strlen(text) - strlen(END),
		    "user = \"root\";" END);
	return text;
}

START_TEST(a_key_is_read_and_dumped)
{
	const struct row *row = &rows[_i];
	const char *dot = strchr(row->key, '.');
	char line[256], group[64];
	const char *from;

	read_text(with(row->key, row->good));
	assert_good();
	from = dump();
	if (dot != NULL) { /* a name is unique within its group only */
		snprintf(group, sizeof(group), "%.*s: {\n",
		    (int)(dot - row->key), row->key);
		from = strstr(from, group);
	}
	snprintf(line, sizeof(line), "%s = %s;\n",
	    dot != NULL ? dot + 1 : row->key, row->dumped);
	ck_assert_msg(strstr(from, line) != NULL, "no %s in %s", line, from);
}
END_TEST

START_TEST(a_bad_value_is_a_fault)
{
	const struct row *row = &rows[_i];
	bool top = conf_key_find(GROUP_TOP, row->key) != NULL;
	char expected[512];

	read_text(with(row->key, row->bad));
	snprintf(expected, sizeof(expected), "c:2: %s%s: %s\n",
	    top ? "" : "pool www: ", row->key, row->said);
	assert_faults(expected);
}
END_TEST

START_TEST(a_dump_reads_back)
{
	static char first[TEXT_MOST];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		read_text(with(rows[i].key, rows[i].good));
		assert_good();
		strcpy(first, dump());
		read_text(first);
		assert_good();
		ck_assert_str_eq(dump(), first);
	}
}
END_TEST

START_TEST(levels_are_those_of_the_log)
{
	for (int level = LEVEL_DEBUG; level <= LEVEL_ALERT; level++) {
		char value[32];

		snprintf(value, sizeof(value), "\"%s\"",
		    log_level_name((enum log_level)level));
		read_text(with("log_level", value));
		assert_good();
		ck_assert_int_eq(conf->log_level, level);
	}
}
END_TEST

START_TEST(spare_workers_default_to_what_fits)
{
	read_text(POOL("workers: { max = 2; };"));
	assert_good();
	ck_assert_int_eq(conf->pools[0].workers.max_spare, 2);
	ck_assert_int_eq(conf->pools[0].workers.start, 1);
	read_text(POOL("workers: { max = 20; min_spare = 5; };"));
	assert_good();
	ck_assert_int_eq(conf->pools[0].workers.max_spare, 5);
	ck_assert_int_eq(conf->pools[0].workers.start, 5);
	read_text(POOL("workers: { max = 1; };"));
	assert_good();
	ck_assert_int_eq(conf->pools[0].workers.start, 1);
}
END_TEST

START_TEST(other_modes_ignore_spare_workers)
{
	read_text(POOL("workers: { mode = \"static\"; max = 2; start = 9; "
	    "min_spare = 8; max_spare = 7; };"));
	assert_good();
	read_text(POOL("workers: { mode = \"ondemand\"; max = 1; "
	    "min_spare = 8; };"));
	assert_good();
}
END_TEST

START_TEST(a_relative_app_is_found_beside_its_file)
{
	char expected[64];

	ck_assert_int_eq(mkdir("sub", 0755), 0);
	write_text("sub/c", "pools: { www: { app = \"x/a.lua\"; "
	    "listen = \"/s\"; }; };");
	snprintf(expected, sizeof(expected), "%s/sub/x/a.lua", scratch);
	read_file("sub/c");
	assert_good();
	ck_assert_str_eq(conf->pools[0].app, expected);
	ck_assert_int_eq(chdir("sub"), 0);
	read_file("./c");
	assert_good();
	ck_assert_str_eq(conf->pools[0].app, expected);
}
END_TEST

START_TEST(two_hundred_pools)
{
	static char text[TEXT_MOST];
	size_t used = (size_t)snprintf(text, sizeof(text), "pools: {\n");

	for (int i = 0; i < 200; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
		    "p%d: { app = \"/a\"; listen = \"/s%d\"; "
		    "workers: { max = %d; }; };\n", i, i, i + 1);
	snprintf(text + used, sizeof(text) - used, "};");
	read_text(text);
	assert_good();
	ck_assert_uint_eq(conf->npools, 200);
	ck_assert_str_eq(conf_find(conf, "p199")->listen.item[0], "/s199");
	ck_assert_int_eq(conf_find(conf, "p199")->workers.max, 200);
	ck_assert_int_eq(conf_find(conf, "p199")->line, 201);
	ck_assert_ptr_null(conf_find(conf, "p200"));
}
END_TEST

/* ---- what is wrong ------------------------------------------------------ */

static const struct {
	const char *text;
	const char *faults;
} wrong[] = {
	{ "", "c: there is no pool\n" },
	{ "# nothing but words\n", "c: there is no pool\n" },
	{ "pools: { };", "c: there is no pool\n" },
	{ "pools = 3;", "c:1: pools: expected a group in braces, found 3\n" },
	{ "pools: { www = 3; };",
	    "c:1: www: expected a group in braces, found 3\n" },
	{ "\n\npools: { www: { }; };",
	    "c:3: pool www: app is missing\n"
	    "c:3: pool www: listen is missing\n" },
	{ POOL("\nx = 1;\n") "y = \"\n\";\npools2: { };",
	    "c:2: pool www: x: unknown key\n"
	    "c:4: y: unknown key\n"
	    "c:6: pools2: unknown key\n" },
	{ POOL("workers: { q = 1; }; timeouts: { q = 1; }; "
	    "limits: { q = 1; }; q: { };"),
	    "c:1: pool www: workers.q: unknown key\n"
	    "c:1: pool www: timeouts.q: unknown key\n"
	    "c:1: pool www: limits.q: unknown key\n"
	    "c:1: pool www: q: unknown key\n" },
	{ POOL("workers = 5; limits = ( 1 );"),
	    "c:1: pool www: workers: expected a group in braces, found 5\n"
	    "c:1: pool www: limits: expected a group in braces, found a "
	    "list\n" },
	/* a key at fault is not also missing, or compared as its default */
	{ "pools: { www: {\napp = 1;\nlisten = ( );\n"
	    "workers: { max = 0; start = 9; }; }; };",
	    "c:2: pool www: app: expected a string of 1 to 4095 bytes, "
	    "found 1\n"
	    "c:3: pool www: listen: expected a string or a list of strings, "
	    "none empty, found a list\n"
	    "c:4: pool www: workers.max: expected an integer from 1 to "
	    "10000, found 0\n" },
	{ "pools: { www: { app = \"a\"; listen = ( \"/a\",\n\"\",\n3 ); }; };",
	    "c:2: pool www: listen: expected a string or a list of strings, "
	    "none empty, found \"\"\n"
	    "c:3: pool www: listen: expected a string or a list of strings, "
	    "none empty, found 3\n" },
	{ POOL("workers: {\nmax_spare = 9; };"),
	    "c:2: pool www: workers.max_spare (9) is above workers.max (8)\n" },
	{ POOL("workers: {\nmin_spare = 9; };"),
	    "c:2: pool www: workers.min_spare (9) is above workers.max (8)\n" },
	{ POOL("workers: {\nmin_spare = 4;\nmax_spare = 3; };"),
	    "c:2: pool www: workers.min_spare (4) is above "
	    "workers.max_spare (3)\n" },
	{ POOL("workers: {\nstart = 4; };"),
	    "c:2: pool www: workers.start (4) is above "
	    "workers.max_spare (3)\n" },
	{ POOL("workers: {\nmin_spare = 2;\nstart = 1; };"),
	    "c:3: pool www: workers.start (1) is below "
	    "workers.min_spare (2)\n" },
	{ POOL("\ngroup = \"root\";"),
	    "c:2: pool www: group is set without user\n" },
	{ POOL("\nuser = \"no such\";\ngroup = \"none\";\n"
	    "listen_owner = \"nope\";\nlisten_group = \"-1\";"),
	    "c:2: pool www: user: there is no user \"no such\"\n"
	    "c:3: pool www: group: there is no group \"none\"\n"
	    "c:4: pool www: listen_owner: there is no user \"nope\"\n"
	    "c:5: pool www: listen_group: there is no group \"-1\"\n" },
	{ "pools: { a: { app = \"a\"; listen = ( \"/x\", \"/x\" ); };\n"
	    "b: { app = \"a\";\nlisten = \"/x\"; }; };",
	    "c:1: pool a: listen: \"/x\" is there twice\n"
	    "c:3: pool b: listen: \"/x\" belongs to pool a already\n" },
	{ "pools: {\n*: { app = \"a\"; listen = \"/x\"; }; };",
	    "c:2: pool *: the name must be 1 to 32 letters, digits, '_' or "
	    "'-'\n" },
	{ "pools: { a23456789012345678901234567890123: { app = \"a\"; "
	    "listen = \"/x\"; }; };",
	    "c:1: pool a23456789012345678901234567890123: the name must be "
	    "1 to 32 letters, digits, '_' or '-'\n" },
	{ "a = 1;\nb = ;\n", "c:2: syntax error\n" },
	{ MINIMAL, "c:1: syntax error\n" },
	{ POOL("\nbacklog = 5;\nbacklog = 6;"),
	    "c:3: duplicate setting name\n" },
	{ "pools: { a: { };\na: { }; };", "c:2: duplicate setting name\n" },
	{ POOL("\nbacklog = 4294967297;"),
	    "c:2: an integer that is too large\n" },
	{ POOL("\nbacklog = 0x1000000ff;"),
	    "c:2: an integer that is too large\n" },
	{ POOL("\nbacklog = -99999999999999999999999999999999999;"),
	    "c:2: an integer that is too large\n" },
	{ POOL("\nbacklog = 99999999999999999999L;"),
	    "c:2: an integer that is too large\n" },
	{ POOL("") "\n  @include \"x\"\n",
	    "c:3: @include is not supported: set the key include\n" },
	{ POOL("\nuser = \"x\\\"; };\n\n"), "c:2: a string without an end\n" },
	{ POOL("") "/* // \n", "c:2: a comment without an end\n" },
	{ POOL("\nuser = \"\\x1b[2J\\n\";"),
	    "c:2: pool www: user: there is no user \"?[2J?\"\n" },
};

START_TEST(a_fault_is_reported)
{
	read_text(wrong[_i].text);
	assert_faults(wrong[_i].faults);
}
END_TEST

START_TEST(numbers_elsewhere_are_no_numbers)
{
	read_text("# 99999999999 @include\n// 99999999999 \"\n"
	    "/* 99999999999 \" */"
	    "pools: { a-99999999999: { app = \"99999999999 @include # \\\" /* "
	    "\"; listen = \"/s\"; }; };");
	assert_good();
	ck_assert_str_eq(conf->pools[0].name, "a-99999999999");
}
END_TEST

START_TEST(a_file_that_is_no_configuration)
{
	read_file("missing");
	assert_faults("missing: cannot be read: No such file or directory\n");
	read_file(".");
	assert_faults(".: cannot be read: Is a directory\n");
	read_file("/dev/zero");
	assert_faults("/dev/zero: cannot be read: File too large\n");
	write_bytes("c", "\x7f" "ELF\n\0\1\2", 8);
	read_file("c");
	assert_faults("c:2: a NUL byte: this is no text\n");
	write_bytes("c", "\xff\xfe\x01\x80", 4);
	read_file("c");
	assert_faults("c:1: syntax error\n");
}
END_TEST

START_TEST(a_file_that_may_not_be_read)
{
	bool root = geteuid() == 0;

	write_text("c", POOL(""));
	ck_assert_int_eq(chmod("c", 0), 0);
	if (root)
		ck_assert_int_eq(seteuid(65534), 0);
	read_file("c");
	if (root)
		ck_assert_int_eq(seteuid(0), 0);
	assert_faults("c: cannot be read: Permission denied\n");
}
END_TEST

/* ---- include ------------------------------------------------------------ */

#define PART(name, sock) \
	"\npools: { " name ": { app = \"a\"; listen = \"" sock "\"; }; };"

static void
make_parts(void)
{
	ck_assert_int_eq(mkdir("d[1]", 0755), 0);
	write_text("d[1]/main", "include = \"*.conf\";" PART("a", "/a"));
	write_text("d[1]/2.conf", PART("c", "/c"));
	write_text("d[1]/1.conf", PART("b", "/b"));
	write_text("d[1]/3.conf~", "rubbish");
}

START_TEST(included_pools_come_in_order)
{
	char path[64];

	make_parts();
	read_file("d[1]/main");
	assert_good();
	ck_assert_uint_eq(conf->npools, 3);
	ck_assert_str_eq(conf->pools[0].name, "a");
	ck_assert_str_eq(conf->pools[1].name, "b");
	ck_assert_str_eq(conf->pools[2].name, "c");
	snprintf(path, sizeof(path), "%s/d[1]/1.conf", scratch);
	ck_assert_str_eq(conf->pools[1].file, path);
	snprintf(path, sizeof(path), "%s/d[1]/a", scratch);
	ck_assert_str_eq(conf->pools[1].app, path);
}
END_TEST

START_TEST(faults_of_included_files_name_them)
{
	char expected[1024];

	make_parts();
	write_text("d[1]/2.conf", "pid_file = \"x\";\ninclude = \"y\";\nz = 1;"
	    PART("a", "/b"));
	write_text("d[1]/4.conf", "{");
	read_file("d[1]/main");
	snprintf(expected, sizeof(expected),
	    "%1$s/d[1]/2.conf:1: pid_file: an included file may hold nothing "
	    "but pools\n"
	    "%1$s/d[1]/2.conf:2: include: an included file may hold nothing "
	    "but pools\n"
	    "%1$s/d[1]/2.conf:3: z: unknown key\n"
	    "%1$s/d[1]/4.conf:1: syntax error\n"
	    "%1$s/d[1]/2.conf:4: pool a: defined already at d[1]/main:2\n"
	    "%1$s/d[1]/2.conf:4: pool a: listen: \"/b\" belongs to pool b "
	    "already\n", scratch);
	assert_faults(expected);
}
END_TEST

START_TEST(an_include_may_match_nothing_but_not_miss)
{
	char expected[128];

	read_text("include = \"none.d/*.conf\";" POOL(""));
	assert_good();
	read_text("include = \"none.conf\";" POOL(""));
	snprintf(expected, sizeof(expected), "%s/none.conf: cannot be read: "
	    "No such file or directory\n", scratch);
	assert_faults(expected);
	write_text("one.conf", PART("b", "/b"));
	read_text("include = \"./one.conf\";" POOL(""));
	assert_good();
	ck_assert_uint_eq(conf->npools, 2);
}
END_TEST

START_TEST(an_include_directory_that_may_not_be_read)
{
	bool root = geteuid() == 0;

	ck_assert_int_eq(mkdir("shut", 0), 0);
	write_text("c", "\ninclude = \"shut/*.conf\";" POOL(""));
	ck_assert_int_eq(chmod("c", 0644), 0);
	ck_assert_int_eq(chmod(".", 0755), 0);
	if (root)
		ck_assert_int_eq(seteuid(65534), 0);
	read_file("c");
	if (root)
		ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(rmdir("shut"), 0);
	assert_faults("c:2: include: shut/*.conf: Permission denied\n");
}
END_TEST

/* ---- without a file, and the file that is installed --------------------- */

START_TEST(a_single_pool_is_static)
{
	char expected[64];

	conf = conf_single("app.lua", "127.0.0.1:9000", 5, NULL, &faults);
	assert_good();
	snprintf(expected, sizeof(expected), "%s/app.lua", scratch);
	ck_assert_uint_eq(conf->npools, 1);
	ck_assert_str_eq(conf->pools[0].name, "main");
	ck_assert_str_eq(conf->pools[0].app, expected);
	ck_assert_str_eq(conf->pools[0].listen.item[0], "127.0.0.1:9000");
	ck_assert_int_eq(conf->pools[0].workers.mode, MODE_STATIC);
	ck_assert_int_eq(conf->pools[0].workers.max, 5);
	ck_assert_int_eq(conf->pools[0].timeouts.stop, 30000);
	ck_assert_ptr_null(conf->pools[0].user);
	ck_assert_ptr_null(conf->pid_file);
	ck_assert_str_eq(conf->error_log, "stderr");
}
END_TEST

START_TEST(a_single_pool_at_fault)
{
	conf = conf_single("", "", 0, "no such", &faults);
	assert_faults("command line: app: expected a string of 1 to 4095 "
	    "bytes, found \"\"\n"
	    "command line: listen: expected a string or a list of strings, "
	    "none empty, found \"\"\n"
	    "command line: max: expected an integer from 1 to 10000, found "
	    "\"0\"\n");
	conf_faults_free(&faults);
	conf = conf_single("a", "/s", 1, "no such", &faults);
	assert_faults("command line: pool main: user: there is no user "
	    "\"no such\"\n");
}
END_TEST

/* Turn "#key = value;" into "key = value;"; "# words" stay. */
static void
uncomment(FILE *in, FILE *out)
{
	char line[512];

	while (fgets(line, sizeof(line), in) != NULL) {
		size_t blank = strspn(line, "\t");

		fprintf(out, "%.*s%s", (int)blank, line, line + blank +
		    (line[blank] == '#' && strchr(" \t\n", line[blank + 1]) ==
		    NULL));
	}
}

START_TEST(the_example_shows_the_defaults)
{
	const char *top = getenv("TOP_SRCDIR");
	char path[4200], *quiet;
	FILE *in, *out = fopen("c", "w");

	ck_assert_msg(top != NULL, "TOP_SRCDIR is not set");
	snprintf(path, sizeof(path), "%s/conf/lua-fpm.conf", top);
	ck_assert_ptr_nonnull(in = fopen(path, "r"));
	ck_assert_ptr_nonnull(out);
	uncomment(in, out);
	fclose(in);
	ck_assert_int_eq(fclose(out), 0);
	read_file(path);
	assert_good();
	quiet = strdup(dump());
	read_file("c");
	assert_good();
	ck_assert_str_eq(dump(), quiet);
	free(quiet);
}
END_TEST

static TCase *
reading(void)
{
	const int nrows = sizeof(rows) / sizeof(rows[0]);
	TCase *tc = tcase_create("reading");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, defaults_are_filled_in);
	tcase_add_loop_test(tc, a_key_is_read_and_dumped, 0, nrows);
	tcase_add_loop_test(tc, a_bad_value_is_a_fault, 0, nrows);
	tcase_add_test(tc, a_dump_reads_back);
	tcase_add_test(tc, levels_are_those_of_the_log);
	tcase_add_test(tc, spare_workers_default_to_what_fits);
	tcase_add_test(tc, other_modes_ignore_spare_workers);
	tcase_add_test(tc, a_relative_app_is_found_beside_its_file);
	tcase_add_test(tc, two_hundred_pools);
	tcase_add_test(tc, the_example_shows_the_defaults);
	return tc;
}

static TCase *
faulty(void)
{
	TCase *tc = tcase_create("faults");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, a_fault_is_reported, 0,
	    sizeof(wrong) / sizeof(wrong[0]));
	tcase_add_test(tc, numbers_elsewhere_are_no_numbers);
	tcase_add_test(tc, a_file_that_is_no_configuration);
	tcase_add_test(tc, a_file_that_may_not_be_read);
	return tc;
}

static TCase *
including(void)
{
	TCase *tc = tcase_create("include");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, included_pools_come_in_order);
	tcase_add_test(tc, faults_of_included_files_name_them);
	tcase_add_test(tc, an_include_may_match_nothing_but_not_miss);
	tcase_add_test(tc, an_include_directory_that_may_not_be_read);
	tcase_add_test(tc, a_single_pool_is_static);
	tcase_add_test(tc, a_single_pool_at_fault);
	return tc;
}

static Suite *
suite(void)
{
	Suite *s = suite_create("conf");

	suite_add_tcase(s, reading());
	suite_add_tcase(s, faulty());
	suite_add_tcase(s, including());
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

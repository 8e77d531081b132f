/* Bad configurations in, faults with file and line out. */

#include "conf_unit.h"

#include <sys/stat.h>

/* ---- what is wrong ------------------------------------------------------ */

#define SIZES "expected a group of sizes, { NAME = \"16M\"; }, from 4K to " \
	"8G, with names of letters, digits and '_', "

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
	/* all that is set is judged at once */
	{ POOL("workers: {\nmax = 4;\nmin_spare = 5;\nmax_spare = 2;\n"
	    "start = 9; };"),
	    "c:3: pool www: workers.min_spare (5) is above "
	    "workers.max_spare (2)\n"
	    "c:5: pool www: workers.start (9) is above "
	    "workers.max_spare (2)\n" },
	{ POOL("workers: {\nmax_spare = 9;\nmin_spare = 10; };"),
	    "c:2: pool www: workers.max_spare (9) is above workers.max (8)\n"
	    "c:3: pool www: workers.min_spare (10) is above workers.max "
	    "(8)\n" },
	{ POOL("\nx = 1;\n") "y = \"\n\";\npools2: { };",
	    "c:2: pool www: x: unknown key\n"
	    "c:4: y: unknown key\n"
	    "c:6: pools2: unknown key; did you mean \"pools\"?\n" },
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
	/* every fault of every timer */
	{ POOL("timers: (\n5,\n{ name = \"a b\"; every = \"1m\"; },\n"
	    "{ every = \"1m\"; },\n{ name = \"a\"; },\n{ name = \"a\"; "
	    "every = \"1m\"; at = \"03:30\"; },\n{ name = \"a\"; every = "
	    "\"50ms\"; },\n{ name = \"a\"; at = \"24:00\"; },\n"
	    "{ name = \"a\"; at = 330; },\n{ name = \"a\"; evry = 5; } );"),
	    "c:2: pool www: timers: expected a timer as { name = "
	    "\"cleanup\"; every = \"1m\"; }, found 5\n"
	    "c:3: pool www: timers: name: expected 1 to 32 letters, digits, "
	    "'_' and '-' in double quotes, found \"a b\"\n"
	    "c:4: pool www: timers: a timer has no name\n"
	    "c:5: pool www: timers: a timer has neither every nor at: exactly "
	    "one of them\n"
	    "c:6: pool www: timers: a timer has both every and at: exactly "
	    "one of them\n"
	    "c:7: pool www: timers: every: expected a duration as \"1m\", "
	    "from 100ms to 30d, found \"50ms\"\n"
	    "c:8: pool www: timers: at: expected a time of the day as "
	    "\"03:30\", found \"24:00\"\n"
	    "c:9: pool www: timers: at: expected a time of the day as "
	    "\"03:30\", found 330\n"
	    "c:10: pool www: timers: unknown key evry; a timer has a name, and "
	    "every or at\n"
	    "c:10: pool www: timers: a timer has neither every nor at: exactly "
	    "one of them\n" },
	{ POOL("timers: (\n{ name = \"a\"; every = 5; },\n{ name = \"ab\"; "
	    "every = 5; },\n{ name = \"a\"; at = \"00:00\"; } );"),
	    "c:4: pool www: timers: \"a\" is there twice\n" },
	{ POOL("timers: { name = \"a\"; };"),
	    "c:1: pool www: timers: expected a list of timers, ( { name = "
	    "\"cleanup\"; every = \"1m\"; }, ... ), found a group\n" },
	/* a key at fault is not also missing, or compared as its default */
	{ "pools: { www: {\napp = 1;\nlisten = ( );\n"
	    "workers: { max = 0; start = 9; }; }; };",
	    "c:2: pool www: app: expected a string in double quotes, of 1 "
	    "to 4095 bytes, found 1\n"
	    "c:3: pool www: listen: expected an address as "
	    "\"/run/www.sock\", \"127.0.0.1:9000\" or "
	    "\"http:127.0.0.1:8080\", or a list of them, ( "
	    "\"...\", \"...\" ), found a list\n"
	    "c:4: pool www: workers.max: expected an integer as 8, from 1 "
	    "to 10000, found 0\n" },
	{ "pools: { www: { app = \"a\"; listen = ( \"/a\",\n\"\",\n3 ); }; };",
	    "c:2: pool www: listen: expected an address as "
	    "\"/run/www.sock\", \"127.0.0.1:9000\" or "
	    "\"http:127.0.0.1:8080\", or a list of them, ( "
	    "\"...\", \"...\" ), found \"\"\n"
	    "c:3: pool www: listen: expected an address as "
	    "\"/run/www.sock\", \"127.0.0.1:9000\" or "
	    "\"http:127.0.0.1:8080\", or a list of them, ( "
	    "\"...\", \"...\" ), found 3\n" },
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
	{ POOL("\nchroot = \"r\";\ndirectory = \"./d\";\n"
	    "limits: { files = 63; };"),
	    "c:2: pool www: chroot: \"r\" does not begin with '/'\n"
	    "c:3: pool www: directory: \"./d\" does not begin with '/'\n"
	    "c:4: pool www: limits.files (63) is below 64, of which a worker "
	    "needs some itself\n" },
	{ POOL("\nstatus_path = \"s\";\nping_path = \"s\";"),
	    "c:2: pool www: status_path: \"s\" does not begin with '/'\n"
	    "c:3: pool www: ping_path: \"s\" does not begin with '/'\n"
	    "c:3: pool www: ping_path is the same as status_path\n" },
	{ POOL("timeouts: {\nslow = \"90ms\"; };"),
	    "c:2: pool www: timeouts.slow is below 100ms\n" },
	{ POOL("timeouts: {\nqueue = \"90ms\"; };"),
	    "c:2: pool www: timeouts.queue is below 100ms\n" },
	{ POOL("timeouts: {\nslow = \"5s\";\nrequest = \"5s\"; };"),
	    "c:2: pool www: timeouts.slow is not below timeouts.request\n" },
	{ POOL("logs: {\naccess = \"sdterr\";\naccess_format = \"%m %y\";\n"
	    "access_suppress = ( \"/a\", \"b\" ); };"),
	    "c:2: pool www: logs.access: \"sdterr\" is neither an absolute "
	    "path nor \"stdout\", \"stderr\", \"syslog\" or "
	    "\"error_log\"\n"
	    "c:3: pool www: logs.access_format: no specifier at byte 4: "
	    "\"%y\"\n"
	    "c:4: pool www: logs.access_suppress: \"b\" does not begin with "
	    "'/'\n" },
	{ POOL("environment: {\nA-B = \"x\";\nC = 5;\nD = ( ); };"),
	    "c:2: pool www: environment.A-B: no name of a variable: letters, "
	    "digits and '_'\n"
	    "c:3: pool www: environment.C: expected a string, found 5\n"
	    "c:4: pool www: environment.D: expected a string, found a "
	    "list\n" },
	{ POOL("shared: {\nA-B = \"1M\";\nc = 4095;\nd = \"9G\";\n"
	    "e = \"x\";\nf = ( ); };"),
	    "c:2: pool www: shared.A-B: " SIZES "found \"1M\"\n"
	    "c:3: pool www: shared.c: " SIZES "found 4095\n"
	    "c:4: pool www: shared.d: " SIZES "found \"9G\"\n"
	    "c:5: pool www: shared.e: " SIZES "found \"x\"\n"
	    "c:6: pool www: shared.f: " SIZES "found a list\n" },
	{ "\ncontrol = \"./c.sock\";\n" POOL(""),
	    "c:2: control: \"./c.sock\" does not begin with '/'\n" },
	{ "\n\ncontrol = \"/s\";\n" POOL(""),
	    "c:3: control: pool www listens on \"/s\" already\n" },
	{ "\nprocess_max = 3;\npools: {\n"
	    "a: { app = \"a\"; listen = \"/a\"; }; "
	    "b: { app = \"a\"; listen = \"/b\"; workers: { "
	    "mode = \"static\"; max = 2; }; }; "
	    "c: { app = \"a\"; listen = \"/c\"; workers: { "
	    "mode = \"ondemand\"; max = 9; }; }; };",
	    "c:2: process_max (3) is below the 4 workers that the pools start "
	    "with\n" },
	{ POOL("lua: {\ndisable = ( \"os.exec\", \"os.execute\", \"all\" );\n"
	    "libraries = ( \"all\", \"base\", \"bit32\" ); };"),
	    "c:2: pool www: lua.disable: \"os.exec\" is no function and no "
	    "library of Lua\n"
	    "c:2: pool www: lua.disable: \"all\" is no function and no "
	    "library of Lua\n"
	    "c:3: pool www: lua.libraries: \"all\" stands alone\n"
	    "c:3: pool www: lua.libraries: \"bit32\" is no library of "
	    "Lua\n" },
	{ POOL("\nallowed_clients = ( \"::1\", \"web\", \"10.0.0.1/8\" );"),
	    "c:2: pool www: allowed_clients: \"web\" is no address\n"
	    "c:2: pool www: allowed_clients: \"10.0.0.1/8\" has bits beyond "
	    "its length\n" },
	{ POOL("http: {\nproxies = ( \"unix\", \"10.0.0.0/8\", \"nginx\", "
	    "\"10.0.0.1/8\" ); };"),
	    "c:2: pool www: http.proxies: \"nginx\" is no address\n"
	    "c:2: pool www: http.proxies: \"10.0.0.1/8\" has bits beyond its "
	    "length\n" },
	{ POOL("http: {\nforwarded = \"xff\";\nforward = 1; };"),
	    "c:2: pool www: http.forwarded: expected one of \"none\", "
	    "\"x-forwarded-for\", \"forwarded\", found \"xff\"\n"
	    "c:3: pool www: http.forward: unknown key; did you mean "
	    "\"forwarded\"?\n" },
	{ POOL("websocket: {\norigins = ( \"same\", \"*\", \"https://a.b\", "
	    "\"a.b\", \"https://a.b/\" ); };"),
	    "c:2: pool www: websocket.origins: expected \"same\", \"*\", a "
	    "host, or an origin as \"https://example.com\", found "
	    "\"https://a.b/\"\n" },
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
	{ POOL("\nbacklog = 5;\nbacklog = 6;"),
	    "c:3: \"backlog\" is there twice, first in line 2\n" },
	{ "pools: { a: { };\na: { }; };",
	    "c:2: \"a\" is there twice, first in line 1\n" },
	{ "pools: { a: { user: { }; };\nb: { user: { }; user = 1; }; };",
	    "c:2: \"user\" is there twice, first in line 2\n" },
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
	    "c:2: pool www: user: there is no user \"\\x1b[2J\\n\"\n" },
	/* did you mean */
	{ "\npid_fil = \"x\";\nuser = \"x\";\npool: { };\n" POOL(""),
	    "c:2: pid_fil: unknown key; did you mean \"pid_file\"?\n"
	    "c:3: user: unknown key; did you mean \"user\" of a pool?\n"
	    "c:4: pool: unknown key; did you mean \"pools\"?\n" },
	{ "shop: { app = \"a\"; };\n" POOL(""),
	    "c:1: shop: unknown key; a pool stands within pools: { ... };\n" },
	{ POOL("\nlisten_onwer = 1;\nlog_level = 1;\nmax = 1;\n"
	    "worker: { };\npm = 1;\nchdir = 1;\nlistener_modes = 1;\n"
	    "workers: {\nmax_children = 1;\nstrat = 1;\nrequest = 1; };"),
	    "c:2: pool www: listen_onwer: unknown key; did you mean "
	    "\"listen_owner\"?\n"
	    "c:3: pool www: log_level: unknown key; did you mean "
	    "\"log_level\" at the top, outside of pools?\n"
	    "c:4: pool www: max: unknown key; did you mean \"workers.max\"?\n"
	    "c:5: pool www: worker: unknown key; did you mean \"workers\"?\n"
	    "c:6: pool www: pm: unknown key; did you mean \"workers.mode\"?\n"
	    "c:7: pool www: chdir: unknown key; did you mean \"directory\"?\n"
	    "c:8: pool www: listener_modes: unknown key; did you mean "
	    "\"listen_mode\"?\n"
	    "c:10: pool www: workers.max_children: unknown key; did you mean "
	    "\"max\"?\n"
	    "c:11: pool www: workers.strat: unknown key; did you mean "
	    "\"start\"?\n"
	    "c:12: pool www: workers.request: unknown key; did you mean "
	    "\"timeouts.request\"?\n" },
	/* an application that is missing is told beside other faults */
	{ "pools: { www: { x = 1; listen = \"/s\";\napp = \"/no/app\"; }; };",
	    "c:1: pool www: x: unknown key\n"
	    "c:2: pool www: app: /no/app: No such file or directory\n" },
	{ "pools: { www: { x = 1; listen = \"/s\";\nchroot = \"/no\";\n"
	    "app = \"app\"; }; };",
	    "c:1: pool www: x: unknown key\n"
	    "c:3: pool www: app: /no/app: No such file or directory\n" },
	{ "pools: { www: { listen = \"/s\"; interface = \"cgi\";\n"
	    "timers: ( { name = \"a\"; every = 5; } );\nroot = \"/\"; }; };",
	    "c:2: pool www: timers: interface = \"cgi\" has no interval\n" },
	/* app or root, as the interface wants */
	{ "pools: { www: { listen = \"/s\";\nroot = \"/srv\";\n"
	    "app = \"/dev/null\"; }; };",
	    "c:2: pool www: root: interface = \"native\" takes app\n" },
	{ "pools: { www: { listen = \"/s\"; interface = \"cgi\";\n"
	    "app = \"/dev/null\"; }; };",
	    "c:2: pool www: app: interface = \"cgi\" takes root\n"
	    "c:1: pool www: root is missing\n" },
	{ "pools: { www: { listen = \"/s\"; interface = \"files\";\n"
	    "root = \"/no/root\"; x = 1; }; };",
	    "c:2: pool www: x: unknown key\n"
	    "c:2: pool www: root: /no/root: No such file or directory\n" },
	/* what is no syntax of libconfig */
	{ "a = 1;\nb = ;\n", "c:2: b: expected a value, found \";\"\n" },
	{ "a = 1;\nb =\n\n", "c:2: b: expected a value, found the end of the "
	    "file\n" },
	{ MINIMAL, "c:1: a '}' is missing for \"www\", which begins here\n" },
	{ "pools:\n{\n\twww:\n\t{\n\t\tworkers: {\n\t\t\tmax = 3;\n"
	    "\t};\n};\n",
	    "c:5: a '}' is missing for \"workers\", which begins here\n" },
	{ "a = ( 1,\n2;\n", "c:2: expected ',' or ')', found \";\"\n" },
	{ "a = ( 1,\n2", "c:1: a ')' is missing for \"a\", which begins "
	    "here\n" },
	{ "a = 1;\n};\n", "c:2: a '}' that closes nothing, or not what is "
	    "open\n" },
	{ POOL("\nworkers: { mode = static; };"),
	    "c:2: mode: a string stands in double quotes: write "
	    "\"static\"\n" },
	{ POOL("\ntimeouts: { request = 10s; };"),
	    "c:2: request: a string stands in double quotes: write "
	    "\"10s\"\n" },
	{ POOL("\nlisten = /run/x.sock;"),
	    "c:2: \"listen\" is there twice, first in line 1\n" },
	{ "a = /run/x.sock;\n", "c:1: a: a string stands in double quotes: "
	    "write \"/run/x.sock\"\n" },
	{ "a = 127.0.0.1:9000;\n", "c:1: a: a string stands in double "
	    "quotes: write \"127.0.0.1:9000\"\n" },
	{ POOL("\nuser = 'root';"),
	    "c:2: user: strings stand in double quotes, as \"text\"\n" },
	{ POOL("\ndumpable = Yes;"),
	    "c:2: dumpable: expected true or false, found \"Yes\": did you "
	    "mean true?\n" },
	{ POOL("\nuser \"root\";"),
	    "c:2: expected '=' after \"user\", found \"root\"\n" },
	{ "pools: {\nexample.org: { };\n};",
	    "c:2: \"example.org\" is no name: names begin with a letter and "
	    "have letters, digits, '_' and '-'\n" },
	{ "pools: {\n2shop: { };\n};",
	    "c:2: \"2shop\" is no name: names begin with a letter and "
	    "have letters, digits, '_' and '-'\n" },
	{ "# php\n[www]\nuser = www-data\n",
	    "c:2: found \"[www]\", which is the syntax of php-fpm: a pool is "
	    "written pools: { www: { ... }; }; lua-fpm --from-php-fpm "
	    "translates a file\n" },
	{ "a = 1;\n; comment\n", "c:2: a ';' where a key was expected; "
	    "comments begin with '#'\n" },
	{ "a = \"x\" # { ( \"\n\"y\"; /* ' \n */ b = [ 1, 2 ]; // {\n"
	    "c = ( { }, ( 0x1F, -1.5e3, 7L, true ) )\n d: { } e: { }, $",
	    "c:5: expected the name of a key, found \"$\"\n" },
};

START_TEST(a_list_may_not_end_in_a_comma)
{
	read_text("a = ( 1,\n);\n" POOL(""));
	ck_assert_ptr_null(conf);
	/* libconfig 1.7 reads it */
	ck_assert_msg(strcmp(faults_text(), "c:2: a ',' after the last item of "
	    "a list\n") == 0 || strcmp(faults_text(), "c:1: a: unknown "
	    "key\n") == 0, "%s", faults_text());
}
END_TEST

START_TEST(a_comment_may_end_without_a_newline)
{
	read_text(POOL("") "# the end");
	assert_good();
	read_text(POOL("") "// the end");
	assert_good();
}
END_TEST

/* Check itself takes no more than 4096 bytes. */
START_TEST(a_path_is_shown_whole)
{
	static char text[4096], path[900], expected[4096];

	memset(path, 'p', sizeof(path) - 1);
	snprintf(text, sizeof(text), POOL("chroot = \"%1$s\"; logs: { access "
	    "= \"%1$s\"; }; status_listen = \"/s\"; listen_owner = "
	    "\"root\";"), path);
	snprintf(expected, sizeof(expected), "c:1: pool www: chroot: \"%1$s\" "
	    "does not begin with '/'\n"
	    "c:1: pool www: logs.access: \"%1$s\" is neither an absolute path "
	    "nor \"stdout\", \"stderr\", \"syslog\" or \"error_log\"\n",
	    path);
	read_text(text);
	assert_faults(expected);
}
END_TEST

START_TEST(variables_in_the_environment_are_noted)
{
	read_text(POOL("\nenvironment: { A = \"$PATH\";\nB = \"x${HOME}y\"; "
	    "C = \"$\"; D = \"a$b\"; E = \"${\"; F = \"${}\";\n"
	    "G = \"${HOME}\"; H = \"${HOME}y\"; };"));
	assert_good();
	ck_assert_uint_eq(conf->notes.n, 3);
	ck_assert_str_eq(conf->notes.item[0].text, "warning: pool www: "
	    "environment.A is taken as it stands: only \"${NAME}\" alone "
	    "is replaced");
	ck_assert_ptr_nonnull(strstr(conf->notes.item[1].text, "environment.B"));
	ck_assert_ptr_nonnull(strstr(conf->notes.item[2].text, "environment.H"));
	ck_assert_int_eq(conf->notes.item[0].line, 2);
}
END_TEST

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
	assert_faults("c:1: expected the name of a key, found \"\\xff\\xfe"
	    "\\x01\\x80\"\n");
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
	write_text("d[1]/a", "");
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
	    "%1$s/d[1]/4.conf:1: expected the name of a key, found \"{\"\n"
	    "%1$s/d[1]/2.conf:4: pool a: defined already at d[1]/main:2\n"
	    "%1$s/d[1]/2.conf:4: pool a: listen: \"/b\" belongs to pool b "
	    "already\n", scratch);
	assert_faults(expected);
}
END_TEST

START_TEST(an_include_may_match_nothing_but_not_miss)
{
	char expected[128];

	read_text("\ninclude = \"none.d/*.conf\";" POOL(""));
	assert_faults("c:2: include: none.d/*.conf: the directory is "
	    "missing\n");
	ck_assert_int_eq(mkdir("none.d", 0755), 0);
	read_text("\ninclude = \"none.d/*.conf\";" POOL(""));
	assert_good();
	ck_assert_uint_eq(conf->notes.n, 1);
	ck_assert_int_eq(conf->notes.item[0].line, 2);
	ck_assert_str_eq(conf->notes.item[0].text,
	    "warning: include: no file matches none.d/*.conf");
	read_text("\ninclude = \"none.d/*.conf\";");
	assert_faults("c:2: there is no pool: include: no file matches "
	    "none.d/*.conf\n");
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

static Suite *
suite(void)
{
	Suite *s = suite_create("conf_fault");
	TCase *tc = tcase_create("faults");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, a_fault_is_reported, 0,
	    sizeof(wrong) / sizeof(wrong[0]));
	tcase_add_test(tc, a_list_may_not_end_in_a_comma);
	tcase_add_test(tc, a_comment_may_end_without_a_newline);
	tcase_add_test(tc, a_path_is_shown_whole);
	tcase_add_test(tc, variables_in_the_environment_are_noted);
	tcase_add_test(tc, numbers_elsewhere_are_no_numbers);
	tcase_add_test(tc, a_file_that_is_no_configuration);
	tcase_add_test(tc, a_file_that_may_not_be_read);
	tcase_add_test(tc, included_pools_come_in_order);
	tcase_add_test(tc, faults_of_included_files_name_them);
	tcase_add_test(tc, an_include_may_match_nothing_but_not_miss);
	tcase_add_test(tc, an_include_directory_that_may_not_be_read);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

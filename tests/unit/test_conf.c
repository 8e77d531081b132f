/* Configuration text in, configuration out: every key, every default. */

#include "conf_unit.h"

#include <sys/stat.h>

#include "base/log.h"
#include "conf/conf_check.h"
#include "conf/conf_diff.h"
#include "conf/conf_key.h"
#include "conf/conf_single.h"
#include "net/sock_check.h"

/* ---- what is right ------------------------------------------------------ */

START_TEST(defaults_are_filled_in)
{
	read_text(POOL(""));
	assert_good();
	ck_assert_str_eq(dump(),
	    "pid_file = \"\";\n"
	    "control = \"\";\n"
	    "error_log = \"stderr\";\n"
	    "log_level = \"notice\";\n"
	    "log_format = \"text\";\n"
	    "process_max = 0;\n"
	    "include = \"\";\n"
	    "\n"
	    "pools: {\n"
	    "\twww: {\n"
	    "\t\tapp = \"/dev/null\";\n"
	    "\t\troot = \"\";\n"
	    "\t\trevalidate = \"2s\";\n"
	    "\t\tinterface = \"native\";\n"
	    "\t\tdevelop = false;\n"
	    "\t\tmount = \"/\";\n"
	    "\t\tlisten = \"/s\";\n"
	    "\t\tlisten_owner = \"\";\n"
	    "\t\tlisten_group = \"\";\n"
	    "\t\tlisten_mode = \"0660\";\n"
	    "\t\tlisten_acl_users = ( );\n"
	    "\t\tlisten_acl_groups = ( );\n"
	    "\t\tbacklog = 4096;\n"
	    "\t\tallowed_clients = ( );\n"
	    "\t\tuser = \"\";\n"
	    "\t\tgroup = \"\";\n"
	    "\t\tchroot = \"\";\n"
	    "\t\tdirectory = \"\";\n"
	    "\t\tumask = \"\";\n"
	    "\t\tpriority = 0;\n"
	    "\t\tdumpable = false;\n"
	    "\t\tenvironment = { };\n"
	    "\t\tshared = { };\n"
	    "\t\tclear_environment = true;\n"
	    "\t\terrors_to_server = false;\n"
	    "\t\trequest_id = \"\";\n"
	    "\t\tstatus_path = \"\";\n"
	    "\t\tstatus_listen = ( );\n"
	    "\t\tping_path = \"\";\n"
	    "\t\tping_response = \"pong\";\n"
	    "\t\ttimeout_status = 408;\n"
	    "\t\ttimers = ( );\n"
	    "\t\tworkers: {\n"
	    "\t\t\tmode = \"dynamic\";\n"
	    "\t\t\tmax = 8;\n"
	    "\t\t\tstart = 2;\n"
	    "\t\t\tmin_spare = 1;\n"
	    "\t\t\tmax_spare = 3;\n"
	    "\t\t\tspawn_rate = 32;\n"
	    "\t\t\tloading = 0;\n"
	    "\t\t\tidle_timeout = \"10s\";\n"
	    "\t\t\tmax_requests = 0;\n"
	    "\t\t\tmax_age = \"0\";\n"
	    "\t\t};\n"
	    "\t\ttimeouts: {\n"
	    "\t\t\tstart = \"30s\";\n"
	    "\t\t\trequest = \"0\";\n"
	    "\t\t\tafter = \"1m\";\n"
	    "\t\t\tqueue = \"0\";\n"
	    "\t\t\tslow = \"0\";\n"
	    "\t\t\tread = \"1m\";\n"
	    "\t\t\twrite = \"1m\";\n"
	    "\t\t\tkeepalive = \"75s\";\n"
	    "\t\t\tstop = \"30s\";\n"
	    "\t\t};\n"
	    "\t\tlimits: {\n"
	    "\t\t\thead = \"64K\";\n"
	    "\t\t\tbody = \"0\";\n"
	    "\t\t\tresponse_head = \"15K\";\n"
	    "\t\t\tmin_rate = \"256\";\n"
	    "\t\t\tmemory = \"0\";\n"
	    "\t\t\trss = \"0\";\n"
	    "\t\t\tfiles = 0;\n"
	    "\t\t\tprocesses = 0;\n"
	    "\t\t\tcore = \"\";\n"
	    "\t\t};\n"
	    "\t\tlogs: {\n"
	    "\t\t\taccess = \"\";\n"
	    "\t\t\taccess_format = \"default\";\n"
	    "\t\t\taccess_suppress = ( );\n"
	    "\t\t\tslow = \"error_log\";\n"
	    "\t\t\tslow_depth = 20;\n"
	    "\t\t};\n"
	    "\t\tlua: {\n"
	    "\t\t\tpath = \";;\";\n"
	    "\t\t\tcpath = \";;\";\n"
	    "\t\t\tdisable = ( );\n"
	    "\t\t\tlibraries = \"all\";\n"
	    "\t\t\tbinary_chunks = false;\n"
	    "\t\t};\n"
	    "\t\thttp: {\n"
	    "\t\t\tproxies = ( );\n"
	    "\t\t\tforwarded = \"x-forwarded-for\";\n"
	    "\t\t\tproxy_protocol = false;\n"
	    "\t\t\trequest_buffer = \"64K\";\n"
	    "\t\t\tresponse_buffer = \"256K\";\n"
	    "\t\t\tmax_body = \"10M\";\n"
	    "\t\t\tread = \"10s\";\n"
	    "\t\t\tkeepalive_requests = 1000;\n"
	    "\t\t};\n"
	    "\t\twebsocket: {\n"
	    "\t\t\tconnections = 10000;\n"
	    "\t\t\tmax_message = \"64K\";\n"
	    "\t\t\tsend_buffer = \"256K\";\n"
	    "\t\t\tping = \"30s\";\n"
	    "\t\t\tsilence = \"30s\";\n"
	    "\t\t\tidle = \"0\";\n"
	    "\t\t\tdrain = \"10s\";\n"
	    "\t\t\torigins = ( );\n"
	    "\t\t};\n"
	    "\t};\n"
	    "};\n");
	ck_assert_ptr_null(conf->pid_file);
	ck_assert_ptr_null(conf->control);
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
	    "expected a string in double quotes, of 0 to 4095 bytes, found 1" },
	{ "control", "\"/run/x.sock\"", "\"/run/x.sock\"", "1",
	    "expected a string in double quotes, of 0 to 107 bytes, found 1" },
	{ "error_log", "\"/var/x.log\"", "\"/var/x.log\"", "\"\"",
	    "expected a string in double quotes, of 1 to 4095 bytes, found "
	    "\"\"" },
	{ "log_level", "\"debug\"", "\"debug\"", "\"Debug\"",
	    "expected one of \"debug\", \"info\", \"notice\", \"warning\", "
	    "\"error\", \"alert\", found \"Debug\"" },
	{ "log_format", "\"json\"", "\"json\"", "\"JSON\"",
	    "expected one of \"text\", \"json\", found \"JSON\"" },
	{ "include", "\"*.none\"", "\"\"", "true",
	    "expected a string in double quotes, of 0 to 4095 bytes, found "
	    "true" },
	{ "app", "\"/x/\\\"\\\\\\x07\\xc3\\xa9\"", "\"/x/\\\"\\\\\\x07é\"",
	    "( \"/x\" )",
	    "expected a string in double quotes, of 1 to 4095 bytes, found "
	    "a list" },
	{ "listen", "[ \"/a\", \"/b\" ]", "( \"/a\", \"/b\" )", "( )",
	    "expected an address as \"/run/www.sock\", \"127.0.0.1:9000\" "
	    "or \"http:127.0.0.1:8080\", or a list of them, ( \"...\", \"...\" ), "
	    "found a list" },
	{ "listen_owner", "\"root\"", "\"root\"", "0",
	    "expected a string in double quotes, of 0 to 255 bytes, found 0" },
	{ "listen_group", "\"0\"", "\"0\"", "{ }",
	    "expected a string in double quotes, of 0 to 255 bytes, found a "
	    "group" },
	{ "listen_mode", "\"66\"", "\"0066\"", "0660",
	    "expected an octal mode in quotes as \"0660\", up to \"0777\", "
	    "found a number" },
	{ "listen_acl_users", "( \"root\", \"7\" )", "( \"root\", \"7\" )",
	    "7", "expected a string in double quotes or a list of them, ( "
	    "\"...\", \"...\" ), none empty, found 7" },
	{ "listen_acl_groups", "\"root\"", "\"root\"", "( 7 )",
	    "expected a string in double quotes or a list of them, ( "
	    "\"...\", \"...\" ), none empty, found 7" },
	{ "root", "\"/srv\"", "\"/srv\"", "7",
	    "expected a string in double quotes, of 0 to 4095 bytes, found "
	    "7" },
	{ "revalidate", "\"1m\"", "\"1m\"", "\"25h\"",
	    "expected a duration as \"2s\", from 0 to 1d, found \"25h\"" },
	{ "interface", "\"wsapi\"", "\"wsapi\"", "\"php\"",
	    "expected one of \"native\", \"wsapi\", \"lapis\", "
	    "\"moonbridge\", \"functions\", \"files\", \"cgi\", found "
	    "\"php\"" },
	{ "develop", "true", "true", "1",
	    "expected true or false, without quotes, found 1" },
	{ "mount", "\"/blog\"", "\"/blog\"", "5",
	    "expected a string in double quotes, of 0 to 255 bytes, found 5" },
	{ "backlog", "65535", "65535", "65536",
	    "expected an integer as 4096, from 1 to 65535, found 65536" },
	{ "allowed_clients", "( \"10.0.0.0/8\", \"::1\" )",
	    "( \"10.0.0.0/8\", \"::1\" )", "( \"\" )",
	    "expected a string in double quotes or a list of them, ( "
	    "\"...\", \"...\" ), none empty, found \"\"" },
	{ "user", "\"12345\"", "\"12345\"", "1.5",
	    "expected a string in double quotes, of 0 to 255 bytes, found a "
	    "number with a fraction" },
	{ "group", "\"root\"", "\"root\"", "false",
	    "expected a string in double quotes, of 0 to 255 bytes, found "
	    "false" },
	{ "process_max", "1000000", "1000000", "1000001",
	    "expected an integer as 1000, from 0 to 1000000, found 1000001" },
	{ "chroot", "\"/x\"", "\"/x\"", "5",
	    "expected a string in double quotes, of 0 to 4095 bytes, found 5" },
	{ "directory", "\"/x\"", "\"/x\"", "5",
	    "expected a string in double quotes, of 0 to 4095 bytes, found 5" },
	{ "umask", "\"022\"", "\"0022\"", "\"1777\"",
	    "expected an octal mode in quotes as \"0022\", up to \"0777\", "
	    "found \"1777\"" },
	{ "priority", "-20", "-20", "20",
	    "expected an integer as 8, from -20 to 19, found 20" },
	{ "dumpable", "true", "true", "\"yes\"",
	    "expected true or false, without quotes, found \"yes\"" },
	{ "environment", "{ A1_b = \"x=\\\"y\"; B = \"${A}\"; e = \"\"; }",
	    "{ A1_b = \"x=\\\"y\"; B = \"${A}\"; e = \"\"; }", "( \"A=x\" )",
	    "expected a group of variables, { NAME = \"value\"; }, found a "
	    "list" },
	{ "shared", "{ a = \"16M\"; B_1 = 4096; }",
	    "{ a = \"16M\"; B_1 = \"4K\"; }", "\"16M\"",
	    "expected a group of sizes, { NAME = \"16M\"; }, from 4K to 8G, "
	    "with names of letters, digits and '_', found \"16M\"" },
	{ "clear_environment", "false", "false", "1",
	    "expected true or false, without quotes, found 1" },
	{ "errors_to_server", "true", "true", "\"true\"",
	    "expected true or false, without quotes, found \"true\"" },
	{ "request_id", "\"HTTP_X_REQUEST_ID\"", "\"HTTP_X_REQUEST_ID\"", "7",
	    "expected a string in double quotes, of 0 to 255 bytes, found 7" },
	{ "status_path", "\"/fpm-status\"", "\"/fpm-status\"", "true",
	    "expected a string in double quotes, of 0 to 255 bytes, found "
	    "true" },
	{ "status_listen", "( \"/s\", \"127.0.0.1:9\" )",
	    "( \"/s\", \"127.0.0.1:9\" )", "true",
	    "expected an address as \"/run/www.sock\", \"127.0.0.1:9000\" "
	    "or \"http:127.0.0.1:8080\", or a list of them, ( \"...\", \"...\" ), "
	    "found true" },
	{ "ping_path", "\"/fpm-ping\"", "\"/fpm-ping\"", "7",
	    "expected a string in double quotes, of 0 to 255 bytes, found 7" },
	{ "ping_response", "\"yes\"", "\"yes\"", "\"\"",
	    "expected a string in double quotes, of 1 to 255 bytes, found "
	    "\"\"" },
	{ "timeout_status", "503", "503", "600",
	    "expected an integer as 408, from 408 to 504, found 600" },
	{ "timers", "( { name = \"a-1\"; every = 90; }, "
	    "{ at = \"03:30\"; name = \"b_2\"; } )",
	    "( { name = \"a-1\"; every = \"90s\"; }, "
	    "{ name = \"b_2\"; at = \"03:30\"; } )", "\"1m\"",
	    "expected a list of timers, ( { name = \"cleanup\"; every = "
	    "\"1m\"; }, ... ), found \"1m\"" },
	{ "workers.mode", "\"static\"", "\"static\"", "\"statics\"",
	    "expected one of \"static\", \"dynamic\", \"ondemand\", found "
	    "\"statics\"" },
	{ "workers.max", "10000", "10000", "\"20\"",
	    "expected an integer as 8, from 1 to 10000, found \"20\"" },
	{ "workers.start", "3", "3", "0",
	    "expected an integer as 8, from 1 to 10000, found 0" },
	{ "workers.min_spare", "2", "2", "-2147483648",
	    "expected an integer as 1, from 1 to 10000, found -2147483648" },
	{ "workers.max_spare", "8", "8", "4294967299L",
	    "expected an integer as 8, from 1 to 10000, found 4294967299" },
	{ "workers.spawn_rate", "0x10", "16", "2000",
	    "expected an integer as 32, from 1 to 1024, found 2000" },
	{ "workers.loading", "4", "4", "-1",
	    "expected an integer as 8, from 0 to 10000, found -1" },
	{ "workers.idle_timeout", "\"1500ms\"", "\"1500ms\"", "\"1.5s\"",
	    "expected a duration as \"10s\", from 10ms to 1d, found \"1.5s\"" },
	{ "workers.max_requests", "10000", "10000", "-1",
	    "expected an integer as 1000, from 0 to 2147483647, found -1" },
	{ "workers.max_age", "\"36h\"", "\"36h\"", "\"2y\"",
	    "expected a duration as \"30s\", from 0 to 365d, found \"2y\"" },
	{ "timeouts.start", "90", "\"90s\"", "-1",
	    "expected a duration as \"30s\", from 10ms to 1d, found -1" },
	{ "timeouts.request", "\"30s\"", "\"30s\"", "\"2d\"",
	    "expected a duration as \"30s\", from 0 to 1d, found \"2d\"" },
	{ "timeouts.after", "\"5s\"", "\"5s\"", "\"25h\"",
	    "expected a duration as \"60s\", from 0 to 1d, found \"25h\"" },
	{ "timeouts.queue", "\"5s\"", "\"5s\"", "\"25h\"",
	    "expected a duration as \"30s\", from 0 to 1d, found \"25h\"" },
	{ "timeouts.slow", "\"2s\"", "\"2s\"", "\"25h\"",
	    "expected a duration as \"30s\", from 0 to 1d, found \"25h\"" },
	{ "timeouts.read", "\"10ms\"", "\"10ms\"", "\"9ms\"",
	    "expected a duration as \"60s\", from 10ms to 1d, found \"9ms\"" },
	{ "timeouts.write", "\"1d\"", "\"1d\"", "86401",
	    "expected a duration as \"60s\", from 10ms to 1d, found 86401" },
	{ "timeouts.keepalive", "\"5m\"", "\"5m\"", "\"10 s\"",
	    "expected a duration as \"75s\", from 10ms to 1d, found \"10 s\"" },
	{ "timeouts.stop", "\"2h\"", "\"2h\"", "9223372036854775807L",
	    "expected a duration as \"30s\", from 10ms to 1d, found "
	    "9223372036854775807" },
	{ "logs.slow", "\"/l\"", "\"/l\"", "1",
	    "expected a string in double quotes, of 0 to 4095 bytes, found 1" },
	{ "logs.slow_depth", "100", "100", "101",
	    "expected an integer as 20, from 1 to 100, found 101" },
	{ "limits.files", "64", "64", "\"1K\"",
	    "expected an integer as 1000, from 0 to 1073741824, found \"1K\"" },
	{ "limits.processes", "4096", "4096", "5000000",
	    "expected an integer as 1000, from 0 to 4194304, found 5000000" },
	{ "limits.core", "\"unlimited\"", "\"unlimited\"", "\"infinite\"",
	    "expected a size as \"128M\", or \"unlimited\", found "
	    "\"infinite\"" },
	{ "limits.head", "4096", "\"4K\"", "\"2M\"",
	    "expected a size as \"64K\", from 1K to 1M, found \"2M\"" },
	{ "limits.body", "\"64M\"", "\"64M\"", "\"64MB\"",
	    "expected a size as \"128M\", from 0 to 1024G, found \"64MB\"" },
	{ "limits.response_head", "8192", "\"8K\"", "\"2048G\"",
	    "expected a size as \"15K\", from 0 to 1024G, found \"2048G\"" },
	{ "limits.memory", "\"128M\"", "\"128M\"", "\"128MB\"",
	    "expected a size as \"128M\", from 0 to 1024G, found \"128MB\"" },
	{ "limits.min_rate", "\"1K\"", "\"1K\"", "\"2M\"",
	    "expected a size as \"256\", from 0 to 1M, found \"2M\"" },
	{ "limits.rss", "\"1G\"", "\"1G\"", "\"1025G\"",
	    "expected a size as \"128M\", from 0 to 1024G, found \"1025G\"" },
	{ "logs.access", "\"/var/log/x\"", "\"/var/log/x\"", "1",
	    "expected a string in double quotes, of 0 to 4095 bytes, found 1" },
	{ "logs.access_format", "\"%R %{%s}t\"", "\"%R %{%s}t\"", "\"\"",
	    "expected a string in double quotes, of 1 to 4095 bytes, found "
	    "\"\"" },
	{ "logs.access_suppress", "[ \"/a\", \"/b\" ]", "( \"/a\", \"/b\" )",
	    "1", "expected a string in double quotes or a list of them, ( "
	    "\"...\", \"...\" ), none empty, found 1" },
	{ "lua.path", "\"/srv/lib/?.lua;;\"", "\"/srv/lib/?.lua;;\"",
	    "( \"/a\" )",
	    "expected a string in double quotes, of 0 to 4095 bytes, found "
	    "a list" },
	{ "lua.cpath", "\"\"", "\"\"", "false",
	    "expected a string in double quotes, of 0 to 4095 bytes, found "
	    "false" },
	{ "lua.disable", "( \"os.execute\", \"debug\" )",
	    "( \"os.execute\", \"debug\" )", "( \"os\", \"\" )",
	    "expected a string in double quotes or a list of them, ( "
	    "\"...\", \"...\" ), none empty, found \"\"" },
	{ "lua.libraries", "[ \"base\", \"string\" ]",
	    "( \"base\", \"string\" )", "( )",
	    "expected a string in double quotes or a list of them, ( "
	    "\"...\", \"...\" ), none empty, found a list" },
	{ "lua.binary_chunks", "true", "true", "\"yes\"",
	    "expected true or false, without quotes, found \"yes\"" },
	{ "http.proxies", "[ \"10.0.0.0/8\", \"unix\" ]",
	    "( \"10.0.0.0/8\", \"unix\" )", "( \"\" )",
	    "expected a string in double quotes or a list of them, ( "
	    "\"...\", \"...\" ), none empty, found \"\"" },
	{ "http.forwarded", "\"none\"", "\"none\"", "\"Forwarded\"",
	    "expected one of \"none\", \"x-forwarded-for\", "
	    "\"forwarded\", found \"Forwarded\"" },
	{ "http.proxy_protocol", "true", "true", "2",
	    "expected true or false, without quotes, found 2" },
	{ "http.request_buffer", "0", "\"0\"", "\"2M\"",
	    "expected a size as \"64K\", from 0 to 1M, found \"2M\"" },
	{ "http.response_buffer", "\"16M\"", "\"16M\"", "\"17M\"",
	    "expected a size as \"256K\", from 0 to 16M, found \"17M\"" },
	{ "http.max_body", "\"1G\"", "\"1G\"", "\"1025G\"",
	    "expected a size as \"10M\", from 0 to 1024G, found "
	    "\"1025G\"" },
	{ "http.read", "\"1m\"", "\"1m\"", "0",
	    "expected a duration as \"10s\", from 10ms to 1d, found 0" },
	{ "http.keepalive_requests", "0", "0", "-1",
	    "expected an integer as 1000, from 0 to 2147483647, found -1" },
	{ "websocket.connections", "5", "5", "0",
	    "expected an integer as 10000, from 1 to 1000000, found 0" },
	{ "websocket.max_message", "\"1M\"", "\"1M\"", "\"17M\"",
	    "expected a size as \"64K\", from 1 to 16M, found \"17M\"" },
	{ "websocket.send_buffer", "\"1M\"", "\"1M\"", "\"100\"",
	    "expected a size as \"256K\", from 1K to 1G, found \"100\"" },
	{ "websocket.ping", "0", "\"0\"", "\"2d\"",
	    "expected a duration as \"30s\", from 0 to 1d, found \"2d\"" },
	{ "websocket.silence", "\"1m\"", "\"1m\"", "0",
	    "expected a duration as \"30s\", from 10ms to 1d, found 0" },
	{ "websocket.idle", "\"1h\"", "\"1h\"", "-1",
	    "expected a duration as \"30s\", from 0 to 1d, found -1" },
	{ "websocket.drain", "0", "\"0\"", "\"25h\"",
	    "expected a duration as \"10s\", from 0 to 1d, found \"25h\"" },
	{ "websocket.origins", "[ \"same\", \"*.example.com\" ]",
	    "( \"same\", \"*.example.com\" )", "( \"\" )",
	    "expected a string in double quotes or a list of them, ( "
	    "\"...\", \"...\" ), none empty, found \"\"" },
};

/* A whole configuration in which `key` has `value` on line 2. */
static const char *
with(const char *key, const char *value)
{
	static char text[1024];
	const char *dot = strchr(key, '.');
	const bool top = conf_key_find(GROUP_TOP, key) != NULL;

	snprintf(text, sizeof(text), "%s\n%.*s%s%s = %s;%s\n%s%s%s" END,
	    top ? "" : "pools: { www: {", dot != NULL ? (int)(dot - key) : 0,
	    key, dot != NULL ? ": { " : "", dot != NULL ? dot + 1 : key, value,
	    dot != NULL ? " };" : "", top ? "pools: { www: {" : "",
	    strcmp(key, "app") == 0 ? "" : strcmp(key, "root") == 0 ?
	    "interface = \"cgi\";" : "app = \"/dev/null\";",
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

/* A dump of another build: a key that this one does not know, a value that is
 * none any more, a user who is gone. */
START_TEST(a_dump_of_another_build_is_recalled)
{
	static const char text[] = "from_the_future = 1;\n"
	    "pools: { www: { app = \"/dev/null\"; listen = \"/s\"; user = "
	    "\"nobody-of-that-name\"; backlog = 99; umask = \"sky-blue\"; "
	    "later: { a = ( ); }; timeouts: { stop = \"7s\"; }; }; };\n";
	struct conf *recalled = conf_recall(text, sizeof(text) - 1);
	const struct conf_pool *pool = conf_find(recalled, "www");

	ck_assert_ptr_nonnull(pool);
	ck_assert_str_eq(pool->app, "/dev/null");
	ck_assert_str_eq(pool->user, "nobody-of-that-name");
	ck_assert_int_eq(pool->backlog, 99);
	ck_assert_int_eq(pool->umask, CONF_UNSET);
	ck_assert_int_eq(pool->timeouts.stop, 7000);
	ck_assert_int_eq(pool->timeouts.start, 30000);
	conf_free(recalled);
	recalled = conf_recall("no { syntax", 11);
	ck_assert_uint_eq(recalled->npools, 0);
	conf_free(recalled);
}
END_TEST

START_TEST(levels_are_those_of_the_log)
{
	for (int level = LEVEL_DEBUG; level <= LEVEL_ALERT; level++) {
		char value[32];

		snprintf(value, sizeof(value), "\"%s\"",
		    log_level_names[level]);
		read_text(with("log_level", value));
		assert_good();
		ck_assert_int_eq(conf->log_level, level);
	}
}
END_TEST

/* "" says that it was not set, where there is such a thing. */
START_TEST(what_is_not_set_can_be_said)
{
	read_text(POOL("umask = \"\"; limits: { core = \"\"; };"));
	assert_good();
	ck_assert_int_eq(conf->pools[0].umask, CONF_UNSET);
	ck_assert_int_eq(conf->pools[0].limits.core, CONF_UNSET);
	read_text(POOL("umask = \"0\"; limits: { core = 0; };"));
	assert_good();
	ck_assert_int_eq(conf->pools[0].umask, 0);
	ck_assert_int_eq(conf->pools[0].limits.core, 0);
	read_text(POOL("listen_mode = \"\";"));
	ck_assert_ptr_null(conf);
	read_text(POOL("limits: { head = \"unlimited\"; };"));
	ck_assert_ptr_null(conf);
}
END_TEST

START_TEST(an_app_in_another_root_is_found_there)
{
	read_text("pools: { www: { app = \"x/a.lua\"; listen = \"/s\"; "
	    "chroot = \"/r\"; }; };");
	assert_good();
	ck_assert_str_eq(conf->pools[0].app, "/x/a.lua");
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
		    "p%d: { app = \"/dev/null\"; listen = \"/s%d\"; "
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

enum { FEW = 250, MANY = 8 * FEW };

static struct conf_pool pools[MANY];

/* Pools as the first one of conf, with names and addresses of their own. */
static void
make_pools(void)
{
	static char texts[MANY][2][32];
	static char *lists[MANY];

	for (int i = 0; i < MANY; i++) {
		snprintf(texts[i][0], sizeof(texts[i][0]), "p%d", i);
		snprintf(texts[i][1], sizeof(texts[i][1]), "/tmp/s%d", i);
		pools[i] = conf->pools[0];
		pools[i].name = texts[i][0];
		lists[i] = texts[i][1];
		pools[i].listen = (struct conf_list){ &lists[i], 1 };
	}
}

/* What is looked for in all pools once for each of them. */
static void
look_at_pools(unsigned n)
{
	static const struct conf_origin origins[MANY];
	struct conf some = *conf;
	size_t nsteps;

	some.pools = pools;
	some.npools = n;
	some.entries = NULL;
	some.names = (struct index){ 0 };
	conf_index(&some);
	ck_assert_int_eq(conf_check(&some, origins, &faults), 0);
	ck_assert(!sock_check(&some, &faults));
	free(conf_diff(&some, &some, &nsteps));
	ck_assert_uint_eq(nsteps, n);
	conf_unindex(&some);
}

START_TEST(many_pools_cost_each_the_same)
{
	read_text("pools: { www: { app = \"/dev/null\"; listen = \"/s\"; "
	    "user = \"root\"; limits: { processes = 1000000; }; }; };");
	assert_good();
	make_pools();
	ck_assert_double_lt(unit_growth(look_at_pools, FEW), 24);
}
END_TEST

/* ---- without a file, and the file that is installed --------------------- */

START_TEST(a_single_pool_is_static)
{
	char expected[64];

	conf = conf_single(&(struct conf_single){ "app.lua", "127.0.0.1:9000",
	    5, NULL, { NULL }, false }, &faults);
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
	ck_assert(!conf->pools[0].clear_environment);
}
END_TEST

START_TEST(limits_bodies)
{
	static const struct {
		const char *keys;
		int64_t fcgi, http;
	} limits[] = {
		{ POOL(""), 0, 10 << 20 },
		{ POOL("http: { max_body = 0; };"), 0, 0 },
		{ POOL("http: { max_body = 7; };"), 0, 7 },
		{ POOL("limits: { body = 5; };"), 5, 5 },
		{ POOL("limits: { body = 5; }; http: { max_body = 3; };"), 5,
		    5 },
		{ POOL("limits: { body = 5; }; http: { max_body = 0; };"), 5,
		    5 },
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		read_text(limits[i].keys);
		assert_good();
		ck_assert_int_eq(conf_body_limit(&conf->pools[0], SOCK_FCGI),
		    limits[i].fcgi);
		ck_assert_int_eq(conf_body_limit(&conf->pools[0], SOCK_HTTP),
		    limits[i].http);
	}
}
END_TEST

START_TEST(a_single_pool_at_fault)
{
	conf = conf_single(&(struct conf_single){ "", "", 0, "no such",
	    { NULL }, false }, &faults);
	assert_faults("command line: app: expected a string in double "
	    "quotes, of 1 to 4095 bytes, found \"\"\n"
	    "command line: listen: expected an address as "
	    "\"/run/www.sock\", \"127.0.0.1:9000\" or "
	    "\"http:127.0.0.1:8080\", or a list of them, ( "
	    "\"...\", \"...\" ), found \"\"\n"
	    "command line: max: expected an integer as 8, from 1 to 10000, "
	    "found \"0\"\n");
	conf_faults_free(&faults);
	conf = conf_single(&(struct conf_single){ "a", "/s", 1, "no such",
	    { NULL }, false }, &faults);
	assert_faults("command line: pool main: user: there is no user "
	    "\"no such\"\n");
}
END_TEST

/* Copy the example, with a user that is there before anything is installed.
 * uncomment: turn "#key = value;" into "key = value;"; "# words" stay. */
static void
copy_example(FILE *in, const char *to, bool uncomment)
{
	FILE *out = fopen(to, "w");
	char line[512], *user;

	ck_assert_ptr_nonnull(out);
	rewind(in);
	while (fgets(line, sizeof(line), in) != NULL) {
		size_t blank = strspn(line, "\t");

		user = strstr(line, "user = \"lua-fpm\";");
		if (user != NULL)
			strcpy(user, "user = \"root\";\n");
		fprintf(out, "%.*s%s", (int)blank, line, line + blank +
		    (uncomment && line[blank] == '#' &&
		    strchr(" \t\n", line[blank + 1]) == NULL));
	}
	ck_assert_int_eq(fclose(out), 0);
}

START_TEST(the_example_shows_the_defaults)
{
	const char *top = getenv("TOP_SRCDIR");
	char path[4200], *quiet;
	FILE *in;

	ck_assert_msg(top != NULL, "TOP_SRCDIR is not set");
	snprintf(path, sizeof(path), "%s/conf/lua-fpm.conf", top);
	ck_assert_ptr_nonnull(in = fopen(path, "r"));
	copy_example(in, "plain", false);
	copy_example(in, "c", true);
	fclose(in);
	ck_assert_int_eq(mkdir("pools.d", 0755), 0);
	read_file("plain");
	assert_good();
	quiet = strdup(dump());
	read_file("c");
	assert_good();
	ck_assert_str_eq(dump(), quiet);
	free(quiet);
}
END_TEST

static Suite *
suite(void)
{
	const int nrows = sizeof(rows) / sizeof(rows[0]);
	Suite *s = suite_create("conf");
	TCase *tc = tcase_create("reading");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, defaults_are_filled_in);
	tcase_add_loop_test(tc, a_key_is_read_and_dumped, 0, nrows);
	tcase_add_loop_test(tc, a_bad_value_is_a_fault, 0, nrows);
	tcase_add_test(tc, a_dump_reads_back);
	tcase_add_test(tc, a_dump_of_another_build_is_recalled);
	tcase_add_test(tc, levels_are_those_of_the_log);
	tcase_add_test(tc, what_is_not_set_can_be_said);
	tcase_add_test(tc, an_app_in_another_root_is_found_there);
	tcase_add_test(tc, spare_workers_default_to_what_fits);
	tcase_add_test(tc, other_modes_ignore_spare_workers);
	tcase_add_test(tc, a_relative_app_is_found_beside_its_file);
	tcase_add_test(tc, two_hundred_pools);
	tcase_add_test(tc, many_pools_cost_each_the_same);
	tcase_add_test(tc, limits_bodies);
	tcase_add_test(tc, a_single_pool_is_static);
	tcase_add_test(tc, a_single_pool_at_fault);
	tcase_add_test(tc, the_example_shows_the_defaults);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

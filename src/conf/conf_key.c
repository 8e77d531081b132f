#include "conf/conf_key.h"

#include <string.h>

#include "base/log_line.h"

#define TOP(member)  offsetof(struct conf, member)
#define POOL(member) offsetof(struct conf_pool, member)

#define PATH_MOST    4095
#define NAME_MOST    255
#define SOCKET_MOST  107 /* sun_path */
#define WORKERS_MOST 10000
#define FILES_MOST   (1 << 30)
#define PROCESSES_MOST (1 << 22)
#define SHORTEST     10	      /* ms */
#define DAY	     86400000 /* ms */
#define SIZE_MOST    ((int64_t)1 << 40)

static const char *const mode_words[] = { "static", "dynamic", "ondemand",
	NULL }; /* enum conf_mode */
static const char *const interface_words[] = { "native", "wsapi", "lapis",
	"moonbridge", "functions", "files", "cgi",
	NULL }; /* enum conf_interface */

static const char *const forwarded_words[] = { "none", "x-forwarded-for",
	"forwarded", NULL }; /* enum conf_forwarded */

static const char *const group_names[GROUP_COUNT] = { "", "", "workers",
	"timeouts", "limits", "logs", "lua", "http",
	"websocket" };

const struct conf_key conf_keys[] = {
	{ GROUP_TOP, "pid_file", KEY_STRING, TOP(pid_file),
	    "", 0, PATH_MOST, CLASS_RESTART, NULL },
	{ GROUP_TOP, "control", KEY_STRING, TOP(control),
	    "", 0, SOCKET_MOST, CLASS_TUNE, NULL },
	{ GROUP_TOP, "error_log", KEY_STRING, TOP(error_log),
	    "stderr", 1, PATH_MOST, CLASS_TUNE, NULL },
	{ GROUP_TOP, "log_level", KEY_WORD, TOP(log_level),
	    "notice", 0, 0, CLASS_TUNE, log_level_names },
	{ GROUP_TOP, "log_format", KEY_WORD, TOP(log_format),
	    "text", 0, 0, CLASS_TUNE, log_form_names },
	{ GROUP_TOP, "process_max", KEY_INTEGER, TOP(process_max),
	    "0", 0, 1000000, CLASS_TUNE, NULL },
	{ GROUP_TOP, "include", KEY_STRING, TOP(include),
	    "", 0, PATH_MOST, CLASS_TUNE, NULL },

	{ GROUP_POOL, "app", KEY_STRING, POOL(app),
	    NULL, 1, PATH_MOST, CLASS_REPLACE, NULL },
	{ GROUP_POOL, "root", KEY_STRING, POOL(root),
	    "", 0, PATH_MOST, CLASS_REPLACE, NULL },
	{ GROUP_POOL, "revalidate", KEY_DURATION, POOL(revalidate),
	    "2s", 0, DAY, CLASS_REPLACE, NULL },
	{ GROUP_POOL, "interface", KEY_WORD, POOL(interface),
	    "native", 0, 0, CLASS_REPLACE, interface_words },
	{ GROUP_POOL, "develop", KEY_BOOL, POOL(develop),
	    "false", 0, 1, CLASS_REPLACE, NULL },
	{ GROUP_POOL, "mount", KEY_STRING, POOL(mount),
	    "/", 0, NAME_MOST, CLASS_REPLACE, NULL },
	{ GROUP_POOL, "listen", KEY_STRINGS, POOL(listen),
	    NULL, 1, PATH_MOST, CLASS_REPLACE, NULL },
	{ GROUP_POOL, "listen_owner", KEY_STRING, POOL(listen_owner),
	    "", 0, NAME_MOST, CLASS_REPLACE, NULL },
	{ GROUP_POOL, "listen_group", KEY_STRING, POOL(listen_group),
	    "", 0, NAME_MOST, CLASS_REPLACE, NULL },
	{ GROUP_POOL, "listen_mode", KEY_FILEMODE, POOL(listen_mode),
	    "0660", 0, 0777, CLASS_REPLACE, NULL },
	{ GROUP_POOL, "listen_acl_users", KEY_STRINGS, POOL(listen_acl_users),
	    NULL, 0, NAME_MOST, CLASS_REPLACE, NULL },
	{ GROUP_POOL, "listen_acl_groups", KEY_STRINGS, POOL(listen_acl_groups),
	    NULL, 0, NAME_MOST, CLASS_REPLACE, NULL },
	{ GROUP_POOL, "backlog", KEY_INTEGER, POOL(backlog),
	    "4096", 1, 65535, CLASS_REPLACE, NULL },
	{ GROUP_POOL, "allowed_clients", KEY_STRINGS, POOL(allowed_clients),
	    NULL, 0, NAME_MOST, CLASS_REPLACE, NULL },
	{ GROUP_POOL, "user", KEY_STRING, POOL(user),
	    "", 0, NAME_MOST, CLASS_REPLACE, NULL },
	{ GROUP_POOL, "group", KEY_STRING, POOL(group),
	    "", 0, NAME_MOST, CLASS_REPLACE, NULL },
	{ GROUP_POOL, "chroot", KEY_STRING, POOL(chroot),
	    "", 0, PATH_MOST, CLASS_REPLACE, NULL },
	{ GROUP_POOL, "directory", KEY_STRING, POOL(directory),
	    "", 0, PATH_MOST, CLASS_REPLACE, NULL },
	{ GROUP_POOL, "umask", KEY_FILEMODE, POOL(umask),
	    "", CONF_UNSET, 0777, CLASS_REPLACE, NULL },
	{ GROUP_POOL, "priority", KEY_INTEGER, POOL(priority),
	    "0", -20, 19, CLASS_REPLACE, NULL },
	{ GROUP_POOL, "dumpable", KEY_BOOL, POOL(dumpable),
	    "false", 0, 1, CLASS_REPLACE, NULL },
	{ GROUP_POOL, "environment", KEY_VARIABLES, POOL(environment),
	    NULL, 0, 0, CLASS_REPLACE, NULL },
	{ GROUP_POOL, "shared", KEY_SIZES, POOL(shared),
	    NULL, 4096, (int64_t)8 << 30, CLASS_REPLACE, NULL },
	{ GROUP_POOL, "clear_environment", KEY_BOOL, POOL(clear_environment),
	    "true", 0, 1, CLASS_REPLACE, NULL },
	{ GROUP_POOL, "errors_to_server", KEY_BOOL, POOL(errors_to_server),
	    "false", 0, 1, CLASS_REPLACE, NULL },
	{ GROUP_POOL, "request_id", KEY_STRING, POOL(request_id),
	    "", 0, NAME_MOST, CLASS_REPLACE, NULL },
	{ GROUP_POOL, "status_path", KEY_STRING, POOL(status_path),
	    "", 0, NAME_MOST, CLASS_REPLACE, NULL },
	{ GROUP_POOL, "status_listen", KEY_STRINGS, POOL(status_listen),
	    NULL, 0, PATH_MOST, CLASS_REPLACE, NULL },
	{ GROUP_POOL, "ping_path", KEY_STRING, POOL(ping_path),
	    "", 0, NAME_MOST, CLASS_REPLACE, NULL },
	{ GROUP_POOL, "ping_response", KEY_STRING, POOL(ping_response),
	    "pong", 1, NAME_MOST, CLASS_REPLACE, NULL },
	{ GROUP_POOL, "timeout_status", KEY_INTEGER, POOL(timeout_status),
	    "408", 408, 504, CLASS_REPLACE, NULL },
	{ GROUP_POOL, "timers", KEY_TIMERS, POOL(timers),
	    NULL, 0, 0, CLASS_TUNE, NULL },

	/* mode and max set the number of slots, so they need new workers */
	{ GROUP_WORKERS, "mode", KEY_WORD, POOL(workers.mode),
	    "dynamic", 0, 0, CLASS_REPLACE, mode_words },
	{ GROUP_WORKERS, "max", KEY_INTEGER, POOL(workers.max),
	    "8", 1, WORKERS_MOST, CLASS_REPLACE, NULL },
	{ GROUP_WORKERS, "start", KEY_INTEGER, POOL(workers.start),
	    NULL, 1, WORKERS_MOST, CLASS_TUNE, NULL },
	{ GROUP_WORKERS, "min_spare", KEY_INTEGER, POOL(workers.min_spare),
	    "1", 1, WORKERS_MOST, CLASS_TUNE, NULL },
	{ GROUP_WORKERS, "max_spare", KEY_INTEGER, POOL(workers.max_spare),
	    NULL, 1, WORKERS_MOST, CLASS_TUNE, NULL },
	{ GROUP_WORKERS, "spawn_rate", KEY_INTEGER, POOL(workers.spawn_rate),
	    "32", 1, 1024, CLASS_TUNE, NULL },
	{ GROUP_WORKERS, "loading", KEY_INTEGER, POOL(workers.loading),
	    "0", 0, WORKERS_MOST, CLASS_TUNE, NULL },
	{ GROUP_WORKERS, "idle_timeout", KEY_DURATION,
	    POOL(workers.idle_timeout),
	    "10s", SHORTEST, DAY, CLASS_TUNE, NULL },
	{ GROUP_WORKERS, "max_requests", KEY_INTEGER,
	    POOL(workers.max_requests),
	    "0", 0, INT32_MAX, CLASS_REPLACE, NULL },
	{ GROUP_WORKERS, "max_age", KEY_DURATION, POOL(workers.max_age),
	    "0", 0, 365LL * DAY, CLASS_REPLACE, NULL },

	{ GROUP_TIMEOUTS, "start", KEY_DURATION, POOL(timeouts.start),
	    "30s", SHORTEST, DAY, CLASS_TUNE, NULL },
	{ GROUP_TIMEOUTS, "request", KEY_DURATION, POOL(timeouts.request),
	    "0", 0, DAY, CLASS_REPLACE, NULL },
	{ GROUP_TIMEOUTS, "after", KEY_DURATION, POOL(timeouts.after),
	    "60s", 0, DAY, CLASS_REPLACE, NULL },
	{ GROUP_TIMEOUTS, "queue", KEY_DURATION, POOL(timeouts.queue),
	    "0", 0, DAY, CLASS_REPLACE, NULL },
	{ GROUP_TIMEOUTS, "slow", KEY_DURATION, POOL(timeouts.slow),
	    "0", 0, DAY, CLASS_REPLACE, NULL },
	{ GROUP_TIMEOUTS, "read", KEY_DURATION, POOL(timeouts.read),
	    "60s", SHORTEST, DAY, CLASS_REPLACE, NULL },
	{ GROUP_TIMEOUTS, "write", KEY_DURATION, POOL(timeouts.write),
	    "60s", SHORTEST, DAY, CLASS_REPLACE, NULL },
	{ GROUP_TIMEOUTS, "keepalive", KEY_DURATION, POOL(timeouts.keepalive),
	    "75s", SHORTEST, DAY, CLASS_REPLACE, NULL },
	{ GROUP_TIMEOUTS, "stop", KEY_DURATION, POOL(timeouts.stop),
	    "30s", SHORTEST, DAY, CLASS_TUNE, NULL },

	{ GROUP_LIMITS, "head", KEY_SIZE, POOL(limits.head),
	    "64K", 1024, 1024 * 1024, CLASS_REPLACE, NULL },
	{ GROUP_LIMITS, "body", KEY_SIZE, POOL(limits.body),
	    "0", 0, SIZE_MOST, CLASS_REPLACE, NULL },
	{ GROUP_LIMITS, "response_head", KEY_SIZE, POOL(limits.response_head),
	    "15K", 0, SIZE_MOST, CLASS_REPLACE, NULL },
	{ GROUP_LIMITS, "min_rate", KEY_SIZE, POOL(limits.min_rate),
	    "256", 0, 1024 * 1024, CLASS_REPLACE, NULL },
	{ GROUP_LIMITS, "memory", KEY_SIZE, POOL(limits.memory),
	    "0", 0, SIZE_MOST, CLASS_REPLACE, NULL },
	{ GROUP_LIMITS, "rss", KEY_SIZE, POOL(limits.rss),
	    "0", 0, SIZE_MOST, CLASS_REPLACE, NULL },
	{ GROUP_LIMITS, "files", KEY_INTEGER, POOL(limits.files),
	    "0", 0, FILES_MOST, CLASS_REPLACE, NULL },
	{ GROUP_LIMITS, "processes", KEY_INTEGER, POOL(limits.processes),
	    "0", 0, PROCESSES_MOST, CLASS_REPLACE, NULL },
	{ GROUP_LIMITS, "core", KEY_SIZE, POOL(limits.core),
	    "", CONF_UNSET, CONF_UNLIMITED, CLASS_REPLACE, NULL },

	{ GROUP_LOGS, "access", KEY_STRING, POOL(logs.access),
	    "", 0, PATH_MOST, CLASS_TUNE, NULL },
	{ GROUP_LOGS, "access_format", KEY_STRING, POOL(logs.access_format),
	    "default", 1, PATH_MOST, CLASS_REPLACE, NULL },
	{ GROUP_LOGS, "access_suppress", KEY_STRINGS,
	    POOL(logs.access_suppress),
	    NULL, 0, PATH_MOST, CLASS_REPLACE, NULL },
	{ GROUP_LOGS, "slow", KEY_STRING, POOL(logs.slow),
	    "error_log", 0, PATH_MOST, CLASS_TUNE, NULL },
	{ GROUP_LOGS, "slow_depth", KEY_INTEGER, POOL(logs.slow_depth),
	    "20", 1, 100, CLASS_REPLACE, NULL },

	{ GROUP_LUA, "path", KEY_STRING, POOL(lua.path),
	    ";;", 0, PATH_MOST, CLASS_REPLACE, NULL },
	{ GROUP_LUA, "cpath", KEY_STRING, POOL(lua.cpath),
	    ";;", 0, PATH_MOST, CLASS_REPLACE, NULL },
	{ GROUP_LUA, "disable", KEY_STRINGS, POOL(lua.disable),
	    NULL, 0, NAME_MOST, CLASS_REPLACE, NULL },
	{ GROUP_LUA, "libraries", KEY_STRINGS, POOL(lua.libraries),
	    "all", 1, NAME_MOST, CLASS_REPLACE, NULL },
	{ GROUP_LUA, "binary_chunks", KEY_BOOL, POOL(lua.binary_chunks),
	    "false", 0, 1, CLASS_REPLACE, NULL },

	{ GROUP_HTTP, "proxies", KEY_STRINGS, POOL(http.proxies),
	    NULL, 0, NAME_MOST, CLASS_REPLACE, NULL },
	{ GROUP_HTTP, "forwarded", KEY_WORD, POOL(http.forwarded),
	    "x-forwarded-for", 0, 0, CLASS_REPLACE, forwarded_words },
	{ GROUP_HTTP, "proxy_protocol", KEY_BOOL, POOL(http.proxy_protocol),
	    "false", 0, 1, CLASS_REPLACE, NULL },
	{ GROUP_HTTP, "request_buffer", KEY_SIZE, POOL(http.request_buffer),
	    "64K", 0, 1024 * 1024, CLASS_REPLACE, NULL },
	{ GROUP_HTTP, "response_buffer", KEY_SIZE, POOL(http.response_buffer),
	    "256K", 0, 16 * 1024 * 1024, CLASS_REPLACE, NULL },
	{ GROUP_HTTP, "max_body", KEY_SIZE, POOL(http.max_body),
	    "10M", 0, SIZE_MOST, CLASS_REPLACE, NULL },
	{ GROUP_HTTP, "read", KEY_DURATION, POOL(http.read),
	    "10s", SHORTEST, DAY, CLASS_REPLACE, NULL },
	{ GROUP_HTTP, "keepalive_requests", KEY_INTEGER,
	    POOL(http.keepalive_requests),
	    "1000", 0, INT32_MAX, CLASS_REPLACE, NULL },

	{ GROUP_WEBSOCKET, "connections", KEY_INTEGER,
	    POOL(websocket.connections),
	    "10000", 1, 1000000, CLASS_REPLACE, NULL },
	{ GROUP_WEBSOCKET, "max_message", KEY_SIZE, POOL(websocket.max_message),
	    "64K", 1, 16 * 1024 * 1024, CLASS_REPLACE, NULL },
	{ GROUP_WEBSOCKET, "send_buffer", KEY_SIZE, POOL(websocket.send_buffer),
	    "256K", 1024, 1024 * 1024 * 1024, CLASS_REPLACE, NULL },
	{ GROUP_WEBSOCKET, "ping", KEY_DURATION, POOL(websocket.ping),
	    "30s", 0, DAY, CLASS_REPLACE, NULL },
	{ GROUP_WEBSOCKET, "silence", KEY_DURATION, POOL(websocket.silence),
	    "30s", SHORTEST, DAY, CLASS_REPLACE, NULL },
	{ GROUP_WEBSOCKET, "idle", KEY_DURATION, POOL(websocket.idle),
	    "0", 0, DAY, CLASS_REPLACE, NULL },
	{ GROUP_WEBSOCKET, "drain", KEY_DURATION, POOL(websocket.drain),
	    "10s", 0, DAY, CLASS_REPLACE, NULL },
	{ GROUP_WEBSOCKET, "origins", KEY_STRINGS, POOL(websocket.origins),
	    NULL, 0, NAME_MOST, CLASS_REPLACE, NULL },

	{ GROUP_COUNT, NULL, KEY_STRING, 0, NULL, 0, 0, CLASS_RESTART, NULL }
};

_Static_assert(sizeof(conf_keys) / sizeof(conf_keys[0]) <= KEY_COUNT,
    "KEY_COUNT is too small");

const struct conf_key *
conf_key_find(enum key_group group, const char *name)
{
	const struct conf_key *key;

	for (key = conf_keys; key->name != NULL; key++) {
		if (key->group == group && strcmp(key->name, name) == 0)
			return key;
	}
	return NULL;
}

int
conf_group_find(const char *name)
{
	for (int group = GROUP_WORKERS; group < GROUP_COUNT; group++) {
		if (strcmp(group_names[group], name) == 0)
			return group;
	}
	return -1;
}

const char *
conf_interface_name(enum conf_interface interface)
{
	return interface_words[interface];
}

const char *
conf_group_name(enum key_group group)
{
	return group_names[group];
}

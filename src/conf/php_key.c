#include "conf/php_key.h"

#include <string.h>


static const struct php_key keys[] = {
	{ true, "pid", PHP_PATH, GROUP_TOP, "pid_file", NULL },
	{ true, "error_log", PHP_LOG, GROUP_TOP, "error_log", NULL },
	{ true, "log_level", PHP_SAME, GROUP_TOP, "log_level", NULL },
	{ true, "process.max", PHP_SAME, GROUP_TOP, "process_max", NULL },
	{ true, "syslog.facility", .note = "the facility is always daemon" },
	{ true, "syslog.ident", .note = "it is always lua-fpm" },
	{ true, "log_limit", .note = "lines are logged whole" },
	{ true, "log_buffering", .note = "each line is written at once" },
	{ true, "emergency_restart_threshold", .note = "a pool whose workers "
	    "die starts ever fewer of them, and goes on once it is mended" },
	{ true, "emergency_restart_interval", .note = "as for "
	    "emergency_restart_threshold" },
	{ true, "process_control_timeout", .note = "timeouts.stop of each "
	    "pool" },
	{ true, "process.priority", .note = "priority of each pool; for the "
	    "master, Nice= of the service" },
	{ true, "daemonize", .note = "the option -D" },
	{ true, "rlimit_files", .note = "limits.files of each pool; for the "
	    "master, LimitNOFILE= of the service" },
	{ true, "rlimit_core", .note = "limits.core of each pool" },
	{ true, "events.mechanism", .note = "it is poll in the master and "
	    "epoll in workers" },
	{ true, "systemd_interval", .note = "systemd is told when something "
	    "changes" },

	{ false, "prefix", .note = "paths are written in full; they are below "
	    "it here" },
	{ false, "user", PHP_SAME, GROUP_POOL, "user", NULL },
	{ false, "group", PHP_SAME, GROUP_POOL, "group", NULL },
	{ false, "chroot", PHP_PATH, GROUP_POOL, "chroot", NULL },
	{ false, "chdir", PHP_PATH, GROUP_POOL, "directory", NULL },
	{ false, "process.priority", PHP_SAME, GROUP_POOL, "priority", NULL },
	{ false, "process.dumpable", PHP_BOOL, GROUP_POOL, "dumpable", NULL },
	{ false, "rlimit_files", PHP_SAME, GROUP_LIMITS, "files", NULL },
	{ false, "rlimit_core", PHP_SAME, GROUP_LIMITS, "core", NULL },
	{ false, "apparmor_hat", .note = "AppArmorProfile= of the service" },
	{ false, "listen", PHP_ADDRESS, GROUP_POOL, "listen", NULL },
	{ false, "listen.backlog", PHP_BACKLOG, GROUP_POOL, "backlog", NULL },
	{ false, "listen.owner", PHP_SAME, GROUP_POOL, "listen_owner", NULL },
	{ false, "listen.group", PHP_SAME, GROUP_POOL, "listen_group", NULL },
	{ false, "listen.mode", PHP_SAME, GROUP_POOL, "listen_mode", NULL },
	{ false, "listen.acl_users", PHP_LIST, GROUP_POOL, "listen_acl_users",
	    "owner, group and mode hold beside the list, not in its place" },
	{ false, "listen.acl_groups", PHP_LIST, GROUP_POOL,
	    "listen_acl_groups", "owner, group and mode hold beside the list, "
	    "not in its place" },
	{ false, "listen.allowed_clients", PHP_LIST, GROUP_POOL,
	    "allowed_clients", NULL },
	{ false, "listen.setfib", .note = "it is for FreeBSD" },
	{ false, "pm", PHP_SAME, GROUP_WORKERS, "mode", NULL },
	{ false, "pm.max_children", PHP_SAME, GROUP_WORKERS, "max", NULL },
	{ false, "pm.start_servers", PHP_SAME, GROUP_WORKERS, "start", NULL },
	{ false, "pm.min_spare_servers", PHP_SAME, GROUP_WORKERS, "min_spare",
	    NULL },
	{ false, "pm.max_spare_servers", PHP_SAME, GROUP_WORKERS, "max_spare",
	    NULL },
	{ false, "pm.max_spawn_rate", PHP_SAME, GROUP_WORKERS, "spawn_rate",
	    NULL },
	{ false, "pm.process_idle_timeout", PHP_SAME, GROUP_WORKERS,
	    "idle_timeout", NULL },
	{ false, "pm.max_requests", PHP_SAME, GROUP_WORKERS, "max_requests",
	    NULL },
	{ false, "pm.status_path", PHP_SAME, GROUP_POOL, "status_path", NULL },
	{ false, "pm.status_listen", PHP_ADDRESS, GROUP_POOL, "status_listen",
	    NULL },
	{ false, "ping.path", PHP_SAME, GROUP_POOL, "ping_path", NULL },
	{ false, "ping.response", PHP_SAME, GROUP_POOL, "ping_response",
	    NULL },
	{ false, "access.log", PHP_LOG, GROUP_LOGS, "access", NULL },
	{ false, "access.format", PHP_SAME, GROUP_LOGS, "access_format",
	    NULL },
	{ false, "access.suppress_path", PHP_SAME, GROUP_LOGS,
	    "access_suppress", NULL },
	{ false, "slowlog", PHP_LOG, GROUP_LOGS, "slow", NULL },
	{ false, "request_slowlog_timeout", PHP_SAME, GROUP_TIMEOUTS, "slow",
	    NULL },
	{ false, "request_slowlog_trace_depth", PHP_SAME, GROUP_LOGS,
	    "slow_depth", NULL },
	{ false, "request_terminate_timeout", PHP_SAME, GROUP_TIMEOUTS,
	    "request", NULL },
	{ false, "request_terminate_timeout_track_finished", .note = "the "
	    "limit is that of accept and of its body" },
	{ false, "catch_workers_output", .note = "what workers print is "
	    "always in the error log" },
	{ false, "decorate_workers_output", .note = "each line bears time, "
	    "level, pool and pid" },
	{ false, "clear_env", PHP_BOOL, GROUP_POOL, "clear_environment",
	    NULL },
	{ false, "env", PHP_VARIABLES, GROUP_POOL, "environment", NULL },
	{ false, "security.limit_extensions", .note = "a pool runs the one "
	    "file that app names" },
	{ false, "php_value", .note = "a setting of PHP" },
	{ false, "php_flag", .note = "a setting of PHP" },
	{ false, "php_admin_value", .note = "a setting of PHP" },
	{ false, "php_admin_flag", .note = "a setting of PHP" },
	{ false, NULL, .note = NULL }
};

const struct php_key *
php_key_find(bool global, const char *name)
{
	const struct php_key *key;

	for (key = keys; key->theirs != NULL; key++) {
		if (key->global == global && strcmp(key->theirs, name) == 0)
			return key;
	}
	return NULL;
}

/* True if they are the same but for '.', which no name here has. */
static bool
same(const char *theirs, const char *name)
{
	for (; *theirs != '\0' && *name != '\0'; theirs++, name++) {
		if (*theirs != *name && (*theirs != '.' || *name != '_'))
			return false;
	}
	return *theirs == *name;
}

const struct php_key *
php_key_near(const char *name)
{
	const struct php_key *key;

	for (key = keys; key->theirs != NULL; key++) {
		const char *theirs = key->theirs;

		if (key->ours != NULL && (same(theirs, name) ||
		    (strncmp(theirs, "pm.", 3) == 0 && same(theirs + 3, name))))
			return key;
	}
	return NULL;
}

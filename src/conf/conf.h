#ifndef CONF_CONF_H
#define CONF_CONF_H

/*
 * The configuration as data: what lua-fpm.conf(5) documents, every default
 * filled in, every unit resolved (milliseconds, bytes).  One object, one
 * free.  Read in the master and by -t; workers see their pool through
 * struct worker_args and never change it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/why.h"

enum conf_mode { MODE_STATIC, MODE_DYNAMIC, MODE_ONDEMAND };

#define CONF_UNSET     ((int64_t)-1) /* of a mode or size: not changed */
#define CONF_UNLIMITED INT64_MAX     /* of a size */

struct conf_list { /* a list of strings */
	char **item;
	size_t n;
};

struct conf_workers {
	int64_t mode; /* enum conf_mode */
	int64_t max;
	int64_t start; /* dynamic: at the beginning */
	int64_t min_spare;
	int64_t max_spare;
	int64_t spawn_rate;   /* most forks in one step */
	int64_t loading;      /* at once, 0: twice the processors */
	int64_t idle_timeout; /* ms; ondemand */
	int64_t max_requests; /* a worker serves, 0: any number */
	int64_t max_age;      /* ms; of a worker, 0: any */
};

struct conf_timeouts { /* ms */
	int64_t start;	   /* from fork to READY */
	int64_t request;   /* to serve one, 0: for ever */
	int64_t slow;	   /* from which on one is logged, 0: never */
	int64_t read;	   /* for a whole request head; between body bytes */
	int64_t write;	   /* for the peer to take any output */
	int64_t keepalive; /* an idle kept connection */
	int64_t stop;	   /* from TERM to KILL */
};

struct conf_limits {
	int64_t head; /* bytes of a request's head, all its parameters */
	int64_t memory; /* bytes of the Lua heap, 0: any */
	int64_t rss;	/* bytes of resident memory of a worker, 0: any */
	int64_t files; /* descriptors, 0: not changed */
	int64_t processes; /* and threads of the user, 0: not changed */
	int64_t core;  /* bytes, CONF_UNSET or CONF_UNLIMITED */
};

struct conf_lua { /* what applications may reach */
	char *path;  /* package.path, NULL: empty; CONF_LUA_OWN stands */
	char *cpath; /* for Lua's own */
	struct conf_list disable;
	struct conf_list libraries; /* CONF_LUA_ALL alone: all of them */
	bool binary_chunks;
};

struct conf_logs { /* of a pool; NULL: none (sink.h) */
	char *access;
	char *access_format;		  /* format.h */
	struct conf_list access_suppress; /* paths */
	char *slow;
	int64_t slow_depth; /* frames of a traceback */
};

struct conf_pool {
	char *name;
	char *file; /* where the pool was defined */
	int line;
	char *app; /* absolute, or relative to the working directory */
	struct conf_list listen;
	char *listen_owner;    /* name or number; NULL: not changed */
	char *listen_group;
	int64_t listen_mode;
	struct conf_list listen_acl_users; /* names or numbers */
	struct conf_list listen_acl_groups;
	int64_t backlog;
	struct conf_list allowed_clients; /* cidr.h; empty: everyone */
	char *user; /* NULL: not changed */
	char *group;
	char *chroot;    /* NULL: none; app and directory are inside */
	char *directory; /* working directory, NULL: not changed */
	int64_t umask;   /* CONF_UNSET: not changed */
	int64_t priority; /* setpriority(2), 0: not changed */
	bool dumpable;    /* although its user has changed */
	struct conf_list environment; /* "NAME=value" */
	bool clear_environment;
	bool errors_to_server;
	char *request_id; /* parameter that carries it, NULL: none does */
	struct conf_list status_listen;
	char *status_path; /* of URLs that we answer ourselves, NULL: none */
	char *ping_path;
	char *ping_response;
	int64_t timeout_status; /* HTTP status that answers timeouts.request */
	struct conf_workers workers;
	struct conf_timeouts timeouts;
	struct conf_limits limits;
	struct conf_logs logs;
	struct conf_lua lua;
};

struct conf {
	char *pid_file; /* NULL: none */
	char *control; /* NULL: none */
	char *error_log;
	int64_t log_level; /* enum log_level */
	int64_t log_format; /* enum log_form */
	int64_t process_max; /* workers of all pools, 0: no limit */
	char *include;	   /* NULL: none, or what it named is in pools */
	struct conf_pool *pools;
	size_t npools;
};

/* One fault of a configuration, fit to be shown (base/escape.h).  `file` is
 * owned by the list. */
struct conf_fault {
	char *file;
	int line;
	char text[320];
};

struct conf_faults {
	struct conf_fault *item;
	size_t n;
};

/* Note a fault; text is cut to fit.  Out of memory: the fault is counted in
 * n only if it could be kept, so callers treat n == 0 as "no fault" only
 * after conf_read returned a configuration. */
void conf_fault(struct conf_faults *faults, const char *file, int line,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void conf_faults_free(struct conf_faults *faults);

#define CONF_FAULT_TEXT 4608 /* a path, and what a fault says */

/* "FILE:LINE: what", or "FILE: what" where no line is known; all of them, one
 * line each. */
void conf_fault_text(const struct conf_fault *fault, char *out, size_t size);
void conf_faults_print(const struct conf_faults *faults, FILE *out);

/* Append a copy of a text: 0, or -1 (memory).  Give back what a list holds;
 * it is empty then. */
int conf_list_add(struct conf_list *list, const char *text);
void conf_list_free(struct conf_list *list);

/* Give back a configuration and everything in it; NULL is fine. */
void conf_free(struct conf *conf);

/* The pool of that name, or NULL. */
const struct conf_pool *conf_find(const struct conf *conf, const char *name);

#endif

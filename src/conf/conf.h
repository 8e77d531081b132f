#ifndef CONF_CONF_H
#define CONF_CONF_H

/*
 * The configuration as data: what lua-fpm.conf(5) documents, every default
 * filled in, every unit resolved (milliseconds, bytes).  One object owns all
 * of it.  Read in the master and by -t; workers get their pool through
 * struct worker_args and never change it.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/index.h"
#include "base/why.h"
#include "net/sock_protocol.h"

enum conf_mode { MODE_STATIC, MODE_DYNAMIC, MODE_ONDEMAND };

enum conf_interface { /* what an application is written for */
	INTERFACE_NATIVE,
	INTERFACE_WSAPI,
	INTERFACE_LAPIS,
	INTERFACE_MOONBRIDGE,
	INTERFACE_FUNCTIONS,
	INTERFACE_FILES,
	INTERFACE_CGI
};

enum conf_forwarded { /* how proxies tell for whom they ask */
	CONF_FORWARDED_NONE,
	CONF_FORWARDED_FOR, /* X-Forwarded-For and X-Forwarded-Proto */
	CONF_FORWARDED_RFC  /* Forwarded (RFC 7239) */
};

#define CONF_UNSET     ((int64_t)-1) /* a mode or size that is not changed */
#define CONF_UNLIMITED INT64_MAX     /* a size without limit */

struct conf_list { /* a list of strings */
	char **item;
	size_t n;
};

struct conf_workers {
	int64_t mode; /* enum conf_mode */
	int64_t max;
	int64_t start; /* dynamic: number at the start */
	int64_t min_spare;
	int64_t max_spare;
	int64_t spawn_rate;   /* most forks in one step */
	int64_t loading;      /* most that load at once, 0: 2 per processor */
	int64_t idle_timeout; /* ms; ondemand */
	int64_t max_requests; /* that a worker serves, 0: no limit */
	int64_t max_age;      /* ms; of a worker, 0: no limit */
};

struct conf_timeouts { /* ms */
	int64_t start;	   /* from fork to READY */
	int64_t request;   /* to serve one, 0: no limit */
	int64_t after;	   /* for what follows a request, 0: no limit */
	int64_t queue;	   /* for one to wait for a worker, 0: no limit */
	int64_t slow;	   /* a request that takes as long is logged, 0: none */
	int64_t read; /* FastCGI: for a whole request head; between body bytes */
	int64_t write;	   /* for the peer to take some output */
	int64_t keepalive; /* an idle kept connection */
	int64_t stop;	   /* from TERM to KILL */
};

struct conf_limits {
	int64_t head; /* bytes of a request's head: all its parameters */
	int64_t body; /* bytes of a request's body, 0: see conf_body_limit */
	int64_t response_head; /* bytes of a response's head, 0: no limit */
	int64_t memory; /* bytes of the Lua heap, 0: no limit */
	int64_t min_rate; /* bytes of a body a second, 0: no limit */
	int64_t rss;	/* bytes of resident memory of a worker, 0: no limit */
	int64_t files; /* RLIMIT_NOFILE, 0: not changed */
	int64_t processes; /* RLIMIT_NPROC of the user, 0: not changed */
	int64_t core;  /* bytes, CONF_UNSET or CONF_UNLIMITED */
};

struct conf_lua { /* what applications may use */
	char *path;  /* package.path and package.cpath; NULL: empty; */
	char *cpath; /* CONF_LUA_OWN in them means Lua's own path */
	struct conf_list disable;
	struct conf_list libraries; /* CONF_LUA_ALL alone: all of them */
	bool binary_chunks;
};

struct conf_logs { /* of a pool */
	char *access;			  /* ipc/sink.h; NULL: none */
	char *access_format;		  /* conf/format.h */
	struct conf_list access_suppress; /* paths that are not logged */
	char *slow;			  /* as access */
	int64_t slow_depth; /* frames of a traceback */
};

struct conf_http { /* at addresses where clients speak HTTP */
	struct conf_list proxies; /* base/cidr.h, or "unix" */
	int64_t forwarded;	  /* enum conf_forwarded */
	bool proxy_protocol;	  /* connections begin with its header */
	int64_t request_buffer; /* bytes of a body that wait outside a worker */
	int64_t response_buffer;    /* and of a response */
	int64_t max_body;	    /* see conf_body_limit */
	int64_t read;		    /* ms; as timeouts.read */
	int64_t keepalive_requests; /* on one connection, 0: no limit */
};

struct conf_websocket {
	int64_t connections; /* at a time */
	int64_t max_message; /* bytes */
	int64_t send_buffer; /* bytes that wait for a client that is slow */
	int64_t ping;	 /* ms without a byte until it is pinged, 0: never */
	int64_t silence; /* ms after that until it is cut */
	int64_t idle;	 /* ms without a message, 0: any time */
	int64_t drain;	 /* ms over which all are closed at a stop */
	struct conf_list origins; /* net/ws_handshake.h; empty: the same host */
};

struct conf_pool {
	char *name;
	char *file; /* in which the pool is defined */
	int line;
	char *app; /* absolute, or relative to the working directory; NULL if
		      the interface takes root */
	char *root; /* likewise the directory that "files" and "cgi" serve,
		       and NULL for the others */
	int64_t revalidate; /* ms until a loaded file is looked at again */
	int64_t interface; /* enum conf_interface */
	bool develop;	   /* load what has changed, show errors to clients */
	char *mount; /* path of a URL below which the application is */
	struct conf_list listen;
	char *listen_owner;    /* name or number; NULL: not changed */
	char *listen_group;
	int64_t listen_mode;
	struct conf_list listen_acl_users; /* names or numbers */
	struct conf_list listen_acl_groups;
	int64_t backlog;
	struct conf_list allowed_clients; /* base/cidr.h; empty: all */
	char *user; /* NULL: not changed */
	char *group;
	char *chroot;    /* NULL: none; app and directory are relative to it */
	char *directory; /* working directory, NULL: not changed */
	int64_t umask;   /* CONF_UNSET: not changed */
	int64_t priority; /* setpriority(2), 0: not changed */
	bool dumpable;    /* although the worker changed its user */
	struct conf_list environment; /* "NAME=value" */
	struct conf_list shared; /* dictionaries, conf_shared_item */
	bool clear_environment;
	bool errors_to_server;
	char *request_id; /* the parameter that has the id, NULL: none */
	struct conf_list status_listen;
	char *status_path; /* path of a URL for the status, NULL: none */
	char *ping_path;
	char *ping_response;
	struct conf_list timers; /* texts of conf_timer.h, names unique */
	int64_t timeout_status; /* HTTP status that answers timeouts.request */
	struct conf_workers workers;
	struct conf_timeouts timeouts;
	struct conf_limits limits;
	struct conf_logs logs;
	struct conf_lua lua;
	struct conf_http http;
	struct conf_websocket websocket;
};

/* One fault of a configuration, escaped for display (base/escape.h).  The list
 * owns `file` and `text`. */
struct conf_fault {
	char *file;
	int line; /* 0: not known */
	char *text;
};

struct conf_faults {
	struct conf_fault *item;
	size_t n;
};

struct conf {
	char *pid_file; /* NULL: none */
	char *control; /* NULL: none */
	char *error_log;
	int64_t log_level; /* enum log_level */
	int64_t log_format; /* enum log_form */
	int64_t process_max; /* workers of all pools, 0: no limit */
	char *include;	   /* NULL: none, or its files have been read */
	struct conf_pool *pools;
	size_t npools;
	struct conf_faults notes; /* what is no fault but looks like one */
	struct index names;	  /* conf_index */
	struct index_entry *entries;
};

/* Append a fault, at its full length.  One for which there is no memory is
 * dropped, so an empty list does not mean that there was no fault: the result
 * of conf_read does. */
void conf_faultv(struct conf_faults *faults, const char *file, int line,
    const char *fmt, va_list ap) __attribute__((format(printf, 4, 0)));
void conf_fault(struct conf_faults *faults, const char *file, int line,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void conf_faults_free(struct conf_faults *faults);

#define CONF_FAULT_TEXT 9216 /* two paths, and what a fault says */

/* Format a fault as "FILE:LINE: what", or "FILE: what" if no line is known, cut
 * to fit; print all faults, one line each, at full length. */
void conf_fault_text(const struct conf_fault *fault, char *out, size_t size);
void conf_faults_print(const struct conf_faults *faults, FILE *out);

/* Append a copy of a text: 0, or -1 (ENOMEM).  Free the items of a list; it is
 * empty then. */
int conf_list_add(struct conf_list *list, const char *text);
void conf_list_free(struct conf_list *list);

/* An item of conf_pool.shared, "NAME=BYTES": the bytes; *name_len is the length
 * of the name, with which the item begins. */
int64_t conf_shared_item(const char *item, size_t *name_len);

/* Free a configuration and everything in it; NULL is allowed. */
void conf_free(struct conf *conf);

/* True if an interface serves a directory, the key `root`, and has no `app`. */
bool conf_has_root(enum conf_interface interface);

/* What a pool serves, its app or its root, for messages. */
const char *conf_pool_serves(const struct conf_pool *pool);

/* The most bytes that the body of a request may have which comes by that
 * protocol, 0: no limit. */
int64_t conf_body_limit(const struct conf_pool *pool,
    enum sock_protocol protocol);

/* Once all pools are there: have conf_find look up names instead of going
 * through all of them, which it does without memory as well.  And forget the
 * index; conf_free does so too. */
void conf_index(struct conf *conf);
void conf_unindex(struct conf *conf);

/* The first pool of that name, or NULL. */
const struct conf_pool *conf_find(const struct conf *conf, const char *name);

#endif

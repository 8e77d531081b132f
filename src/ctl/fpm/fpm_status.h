#ifndef CTL_FPM_FPM_STATUS_H
#define CTL_FPM_FPM_STATUS_H

/*
 * Read the daemon's JSON about itself and its pools into structures.  Texts
 * become printable (fpm_visible).  Only fpm_status.c uses jansson.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/why.h"

struct fpm_worker {
	const char *pool; /* its name, in fpm_status.pools */
	char state[12];	  /* Starting, Idle, Running, Finishing, ... */
	int64_t pid;
	int64_t requests;
	int64_t took; /* us; of its present request so far, or its last one */
	int64_t heap; /* bytes */
	int64_t rss;
	char method[12];
	char uri[512];
};

struct fpm_timer {
	const char *pool; /* as above */
	char name[36];
	char when[48];	  /* "every 1m" */
	char state[12];	  /* Running, Waiting */
	char result[12];  /* none, success, failed, timeout, killed */
	int64_t took;	  /* us */
	int64_t last, next; /* s since 1970; 0: never */
	int64_t runs, failures, missed;
};

struct fpm_pool {
	char name[36];
	char state[12]; /* serving, starting, leaving, drained */
	char manager[12];
	int64_t generation, since; /* s */
	int64_t starting, idle, active, leaving, total;
	int64_t queue, requests, slow, timeouts, restarts, crashes;
	int64_t bytes_out;
	char backoff[12]; /* "none", "waiting" */
	struct fpm_sockets {
		bool known; /* the application has WebSockets */
		char state[12]; /* of their process: Running, ... */
		int64_t open, limit, opened, refused, in, out;
		int64_t waiting, channels;
		int64_t cut; /* for whatever fault */
	} sockets;
};

struct fpm_status {
	char version[24];
	char state[12];
	int64_t pid;
	int64_t since; /* s */
	struct fpm_pool *pools;
	size_t npools;
	struct fpm_worker *workers; /* of all pools */
	size_t nworkers;
	struct fpm_timer *timers; /* likewise */
	size_t ntimers;
};

/* Parse n bytes of JSON: 0, or -1 and why.  The caller frees status in either
 * case. */
int fpm_status_read(const char *json, size_t n, struct fpm_status *status,
    struct why *why);
void fpm_status_free(struct fpm_status *status);

#endif

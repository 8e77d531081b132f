#ifndef CTL_FPM_FPM_STATUS_H
#define CTL_FPM_FPM_STATUS_H

/*
 * The daemon's JSON about itself and its pools as structures.  Texts are made
 * visible on the way in.  Knows JSON (by jansson, and is its only includer),
 * neither the socket nor the screen.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/why.h"

struct fpm_worker {
	const char *pool; /* its name */
	char state[12];	  /* Starting, Idle, Running, Leaving */
	int64_t pid;
	int64_t requests;
	int64_t took; /* us; of its request so far, or of the last one */
	int64_t heap; /* bytes */
	int64_t rss;
	char method[12];
	char uri[512];
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
};

/* From JSON: 0, or -1 and why.  To be freed in either case. */
int fpm_status_read(const char *json, size_t n, struct fpm_status *status,
    struct why *why);
void fpm_status_free(struct fpm_status *status);

#endif

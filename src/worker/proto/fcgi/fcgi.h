#ifndef WORKER_PROTO_FCGI_FCGI_H
#define WORKER_PROTO_FCGI_FCGI_H

/*
 * FastCGI as a struct proto.  fcgi_scan judges what a peer sends, the
 * application reads it from our own buffers, and fcgi_out frames what is sent
 * to the peer.  Of libfcgi only fastcgi.h is used, for the numbers of the wire:
 * its reader trusts the peer and waits for it, and its writer copies
 * everything.  One request at a time.
 */

#include <stdbool.h>
#include <stdint.h>

#include "worker/proto/fcgi/fcgi_scan.h"
#include "worker/proto/proto.h"

struct fcgi_options {
	struct scan_limits scan; /* without the roles: see proto.roles */
	int64_t read_timeout;  /* ms between two arrivals of body bytes */
	int64_t min_rate;      /* bytes of a body a second, 0: no limit */
	int64_t body_most;     /* bytes of a body, 0: no limit */
	int64_t write_timeout; /* ms for the peer to take any output */
	bool (*ends)(void);    /* the worker leaves, and no other takes its
				  connections */
};

/* Once in a worker, before fcgi_proto is used. */
void fcgi_init(const struct fcgi_options *options);

extern const struct proto fcgi_proto;

#endif

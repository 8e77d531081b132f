#ifndef WORKER_PROTO_FCGI_FCGI_H
#define WORKER_PROTO_FCGI_FCGI_H

/*
 * FastCGI behind struct proto.  What a peer sends is judged by fcgi_scan and
 * handed to the application from our own buffers; what it is sent is framed by
 * fcgi_out.  libfcgi's part in this is its fastcgi.h, the numbers of the wire:
 * its reader trusts and waits for the peer, and its writer copies everything.
 * One request at a time.
 */

#include <stdint.h>

#include "worker/proto/fcgi/fcgi_scan.h"
#include "worker/proto/proto.h"

struct fcgi_options {
	struct scan_limits scan;
	int64_t read_timeout;  /* ms between two arrivals of body bytes */
	int64_t write_timeout; /* ms for the peer to take any output */
	const char *request_id; /* parameter that has it, NULL: none has */
};

/* Once in a worker; the protocol is usable then. */
void fcgi_init(const struct fcgi_options *options);

extern const struct proto fcgi_proto;

#endif

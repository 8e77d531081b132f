#ifndef WORKER_SERVE_REQUEST_H
#define WORKER_SERVE_REQUEST_H

/*
 * One request of any protocol: parameters, a body to read, a response to
 * write.  A protocol makes it (proto.h); serve/ and lua/ use it and do not know
 * the protocol.  Runs in the worker, one request at a time.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "base/why.h"
#include "ipc/output_tag.h"

#define REQUEST_ID     OUTPUT_TAG_ID /* bytes, with the NUL at the end */
#define REQUEST_METHOD 32
#define REQUEST_URI    512

struct request;
struct response;

struct param { /* neither is terminated; either may hold any byte */
	const char *name;
	const char *value;
	size_t name_len;
	size_t value_len;
	bool constant_name; /* part of the program: one address, one text */
	bool constant_value;
};

struct request_ops {
	/*
	 * Read at most n > 0 bytes of the body into data: those that have
	 * come, or else the first that come.  Returns how many, 0 at the end
	 * of the body.  -1 with errno ETIMEDOUT (timeouts.read), EFBIG (it is
	 * longer than body_most) or EBADMSG (it is malformed), and the client
	 * can still be answered; or with ECONNRESET (the peer left or aborted)
	 * or EPROTO (malformed stream), and the request is aborted.
	 */
	ssize_t (*read)(struct request *, void *data, size_t n);
	/*
	 * As read, of the second body, which a filter has.  What has not been
	 * read of the first is dropped, and read returns 0 from then on.
	 * Called for ROLE_FILTER only.
	 */
	ssize_t (*read_data)(struct request *, void *data, size_t n);
	/* Send the head of the response; once, before write.  body_len is the
	 * length of the body, -1 if it is not known.  0; -1 with errno ENOMEM
	 * or EMSGSIZE (it exceeds head_most) or EPROTO (the protocol has no
	 * response with that status), and nothing is sent, or as write. */
	int (*head)(struct request *, const struct response *,
	    int64_t body_len);
	/* Send all bytes of n pieces, in order; short ones may be buffered.
	 * 0, or -1 with errno EPIPE or ETIMEDOUT; after -1 the request is
	 * aborted. */
	int (*write)(struct request *, const struct iovec *piece, int n);
	/* Send what is buffered.  Returns as write. */
	int (*flush)(struct request *);
	/* Send n bytes to the web server's own error log (FCGI_STDERR).
	 * Returns as write.  NULL if the protocol has no such log. */
	int (*complain)(struct request *, const void *data, size_t n);
	/* The process is about to end in the middle of the request: answer with
	 * that status if nothing has been sent, else leave the response
	 * visibly incomplete.  Called by the guard of watchdog.h; never
	 * waits. */
	void (*abandon)(struct request *, int status);
	/* True if the peer has left or aborted the request.  Costs a system
	 * call. */
	bool (*gone)(struct request *);
	/*
	 * As read, for a caller that waits for other things too, in its own
	 * poll(2): never waits, and -1 with errno EAGAIN if nothing has come.
	 * `waited`: ms that the caller has waited for the body since the last
	 * call; ETIMEDOUT if that is too long in all.  NULL if the protocol
	 * cannot do that.
	 */
	ssize_t (*take)(struct request *, void *data, size_t n,
	    int64_t waited);
	/* The descriptor to poll(2) for that: readable if `take` may have more,
	 * or if the peer has left (`gone` knows).  NULL as for take. */
	int (*watched)(const struct request *);
};

enum request_role { /* of the application (FastCGI specification, 6) */
	ROLE_RESPONDER,
	ROLE_AUTHORIZER, /* no body; its status is the decision */
	ROLE_FILTER,	 /* two bodies: read and read_data */
	REQUEST_ROLES
};

#define ROLE_BIT(role) (1u << (role)) /* in a set of roles */

enum request_known { /* parameters that the worker itself uses */
	PARAM_METHOD,
	PARAM_URI,
	PARAM_QUERY,
	PARAM_SCRIPT_NAME,
	PARAM_SCRIPT_FILENAME,
	PARAM_PATH_INFO,
	PARAM_REMOTE_ADDR,
	PARAM_REMOTE_USER,
	PARAM_CONTENT_LENGTH,
	REQUEST_KNOWN
};

struct request {
	const struct request_ops *ops;
	enum request_role role;
	const struct param *params; /* in order of arrival, repeats included */
	size_t nparams;
	const struct param *known[REQUEST_KNOWN]; /* the first of that name, or
						     NULL */
	int64_t length;	    /* of the body, as it was announced, or -1 */
	int64_t body_most;  /* bytes that it may have, 0: any number */
	int64_t begun;	    /* clock_us() */
	uint64_t bytes_in;  /* body bytes read so far, or drained */
	uint64_t bytes_out; /* bytes written, headers included */
	char id[REQUEST_ID]; /* for logs, known before anything is logged */
	const char *head; /* of the response, as sent; kept until the request
			     is released */
	size_t head_len;
	int64_t first;	 /* clock_us() of the head, 0: not yet, or not timed */
	size_t head_most; /* bytes that a head may have, 0: any number */
	size_t head_size; /* bytes of the head that had more */
	bool timed;	 /* `first` is wanted */
	int status;	 /* HTTP status sent, 0 before that */
	int app_status;	 /* not 0: the response is cut */
	uint32_t result; /* of a whole response: the application's status, as
			    FCGI_END_REQUEST has it */
	bool head_only;	 /* REQUEST_METHOD is HEAD */
	bool aborted;	 /* the peer left; further writes are pointless */
	bool failed;	 /* the application raised, or its response was bad */
	bool last;	 /* the next write completes the response */
	/* Called before the bytes that complete the response are sent, if they
	 * are sent by a write; NULL: nothing has to be done. */
	void (*completes)(const struct request *);
	bool sent;	 /* the head has been written: no 500 any more */
	bool upgrade;	 /* it asks for a WebSocket, and may have one */
	bool passed;	 /* its connection is another process's now */
};

/* For a protocol's ops->head: note status and head, which is printed, is about
 * to be sent, and must stay as it is until release.  0, or -1 with errno
 * EMSGSIZE. */
int request_note_head(struct request *request, int status,
    const struct buf *head);

/* A body could not be read with that errno (ops->read): the status that answers
 * the request, 0 if its client cannot be answered; and what to log. */
int request_body_status(int error);
const char *request_body_fault(int error);

/* Why ops->head has failed with errno `error` before anything was sent. */
void request_explain_head(const struct request *request,
    const struct response *response, int error, struct why *why);

/* ops->write for a single piece. */
int request_write(struct request *request, const void *data, size_t n);

/* The value of the first parameter of that name, and *len is its length; NULL
 * if there is none, and *len stays. */
const char *request_param(const struct request *request, const char *name,
    size_t *len);

/* The name of a role, "authorizer". */
const char *request_role_name(enum request_role role);

/* Once in a worker: ids are taken from the parameter of that name, which must
 * live as long as the process; NULL: from none. */
void request_id_init(const char *name);

/* For a protocol: set the id of a request that begins, the value of that
 * parameter if it is a valid id (output_tag_is_id), or else one of our own. */
void request_identify(struct request *request);

/* For a protocol that knows its parameters: set `head_only` from `known`. */
void request_note_method(struct request *request);

/* Set `known`, `length` and `head_only` from the parameters, in one pass. */
void request_index(struct request *request);

/* After request_index: the first parameter with that name, of len bytes; NULL
 * if there is none. */
const struct param *request_find(const struct request *request,
    const char *name, size_t len);

/* Method and URI (or SCRIPT_NAME without one) for a log line, cut to fit; "-"
 * if it is missing.  Return out. */
const char *request_method(const struct request *request,
    char out[REQUEST_METHOD]);
const char *request_uri(const struct request *request, char out[REQUEST_URI]);

#endif

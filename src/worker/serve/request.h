#ifndef WORKER_SERVE_REQUEST_H
#define WORKER_SERVE_REQUEST_H

/*
 * One request, whatever protocol brought it: parameters, a body to read, a
 * response to write.  fcgi.c makes them, lua_req.c and response.c use them,
 * neither knows the other.  Runs in the worker, one request at a time.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "ipc/output_tag.h"

#define REQUEST_ID     OUTPUT_TAG_ID /* these with their NUL */
#define REQUEST_METHOD 32
#define REQUEST_URI    512

struct request;
struct response;

struct param { /* neither is terminated; either may hold any byte */
	const char *name;
	const char *value;
	size_t name_len;
	size_t value_len;
};

struct request_ops {
	/*
	 * The next bytes of the body, at most n > 0 and as many as have come:
	 * how many.  Waits for the first.  0 at the end of the body; -1 with
	 * errno ETIMEDOUT (timeouts.read), ECONNRESET (the peer left or
	 * aborted) or EPROTO (malformed stream).  After -1 the request is
	 * aborted.
	 */
	ssize_t (*read)(struct request *, void *data, size_t n);
	/* The head of the response, first and once; body_len is the length of
	 * the body, -1: not known.  0, or -1 with errno: ENOMEM and nothing
	 * is sent, or as write. */
	int (*head)(struct request *, const struct response *,
	    int64_t body_len);
	/* All bytes of n pieces towards the client, in order; what is short
	 * may be buffered.  0, or -1 with errno EPIPE or ETIMEDOUT; after -1
	 * the request is aborted. */
	int (*write)(struct request *, const struct iovec *piece, int n);
	/* Send what is buffered. */
	int (*flush)(struct request *);
	/* n bytes for the web server's own error log (FCGI_STDERR); NULL: it
	 * has none. */
	int (*complain)(struct request *, const void *data, size_t n);
	/* The process is about to end in the middle of the request: if
	 * nothing has gone out, answer with that status, else let it be seen
	 * as cut.  Called beside the thread that serves; never waits. */
	void (*abandon)(struct request *, int status);
	/* Has the peer left or aborted?  Costs a system call. */
	bool (*gone)(struct request *);
};

enum request_known { /* parameters that we look at ourselves */
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
	const struct param *params; /* in order of arrival, repeats included */
	size_t nparams;
	const struct param *known[REQUEST_KNOWN]; /* the first; NULL: none */
	int64_t length;	    /* of the body, as it was announced, or -1 */
	int64_t begun;	    /* clock_us() */
	uint64_t bytes_in;  /* body bytes read so far, or drained */
	uint64_t bytes_out; /* bytes written, headers included */
	char id[REQUEST_ID]; /* for logs, known before anything is logged */
	const char *head; /* of the response, as sent; kept until the request
			     is released */
	size_t head_len;
	int64_t first;	 /* clock_us() of the head, 0: not yet, or not timed */
	bool timed;	 /* whoever began it wants to know */
	int status;	 /* HTTP status sent, 0 before that */
	int app_status;	 /* 0, or not: the response is incomplete */
	bool head_only;	 /* REQUEST_METHOD is HEAD */
	bool aborted;	 /* the peer left; further writes are pointless */
	bool failed;	 /* the application raised, or replied nonsense */
	bool sent;	 /* the header has been written: no 500 any more */
};

/* The end of ops->head, once the head is printed: note what is sent, and send
 * it.  The bytes stay until the request is released.  As ops->write. */
int request_send_head(struct request *request, int status,
    const struct buf *head);

/* ops->write for a single piece. */
int request_write(struct request *request, const void *data, size_t n);

/* The value of the first parameter of that name, *len its length; NULL. */
const char *request_param(const struct request *request, const char *name,
    size_t *len);

/*
 * Let the request be known by what the parameter `name` says, if that is
 * an id (output_tag_is_id).  False: it has no such parameter, and no id.
 */
bool request_take_id(struct request *request, const char *name);

/* Note in `known` which of the parameters are where, in one pass, and what
 * they say of `length`. */
void request_index(struct request *request);

/* After that, the first parameter of a name of len bytes; NULL. */
const struct param *request_find(const struct request *request,
    const char *name, size_t len);

/* Method and URI for a log line, cut to fit; "-" for one that is missing.
 * Return out. */
const char *request_method(const struct request *request,
    char out[REQUEST_METHOD]);
const char *request_uri(const struct request *request, char out[REQUEST_URI]);

#endif

#ifndef NET_WS_FRAME_H
#define NET_WS_FRAME_H

/*
 * WebSocket frames as bytes (RFC 6455, sections 5, 7.4 and 8.1): the judge of
 * what a peer sends, and the headers of what is sent.  Strict: what the RFC
 * forbids is a fault with the close code that it names, as soon as the bytes
 * that show it have come.  No extension is known, so each RSV bit is a fault.
 * Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WS_HEADER  14  /* bytes of a frame's header, at most */
#define WS_CONTROL 125 /* payload bytes of a control frame, at most */
#define WS_REASON  123 /* bytes of the reason in a close frame, at most */

enum ws_opcode {
	WS_CONTINUATION = 0,
	WS_TEXT = 1,
	WS_BINARY = 2,
	WS_CLOSE = 8,
	WS_PING = 9,
	WS_PONG = 10
};

enum ws_code { /* of a close frame (7.4.1, and IANA's registry) */
	WS_CODE_NORMAL = 1000,
	WS_CODE_GOING_AWAY = 1001,
	WS_CODE_PROTOCOL = 1002,
	WS_CODE_NONE = 1005,	 /* never sent: the frame had no code */
	WS_CODE_ABNORMAL = 1006, /* never sent: there was no close frame */
	WS_CODE_INVALID = 1007,	 /* text that is not UTF-8 */
	WS_CODE_POLICY = 1008,
	WS_CODE_TOO_BIG = 1009,
	WS_CODE_INTERNAL = 1011,
	WS_CODE_RESTART = 1012,
	WS_CODE_LATER = 1013
};

/* ---- what a peer sends ----------------------------------------------------- */

/* Text that comes in pieces.  All zero: at the boundary of a character. */
struct ws_utf8 {
	uint8_t need;	   /* bytes that complete the character */
	uint8_t low, high; /* which the next of them may be */
};

/* Judge n more bytes: true if a text can begin so.  It is complete if `need`
 * is 0 (RFC 3629: no surrogates, nothing beyond U+10FFFF, shortest form). */
bool ws_utf8_check(struct ws_utf8 *state, const unsigned char *text, size_t n);

/* True if it is a text as a whole. */
bool ws_is_utf8(const char *text, size_t n);

struct ws_limits {
	uint64_t message;   /* bytes of a message */
	unsigned fragments; /* frames of a message */
	bool masked;	    /* frames must be masked: the peer is a client */
};

struct ws_reader { /* of one connection, all zero at first */
	uint64_t left;	 /* payload bytes of this data frame that have to come */
	uint64_t length; /* of the message, by the frames that have begun */
	uint32_t fragments;
	uint8_t mask[4]; /* of this data frame, for the byte that comes next */
	struct ws_utf8 utf8;
	uint8_t kind; /* WS_TEXT or WS_BINARY while in a message, else 0 */
	bool fin;     /* this data frame is the last of its message */
};

enum ws_event {
	WS_MORE,    /* more bytes are needed */
	WS_DATA,    /* bytes of a message: piece; kind is in the reader */
	WS_MESSAGE, /* the last bytes of one: piece, maybe empty, and `kind` */
	WS_CONTROL_FRAME, /* WS_PING, WS_PONG, or WS_CLOSE: kind and piece */
	WS_BAD	    /* code and fault: close */
};

struct ws_piece {
	unsigned char *data; /* unmasked, in the bytes that were judged */
	size_t len;
	enum ws_opcode kind;
	unsigned code;	   /* of WS_BAD; of a WS_CLOSE, whose reason is in data
			      then: WS_CODE_NONE if it has none */
	const char *fault; /* a constant */
};

/*
 * Judge the n bytes at data from *at on; *at moves behind what has been judged.
 * Bytes are unmasked where they are.  At WS_MORE the caller keeps the bytes
 * from *at on, which are less than WS_HEADER + WS_CONTROL, and calls again with
 * more behind them.  After WS_BAD the reader must not be used.
 */
enum ws_event ws_next(struct ws_reader *reader, const struct ws_limits *limits,
    unsigned char *data, size_t n, size_t *at, struct ws_piece *piece);

/* ---- what is sent ----------------------------------------------------------- */

/* Write the header of a frame with that payload; mask NULL: none.  Returns its
 * length. */
size_t ws_put_header(unsigned char out[WS_HEADER], enum ws_opcode opcode,
    bool fin, uint64_t len, const unsigned char mask[4]);

/* Write the payload of a close frame: nothing for WS_CODE_NONE; a reason longer
 * than WS_REASON is cut before a character.  Returns its length. */
size_t ws_put_close(unsigned char out[WS_CONTROL], unsigned code,
    const char *reason, size_t len);

/* Mask or unmask n bytes that lie `phase` bytes behind the beginning of the
 * payload. */
void ws_mask(unsigned char *data, size_t n, const unsigned char mask[4],
    size_t phase);

/* True if a close frame may have the code (7.4.1, 7.4.2, IANA's registry). */
bool ws_code_is_valid(unsigned code);

#endif

#ifndef TESTS_UNIT_WS_UNIT_H
#define TESTS_UNIT_WS_UNIT_H

#include "base/buf.h"
#include "net/ws_frame.h"

/* Append a masked frame of n bytes with that first byte. */
static inline void
ws_unit_add(struct buf *b, unsigned first, const void *payload, size_t n)
{
	static const unsigned char mask[4] = { 0x12, 0x9a, 0, 0xff };
	unsigned char header[WS_HEADER];
	size_t len = ws_put_header(header, WS_TEXT, true, n, mask);

	header[0] = (unsigned char)first;
	buf_add(b, header, len);
	buf_add(b, payload, n);
	if (n > 0)
		ws_mask((unsigned char *)b->data + b->len - n, n, mask, 0);
}

#endif

#ifndef BASE_SHA1_H
#define BASE_SHA1_H

/*
 * SHA-1 (FIPS 180-4, section 6.1) of a short text.  It secures nothing: the
 * WebSocket handshake has it as a sign that the peer knows the protocol.  Pure.
 */

#include <stddef.h>

#define SHA1_SIZE 20
#define SHA1_TEXT 119 /* bytes, at most: two blocks */

/* n is at most SHA1_TEXT. */
void sha1(const void *text, size_t n, unsigned char out[SHA1_SIZE]);

#endif

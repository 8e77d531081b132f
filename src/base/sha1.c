#include "base/sha1.h"

#include <stdint.h>
#include <string.h>

#define BLOCK 64

static uint32_t
turn(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

static uint32_t
get(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
	    (uint32_t)at[2] << 8 | at[3];
}

static void
put(unsigned char *at, uint32_t x)
{
	at[0] = (unsigned char)(x >> 24);
	at[1] = (unsigned char)(x >> 16);
	at[2] = (unsigned char)(x >> 8);
	at[3] = (unsigned char)x;
}

/* f and K of round t (4.1.1, 4.2.1). */
static uint32_t
mix(int t, const uint32_t s[5])
{
	const uint32_t b = s[1], c = s[2], d = s[3];

	if (t < 20)
		return ((b & c) ^ (~b & d)) + 0x5a827999;
	if (t < 40)
		return (b ^ c ^ d) + 0x6ed9eba1;
	if (t < 60)
		return ((b & c) ^ (b & d) ^ (c & d)) + 0x8f1bbcdc;
	return (b ^ c ^ d) + 0xca62c1d6;
}

static void
add_block(uint32_t hash[5], const unsigned char block[BLOCK])
{
	uint32_t w[80], s[5], x;
	int t;

	memcpy(s, hash, sizeof(s));
	for (t = 0; t < 80; t++) {
		w[t] = t < 16 ? get(block + 4 * t) :
		    turn(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
		x = turn(s[0], 5) + mix(t, s) + s[4] + w[t];
		s[4] = s[3];
		s[3] = s[2];
		s[2] = turn(s[1], 30);
		s[1] = s[0];
		s[0] = x;
	}
	for (t = 0; t < 5; t++)
		hash[t] += s[t];
}

void
sha1(const void *text, size_t n, unsigned char out[SHA1_SIZE])
{
	uint32_t hash[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476,
		0xc3d2e1f0 };
	unsigned char padded[2 * BLOCK] = { 0 };
	size_t blocks = n + 9 > BLOCK ? 2 : 1;

	if (n > 0)
		memcpy(padded, text, n);
	padded[n] = 0x80;
	put(padded + blocks * BLOCK - 4, (uint32_t)n * 8);
	for (size_t i = 0; i < blocks; i++)
		add_block(hash, padded + i * BLOCK);
	for (int i = 0; i < 5; i++)
		put(out + 4 * i, hash[i]);
}

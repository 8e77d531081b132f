#ifndef WORKER_LUA_LIB_URLENCODED_H
#define WORKER_LUA_LIB_URLENCODED_H

/*
 * What forms send: name=value&name=value, with "+" for a blank and %XX for a
 * byte (https://url.spec.whatwg.org, 5.1).  Pure; knows no Lua.
 */

#include <stdbool.h>
#include <stddef.h>

/* Decode n bytes into `out`, which has room for n.  Returns how many they are
 * then.  A "%" without two hexadecimal digits stays as it is, and *malformed
 * becomes true. */
size_t urlencoded_decode(const char *text, size_t n, char *out,
    bool *malformed);

/* True if the n bytes are well-formed UTF-8 (RFC 3629), which may have control
 * characters. */
bool urlencoded_is_utf8(const char *text, size_t n);

#endif

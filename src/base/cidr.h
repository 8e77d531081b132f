#ifndef BASE_CIDR_H
#define BASE_CIDR_H

/*
 * Address ranges as in `allowed_clients` of lua-fpm.conf(5): parse one, test
 * an address against it.  Pure: names are not looked up.
 */

#include <stdbool.h>
#include <sys/socket.h>

#include "base/why.h"

struct cidr {
	unsigned char address[16]; /* IPv6; IPv4 as ::ffff:0:0/96 */
	unsigned bits;		   /* of `address` that are compared */
};

/*
 * Parse "192.0.2.1", "192.0.2.0/24", "2001:db8::/32", "::ffff:192.0.2.0/120".
 * Numeric addresses only; bits beyond the length must be 0, because a set one
 * is most likely a typing mistake.  0, or -1 and why.
 */
int cidr_parse(const char *text, struct cidr *cidr, struct why *why);

/*
 * True if the address is in the range.  An IPv4 address, mapped into IPv6 or
 * not, is in ranges of IPv4 addresses only, not in "::/0".  False for other
 * address families.
 */
bool cidr_has(const struct cidr *cidr, const struct sockaddr *sa);

#endif

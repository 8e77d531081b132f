#ifndef BASE_CIDR_H
#define BASE_CIDR_H

/*
 * Address ranges, as the `allowed_clients` of lua-fpm.conf(5) says them: from
 * text, and whether an address is among them.  Pure: looks nothing up.
 */

#include <stdbool.h>
#include <sys/socket.h>

#include "base/why.h"

struct cidr {
	unsigned char address[16]; /* of IPv6; one of IPv4 is mapped into it */
	unsigned bits;		   /* of it that count */
};

/*
 * "192.0.2.1", "192.0.2.0/24", "2001:db8::/32", "::ffff:192.0.2.0/120".
 * Numeric only; no bit may be set that does not count, for that is a slip.
 * 0, or -1 and why.
 */
int cidr_parse(const char *text, struct cidr *cidr, struct why *why);

/*
 * Is the address among them?  An IPv4 client is one whether it comes over
 * IPv4 or mapped over IPv6, and in no range of IPv6 such as "::/0".  False
 * for addresses of any other family.
 */
bool cidr_has(const struct cidr *cidr, const struct sockaddr *sa);

#endif

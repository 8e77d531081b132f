#ifndef BASE_CIDR_H
#define BASE_CIDR_H

/*
 * Address ranges as in `allowed_clients` and `http.proxies` of lua-fpm.conf(5):
 * parse one, test an address against it.  Pure: names are not looked up.
 */

#include <stdbool.h>
#include <stddef.h>
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

#define CIDR_UNIX "unix" /* in a set: all peers over unix sockets */

struct cidr_set { /* of peers; all zero: nobody */
	struct cidr *range;
	size_t n;
	bool local; /* those over unix sockets are in it */
};

/* Add CIDR_UNIX or a range, as cidr_parse has it.  set may be NULL: then the
 * text is judged only.  0, or -1 and why. */
int cidr_set_add(struct cidr_set *set, const char *text, struct why *why);

/* True if the address, IPv6 or IPv4 as ::ffff:0:0/96, is in a range of the set;
 * as for cidr_has. */
bool cidr_set_has(const struct cidr_set *set, const unsigned char address[16]);

void cidr_set_free(struct cidr_set *set);

#endif

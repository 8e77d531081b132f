#include "base/cidr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

#define MAPPED 96 /* bits before an IPv4 address that is mapped into IPv6 */

static const unsigned char mapped[MAPPED / 8] = { [10] = 0xff, [11] = 0xff };

static int
fault(struct why *why, const char *text, const char *what)
{
	why_set(why, "\"%.64s\" %s", text, what);
	return -1;
}

/* Returns the number of bits in cidr->address before those of the text:
 * MAPPED for IPv4, 0 for IPv6; -1 if the text is no address. */
static int
parse_address(const char *text, struct cidr *cidr)
{
	if (inet_pton(AF_INET6, text, cidr->address) == 1)
		return 0;
	memcpy(cidr->address, mapped, sizeof(mapped));
	if (inet_pton(AF_INET, text, cidr->address + sizeof(mapped)) == 1)
		return MAPPED;
	return -1;
}

static bool
has_more_bits(const struct cidr *cidr)
{
	for (unsigned bit = cidr->bits; bit < 128; bit++) {
		if (cidr->address[bit / 8] & (0x80 >> bit % 8))
			return true;
	}
	return false;
}

int
cidr_parse(const char *text, struct cidr *cidr, struct why *why)
{
	const char *slash = strchr(text, '/');
	size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
	char address[INET6_ADDRSTRLEN];
	int64_t bits;
	int before = -1;

	if (len < sizeof(address)) {
		memcpy(address, text, len);
		address[len] = '\0';
		before = parse_address(address, cidr);
	}
	if (before == -1)
		return fault(why, text, "is no address");
	bits = 128 - before;
	if (slash != NULL && (slash[1] < '0' || slash[1] > '9' ||
	    num_integer(slash + 1, 0, bits, &bits) == -1))
		return fault(why, text, "has no length after the '/' that "
		    "such an address can have");
	cidr->bits = (unsigned)(before + bits);
	if (has_more_bits(cidr))
		return fault(why, text, "has bits beyond its length");
	return 0;
}

static bool
same_bits(const unsigned char *a, const unsigned char *b, unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8;

	return memcmp(a, b, bytes) == 0 && (rest == 0 ||
	    ((a[bytes] ^ b[bytes]) & (0xff00 >> rest) & 0xff) == 0);
}

static bool
has_address(const struct cidr *cidr, const unsigned char address[16])
{
	if (same_bits(address, mapped, MAPPED) && cidr->bits < MAPPED)
		return false;
	return same_bits(cidr->address, address, cidr->bits);
}

bool
cidr_has(const struct cidr *cidr, const struct sockaddr *sa)
{
	unsigned char address[16];

	if (sa->sa_family == AF_INET6) {
		memcpy(address, &((const struct sockaddr_in6 *)(const void *)
		    sa)->sin6_addr, sizeof(address));
	} else if (sa->sa_family == AF_INET) {
		memcpy(address, mapped, sizeof(mapped));
		memcpy(address + sizeof(mapped),
		    &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	} else {
		return false;
	}
	return has_address(cidr, address);
}

int
cidr_set_add(struct cidr_set *set, const char *text, struct why *why)
{
	struct cidr cidr, *grown;

	if (strcmp(text, CIDR_UNIX) == 0) {
		if (set != NULL)
			set->local = true;
		return 0;
	}
	if (cidr_parse(text, &cidr, why) == -1)
		return -1;
	if (set == NULL)
		return 0;
	grown = reallocarray(set->range, set->n + 1, sizeof(*grown));
	if (grown == NULL)
		return fault(why, text, "has no room in memory");
	set->range = grown;
	grown[set->n++] = cidr;
	return 0;
}

bool
cidr_set_has(const struct cidr_set *set, const unsigned char address[16])
{
	for (size_t i = 0; i < set->n; i++) {
		if (has_address(&set->range[i], address))
			return true;
	}
	return false;
}

void
cidr_set_free(struct cidr_set *set)
{
	free(set->range);
	*set = (struct cidr_set){ 0 };
}

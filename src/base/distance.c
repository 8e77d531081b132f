#include "base/distance.h"

#include <string.h>

#include "base/num.h"

#define MOST 64

static unsigned
least(unsigned a, unsigned b)
{
	return (unsigned)num_least(a, b);
}

/* By rows: row[0] is the one of this letter of a, row[1] and row[2] those of
 * the letters before it. */
unsigned
distance(const char *a, const char *b)
{
	unsigned rows[3][MOST], *row[3] = { rows[0], rows[1], rows[2] };
	size_t alen = strlen(a), blen = strlen(b);

	if (alen >= MOST || blen >= MOST)
		return MOST;
	for (size_t j = 0; j <= blen; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= alen; i++) {
		unsigned *oldest = row[2];

		row[2] = row[1];
		row[1] = row[0];
		row[0] = oldest;
		row[0][0] = (unsigned)i;
		for (size_t j = 1; j <= blen; j++) {
			row[0][j] = least(row[1][j - 1] +
			    (a[i - 1] != b[j - 1]),
			    least(row[1][j], row[0][j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				row[0][j] = least(row[0][j],
				    row[2][j - 2] + 1);
		}
	}
	return row[0][blen];
}

#ifndef CTL_FPM_FPM_TABLE_H
#define CTL_FPM_FPM_TABLE_H

/*
 * Rows of cells as lines of text that fit a width.  Each column is as wide as
 * its widest cell, except one that is cut as far as the width requires.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>

#define TABLE_COLUMNS 12 /* at most */
#define TABLE_CELL    520

struct table {
	const char *const *titles; /* "-NAME": aligned right, "~NAME": cut;
				       NULL at the end */
	size_t columns;
	char (*cells)[TABLE_CELL]; /* row by row */
	size_t rows;
	size_t cap; /* of rows */
	size_t width[TABLE_COLUMNS];
	size_t measured; /* rows that width[] covers */
	bool failed; /* out of memory: rows are missing */
};

/* Make an empty table, free with table_free; titles are not copied. */
void table_begin(struct table *table, const char *const *titles);
void table_free(struct table *table);

/* Append a row of empty cells, which the caller fills before the next call;
 * NULL if memory runs out. */
char (*table_row(struct table *table))[TABLE_CELL];

/*
 * Format a row (-1: the titles) as a line of at most `width` characters.  out
 * has room for width + 1.  Returns out.
 */
const char *table_line(struct table *table, long row, size_t width,
    char *out);

#endif

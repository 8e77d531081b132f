#ifndef CTL_FPM_FPM_TABLE_H
#define CTL_FPM_FPM_TABLE_H

/*
 * Rows of cells as lines of text that fit a width: each column is as wide as
 * its widest cell, but for one that is cut as far as it has to be.  Pure;
 * knows nothing of what it shows.
 */

#include <stdbool.h>
#include <stddef.h>

#define TABLE_COLUMNS 12 /* at most */
#define TABLE_CELL    520

struct table {
	const char *const *titles; /* "-NAME": to the right, "~NAME": is
				       cut; NULL at the end */
	size_t columns;
	char (*cells)[TABLE_CELL]; /* row by row */
	size_t rows;
	size_t cap; /* of rows */
	size_t width[TABLE_COLUMNS];
	size_t measured; /* rows that width[] knows of */
	bool failed; /* no memory: rows are missing */
};

/* An empty table. */
void table_begin(struct table *table, const char *const *titles);
void table_free(struct table *table);

/* The cells of one more row, all empty and to be filled before any line is
 * asked for; NULL if there is no memory. */
char (*table_row(struct table *table))[TABLE_CELL];

/*
 * Row n as a line of at most `width` characters, -1: the titles.  out has room
 * for width + 1.  Returns out.
 */
const char *table_line(struct table *table, long row, size_t width,
    char *out);

#endif

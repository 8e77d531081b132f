#include "ctl/fpm/fpm_table.h"

#include <stdlib.h>
#include <string.h>

#define LEAST 4 /* characters to which a column may be cut */

void
table_begin(struct table *table, const char *const *titles)
{
	*table = (struct table){ .titles = titles };
	while (titles[table->columns] != NULL)
		table->columns++;
}

void
table_free(struct table *table)
{
	free(table->cells);
	table->cells = NULL;
	table->rows = table->cap = 0;
}

char (*
table_row(struct table *table))[TABLE_CELL]
{
	size_t cap = table->cap == 0 ? 16 : table->cap * 2;
	void *grown;

	if (table->rows == table->cap) {
		grown = reallocarray(table->cells, cap * table->columns,
		    TABLE_CELL);
		if (grown == NULL) {
			table->failed = true;
			return NULL;
		}
		table->cells = grown;
		table->cap = cap;
	}
	for (size_t i = 0; i < table->columns; i++)
		table->cells[table->rows * table->columns + i][0] = '\0';
	return &table->cells[table->rows++ * table->columns];
}

static bool
marked(const struct table *table, size_t column, char mark)
{
	return table->titles[column][0] == mark;
}

static const char *
cell(const struct table *table, long row, size_t column)
{
	if (row == -1)
		return table->titles[column] +
		    (marked(table, column, '-') || marked(table, column, '~'));
	return table->cells[(size_t)row * table->columns + column];
}

static void
measure(struct table *table)
{
	long row = table->measured == 0 ? -1 : (long)table->measured;

	for (; row < (long)table->rows; row++)
		for (size_t i = 0; i < table->columns; i++) {
			size_t n = strlen(cell(table, row, i));

			if (n > table->width[i])
				table->width[i] = n;
		}
	table->measured = table->rows;
}

static size_t
blanks(size_t n, size_t at, size_t end, char *out)
{
	for (; n > 0 && at < end; n--)
		out[at++] = ' ';
	return at;
}

/* The width of a column if a line has `width` characters. */
static size_t
share(const struct table *table, size_t column, size_t width)
{
	size_t own = table->width[column], all = 2 * (table->columns - 1);

	if (!marked(table, column, '~'))
		return own;
	for (size_t i = 0; i < table->columns; i++)
		all += table->width[i];
	if (all <= width)
		return own;
	return own < all - width + LEAST ? LEAST : own - (all - width);
}

const char *
table_line(struct table *table, long row, size_t width, char *out)
{
	size_t at = 0, end, own, n, spare;

	measure(table);
	for (size_t i = 0; i < table->columns; i++) {
		const char *text = cell(table, row, i);

		at = blanks(i > 0 ? 2 : 0, at, width, out);
		own = share(table, i, width);
		end = at + own > width ? width : at + own;
		n = strlen(text);
		spare = n < own ? own - n : 0;
		if (marked(table, i, '-'))
			at = blanks(spare, at, end, out);
		for (; *text != '\0' && at < end; text++)
			out[at++] = *text;
		if (!marked(table, i, '-'))
			at = blanks(spare, at, end, out);
	}
	while (at > 0 && out[at - 1] == ' ')
		at--;
	out[at] = '\0';
	return out;
}

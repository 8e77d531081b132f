#include "conf/php_print.h"

#include <string.h>

#include "base/escape.h"
#include "conf/conf_value.h"

static void
print_group(const struct php_part *part, const void *object,
    enum key_group group, const char *indent, FILE *out)
{
	for (const struct conf_key *key = conf_keys; key->name != NULL; key++) {
		if (key->group != group || !part->set[key - conf_keys])
			continue;
		fprintf(out, "%s%s = ", indent, key->name);
		conf_value_print(key, object, out);
		fputs(";\n", out);
	}
}

static bool
has_group(const struct php_part *part, enum key_group group)
{
	for (const struct conf_key *key = conf_keys; key->name != NULL; key++) {
		if (key->group == group && part->set[key - conf_keys])
			return true;
	}
	return false;
}

/* Each line of the notes as a comment. */
static void
print_notes(const struct buf *notes, const char *indent, FILE *out)
{
	const char *next;
	struct buf shown = { 0 };

	for (size_t at = 0; at < notes->len; at = (size_t)(next -
	    notes->data) + 1) {
		const char *line = notes->data + at;

		next = memchr(line, '\n', notes->len - at);
		buf_clear(&shown);
		escape_text(&shown, line, (size_t)(next - line));
		fprintf(out, "%s# %.*s\n", indent, (int)shown.len,
		    shown.len > 0 ? shown.data : "");
	}
	buf_free(&shown);
}

static void
print_pool(const struct php_part *part, const struct conf_pool *pool,
    FILE *out)
{
	fprintf(out, "\t%s:\n\t{\n\t\t# name the application\n"
	    "\t\tapp = \"/srv/%s/app.lua\";\n", pool->name, pool->name);
	print_group(part, pool, GROUP_POOL, "\t\t", out);
	for (int g = GROUP_WORKERS; g < GROUP_COUNT; g++) {
		enum key_group group = (enum key_group)g;

		if (!has_group(part, group))
			continue;
		fprintf(out, "\t\t%s:\n\t\t{\n", conf_group_name(group));
		print_group(part, pool, group, "\t\t\t", out);
		fputs("\t\t};\n", out);
	}
	print_notes(&part->notes, "\t\t", out);
	fputs("\t};\n", out);
}

int
php_print(const struct php *php, const char *file, FILE *out)
{
	struct buf head = { 0 };

	buf_addf(&head, "From %s of php-fpm, by lua-fpm --from-php-fpm.\n",
	    file);
	print_notes(&head, "", out);
	buf_free(&head);
	print_group(&php->global, php->conf, GROUP_TOP, "", out);
	print_notes(&php->global.notes, "", out);
	if (php->conf->npools > 0)
		fputs("\npools:\n{\n", out);
	for (size_t i = 0; i < php->conf->npools; i++)
		print_pool(&php->pools[i], &php->conf->pools[i], out);
	if (php->conf->npools > 0)
		fputs("};\n", out);
	return fflush(out) == 0 && !ferror(out) ? 0 : -1;
}

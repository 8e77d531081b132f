#include "conf/conf_dump.h"

#include "conf/conf_value.h"

/* True if there is nothing that could be read back: a pool with a root has no
 * app. */
static bool
is_absent(const struct conf_key *key, const void *object)
{
	const char *member = (const char *)object + key->offset;

	return key->type == KEY_STRING && key->min > 0 &&
	    *(char *const *)(const void *)member == NULL;
}

static void
dump_group(enum key_group group, const void *object, const char *indent,
    FILE *out)
{
	const struct conf_key *key;

	for (key = conf_keys; key->name != NULL; key++) {
		if (key->group != group || is_absent(key, object))
			continue;
		fprintf(out, "%s%s = ", indent, key->name);
		conf_value_print(key, object, out);
		fputs(";\n", out);
	}
}

static void
dump_pool(const struct conf_pool *pool, FILE *out)
{
	fprintf(out, "\t%s: {\n", pool->name);
	dump_group(GROUP_POOL, pool, "\t\t", out);
	for (int group = GROUP_WORKERS; group < GROUP_COUNT; group++) {
		fprintf(out, "\t\t%s: {\n", conf_group_name(group));
		dump_group(group, pool, "\t\t\t", out);
		fputs("\t\t};\n", out);
	}
	fputs("\t};\n", out);
}

int
conf_dump(const struct conf *conf, FILE *out)
{
	dump_group(GROUP_TOP, conf, "", out);
	fputs("\npools: {\n", out);
	for (size_t i = 0; i < conf->npools; i++)
		dump_pool(&conf->pools[i], out);
	fputs("};\n", out);
	return fflush(out) == 0 && !ferror(out) ? 0 : -1;
}

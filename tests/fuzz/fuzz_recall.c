/* A configuration that another build has dumped: whatever it is, what comes
 * of it can be dumped, and recalled from that as the same. */

#include <string.h>

#include "conf/conf_dump.h"
#include "conf/conf_read.h"
#include "fuzz.h"

static char *
dump(const char *text, size_t size, size_t *len)
{
	struct conf *conf = conf_recall(text, size);
	char *out = NULL;
	FILE *stream;

	must(conf != NULL);
	stream = open_memstream(&out, len);
	must(stream != NULL && conf_dump(conf, stream) == 0);
	fclose(stream);
	conf_free(conf);
	return out;
}

FUZZ(recall)
{
	size_t first_len, second_len;
	char *first = dump((const char *)data, size, &first_len);
	char *second = dump(first, first_len, &second_len);

	must(first_len == second_len && memcmp(first, second, first_len) == 0);
	free(first);
	free(second);
}

/* The mark before a line of a worker's output: what it says is an id. */

#include <string.h>

#include "fuzz.h"
#include "ipc/output_tag.h"

FUZZ(mark)
{
	const char *text = (const char *)data;
	char id[OUTPUT_TAG_ID] = "untouched";
	size_t n = output_tag_parse(text, size, id), len = strlen(id);

	if (n == 0) {
		must(strcmp(id, "untouched") == 0);
		return;
	}
	must(n <= size && len == n - 2 && output_tag_is_id(id, len));
	must(text[0] == OUTPUT_TAG_BEGIN && text[n - 1] == OUTPUT_TAG_END &&
	    memcmp(text + 1, id, len) == 0);
}

#include "ipc/output_tag.h"

#include <string.h>

bool
output_tag_is_id(const char *id, size_t len)
{
	size_t i;

	if (len == 0 || len >= OUTPUT_TAG_ID)
		return false;
	for (i = 0; i < len; i++)
		if (id[i] <= ' ' || id[i] >= 0x7f ||
		    strchr("\"'`\\", id[i]) != NULL)
			return false;
	return true;
}

size_t
output_tag_parse(const char *p, size_t n, char id[OUTPUT_TAG_ID])
{
	const char *end;
	size_t len;

	if (n < 2 || *p != OUTPUT_TAG_BEGIN)
		return 0;
	end = memchr(p, OUTPUT_TAG_END,
	    n <= OUTPUT_TAG_ID ? n : OUTPUT_TAG_ID + 1);
	if (end == NULL)
		return 0;
	len = (size_t)(end - p) - 1;
	if (!output_tag_is_id(p + 1, len))
		return 0;
	memcpy(id, p + 1, len);
	id[len] = '\0';
	return len + 2;
}

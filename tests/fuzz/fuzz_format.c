/* The format of an access log: refused with a reason, or items whose texts
 * are whole. */

#include <string.h>

#include "conf/format.h"
#include "fuzz.h"

FUZZ(format)
{
	char *text = strndup((const char *)data, size);
	struct format format;
	struct why why = { .text = "" };

	must(text != NULL);
	if (format_compile(&format, text, &why) == -1)
		must(why.text[0] != '\0');
	for (size_t i = 0; i < format.n; i++)
		must(strlen(format.item[i].text) == format.item[i].len &&
		    format.item[i].stamp_len == 0);
	format_free(&format);
	free(text);
}

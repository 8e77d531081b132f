/* The head of a CGI response: it ends at the same place however it arrives. */

#include <string.h>

#include "net/cgi_head.h"
#include "fuzz.h"

FUZZ(cgi_head)
{
	const char *text = (const char *)data;
	struct cgi_head head;
	struct cgi_header header;
	struct why why;
	size_t end = 0, before = 0;

	if (size == 0)
		return;
	for (size_t n = 1; n <= size && end == 0; n++) {
		end = cgi_head_end(text, n, before);
		before = n;
	}
	must(end <= size && end == cgi_head_end(text, size, 0));
	if (end == 0)
		return;
	for (const char *line = text; cgi_head_next(&line, text + end, &header,
		 &why) == 1;)
		must(header.name_len > 0 && header.name >= text &&
		    header.value + header.value_len < text + end);
	if (cgi_head_parse(text, end, &head, &why) == 0)
		must(head.status >= 100 && head.status <= 999 &&
		    head.content_length >= -1);
	else
		must(why.text[0] != '\0');
}

/* A text that is no configuration: a fault has a reason and a line of the text.
 * What libconfig reads is of no interest: 1a=2 is two settings to it. */

#include "conf/conf_scan.h"
#include "conf/conf_syntax.h"
#include "fuzz.h"

FUZZ(syntax)
{
	const char *text = (const char *)data;
	struct why why = { .text = "" };
	int lines = 1;

	if (conf_scan(text, size, &why) == -1 ||
	    conf_syntax(text, size, &why) == 0)
		return;
	for (size_t i = 0; i < size; i++)
		lines += text[i] == '\n';
	must(why.text[0] != '\0' && why.line > 0 && why.line <= lines);
}

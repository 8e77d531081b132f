/* An entry of the error log as a worker sends it. */

#include <string.h>

#include "base/log_wire.h"
#include "fuzz.h"

FUZZ(wire)
{
	char *line = malloc(size + 1);
	struct log_entry entry = { 0 };

	must(line != NULL);
	memcpy(line, data, size);
	line[size] = '\0';
	if (log_wire_get(line, size, &entry)) {
		must(entry.level <= LEVEL_ALERT);
		must(entry.text >= line && entry.text + entry.len <=
		    line + size);
		must(entry.request == NULL || strlen(entry.request) < size);
		must(entry.method == NULL || strlen(entry.method) < size);
		must(strlen(entry.uri) < size);
	} else {
		must(memcmp(line, data, size) == 0);
	}
	free(line);
}

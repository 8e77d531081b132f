#include "worker/request.h"

#include <string.h>

const char *
request_param(const struct request *request, const char *name, size_t *len)
{
	size_t name_len = strlen(name);
	const struct param *p = request->params;
	const struct param *end = p + request->nparams;

	for (; p < end; p++)
		if (p->name_len == name_len &&
		    memcmp(p->name, name, name_len) == 0) {
			*len = p->value_len;
			return p->value;
		}
	return NULL;
}

static bool
is_safe(char c)
{
	return c > ' ' && c < 0x7f && c != '"' && c != '\'' && c != '`' &&
	    c != '\\';
}

bool
request_take_id(struct request *request, const char *name)
{
	size_t len = 0, i;
	const char *value = request_param(request, name, &len);

	if (len == 0 || len >= REQUEST_ID)
		return false;
	for (i = 0; i < len; i++)
		if (!is_safe(value[i]))
			return false;
	memcpy(request->id, value, len);
	request->id[len] = '\0';
	return true;
}

/* What fits of a parameter, "-" for one that is missing or empty.  A NUL
 * must not hide what follows it.  Returns the place after it. */
static char *
add_param(const struct request *request, const char *name, char *out,
    const char *end)
{
	size_t len = 0;
	const char *value = request_param(request, name, &len);

	if (len == 0) {
		value = "-";
		len = 1;
	}
	if (len > (size_t)(end - out))
		len = (size_t)(end - out);
	for (; len > 0; len--, value++)
		*out++ = *value == '\0' ? '?' : *value;
	return out;
}

const char *
request_line(const struct request *request, char *out, size_t n)
{
	const char *end = out + n - 1;
	const char *uri = "REQUEST_URI";
	size_t len = 0;
	char *p;

	p = add_param(request, "REQUEST_METHOD", out, end);
	if (p < end)
		*p++ = ' ';
	if (request_param(request, uri, &len) == NULL || len == 0)
		uri = "SCRIPT_NAME";
	*add_param(request, uri, p, end) = '\0';
	return out;
}

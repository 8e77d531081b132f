#include "share/status.h"

static const char page[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\">\n"
    "<title>lua-fpm</title>\n"
    "<pre id=\"status\"></pre>\n"
    "<script>\n"
    "async function show() {\n"
    "  const r = await fetch(location.pathname + '?full');\n"
    "  document.getElementById('status').textContent = await r.text();\n"
    "  setTimeout(show, 1000);\n"
    "}\n"
    "show();\n"
    "</script>\n";

const char *
status_page(size_t *len)
{
	*len = sizeof(page) - 1;
	return page;
}

/* A configuration of php-fpm: refused with a reason, or what is printed of it
 * has the syntax of ours.  Without includes, as these are other files. */

#include <sys/mman.h>

#include <libconfig.h>
#include <string.h>
#include <unistd.h>

#include "conf/php_print.h"
#include "fuzz.h"

static void
print(const struct php *php)
{
	config_t config;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	must(out != NULL && php_print(php, "a file", out) == 0);
	fclose(out);
	config_init(&config);
	must(config_read_string(&config, text) == CONFIG_TRUE);
	config_destroy(&config);
	free(text);
}

FUZZ(php)
{
	struct php php = { 0 };
	struct why why = { .text = "" };
	char path[32];
	int fd;

	if (memmem(data, size, "include", 7) != NULL)
		return;
	fd = memfd_create("php", MFD_CLOEXEC);
	must(fd != -1 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (php_read(path, &php, &why) == 0)
		print(&php);
	else
		must(why.text[0] != '\0');
	php_free(&php);
	close(fd);
}

#ifndef TESTS_UNIT_CONF_UNIT_H
#define TESTS_UNIT_CONF_UNIT_H

/* What the tests of the configuration share: a scratch directory to be in,
 * text into a file and through conf_read, faults and dump as text. */

#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conf/conf_dump.h"
#include "conf/conf_read.h"

#define TEXT_MOST 65536

static char scratch[] = "/tmp/test_conf.XXXXXX";
static struct conf_faults faults;
static struct conf *conf;

/* Asked by the sanitizer.  libconfig loses the beginning of a string that does
 * not end. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:libconfig.so";
}

static inline void
setup(void)
{
	strcpy(scratch + strlen(scratch) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(scratch));
	ck_assert_int_eq(chdir(scratch), 0);
	close(open("a", O_WRONLY | O_CREAT, 0600)); /* an application */
}

static inline void
teardown(void)
{
	char command[64];

	conf_free(conf);
	conf = NULL;
	conf_faults_free(&faults);
	ck_assert_int_eq(chdir("/"), 0);
	snprintf(command, sizeof(command), "rm -r %s", scratch);
	ck_assert_int_eq(system(command), 0);
}

static inline void
write_bytes(const char *file, const char *text, size_t len)
{
	FILE *out = fopen(file, "w");

	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(fwrite(text, 1, len, out), len);
	ck_assert_int_eq(fclose(out), 0);
}

static inline void
write_text(const char *file, const char *text)
{
	write_bytes(file, text, strlen(text));
}

static inline void
read_file(const char *file)
{
	conf_free(conf);
	conf_faults_free(&faults);
	conf = conf_read(file, &faults);
}

static inline void
read_text(const char *text)
{
	write_text("c", text);
	read_file("c");
}

/* What the person sees: all faults, one to a line. */
static inline const char *
faults_text(void)
{
	static char text[TEXT_MOST];
	FILE *out = fmemopen(text, sizeof(text), "w");

	ck_assert_ptr_nonnull(out);
	text[0] = '\0';
	conf_faults_print(&faults, out);
	ck_assert_int_eq(fclose(out), 0);
	return text;
}

static inline void
assert_faults(const char *expected)
{
	ck_assert_ptr_null(conf);
	ck_assert_str_eq(faults_text(), expected);
}

static inline void
assert_good(void)
{
	ck_assert_str_eq(faults_text(), "");
	ck_assert_ptr_nonnull(conf);
}

static inline const char *
dump(void)
{
	static char text[TEXT_MOST];
	FILE *out = fmemopen(text, sizeof(text), "w");

	ck_assert_ptr_nonnull(out);
	ck_assert_int_eq(conf_dump(conf, out), 0);
	ck_assert_int_eq(fclose(out), 0);
	return text;
}

#define MINIMAL	   "pools: { www: { app = \"/dev/null\"; listen = \"/s\"; "
#define END	   "}; };\n"
#define POOL(text) MINIMAL text END

#endif

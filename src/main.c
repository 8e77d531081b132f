/*
 * Chooses a mode by the arguments.  What a mode does is elsewhere; exit codes
 * are those of lua-fpm(8).
 */

#include "config.h"

#include <sys/prctl.h>

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/image.h"
#include "base/log.h"
#include "base/num.h"
#include "base/say.h"
#include "base/title.h"
#include "conf/conf_dump.h"
#include "conf/conf_read.h"
#include "conf/conf_single.h"
#include "conf/php_print.h"
#include "ipc/inherit.h"
#include "ipc/sink.h"
#include "ipc/worker_args.h"
#include "master/check.h"
#include "master/handover.h"
#include "master/master.h"
#include "master/reload.h"
#include "net/sock.h"
#include "net/sock_try.h"
#include "worker/process/hub_main.h"
#include "worker/process/standalone.h"
#include "worker/process/trial.h"
#include "worker/process/worker.h"

#ifndef DEFAULT_FILE
#define DEFAULT_FILE "/etc/lua-fpm/lua-fpm.conf"
#endif

struct arguments {
	const char *file;
	const char *php; /* --from-php-fpm */
	struct conf_single single; /* -l, -n, -u, settings, the application */
	bool test, dump, daemonize, allow_root;
	bool alone; /* an application and a socket, or the test of one */
	bool unasked; /* the address is DEFAULT_ADDRESS */
};

static const char usage_text[] =
    "usage: lua-fpm [-D] [-R] [-c file]\n"
    "       lua-fpm [--dev] [-l address] [-n workers] [-u user] [-D] [-R] "
    "[settings]\n"
    "               app.lua  (http://127.0.0.1:8080/, or what -l says)\n"
    "       lua-fpm -t | -T, and what else the daemon is started with\n"
    "       lua-fpm -t app.lua      (does the application load?)\n"
    "       lua-fpm [settings] app.lua  (listening socket on descriptor 0)\n"
    "       lua-fpm --from-php-fpm file\n"
    "       lua-fpm -h | -V\n"
    "settings: -i interface, --timeout time, --slow time, --memory size,\n"
    "          --max-requests n, --error-log file, --shared name=size; or\n"
    "          LUA_FPM_TIMEOUT=time and so on in the environment\n";

/* Options that are no character. */
enum { FROM_PHP_FPM = 256, DEVELOP, SETTING };

#define DEFAULT_ADDRESS "http:127.0.0.1:8080"
#define OTHER_ADDRESS	"http:127.0.0.1:8081" /* for an example */
#define SECOND_NAME	"lua-simple-fcgi"

static _Noreturn void
usage(void)
{
	fputs(usage_text, stderr);
	exit(EX_USAGE);
}

static int
parse_workers(const char *text)
{
	int64_t value;

	if (num_integer(text, 1, 4096, &value) == 0)
		return (int)value;
	say("-n: expected 1 to 4096 workers, found %s", text);
	usage();
}

static void
parse_option(int option, char *const *argv, struct arguments *a)
{
	switch (option) {
	case 'c':
		a->file = optarg;
		break;
	case 'l':
		a->single.address = optarg;
		break;
	case 'n':
		a->single.workers = parse_workers(optarg);
		break;
	case 'u':
		a->single.user = optarg;
		break;
	case 'i':
		a->single.set[SINGLE_INTERFACE] = optarg;
		break;
	case 't':
		a->test = true;
		break;
	case 'T':
		a->dump = true;
		break;
	case 'D':
		a->daemonize = true;
		break;
	case 'R':
		a->allow_root = true;
		break;
	case FROM_PHP_FPM:
		a->php = optarg;
		break;
	case DEVELOP:
		a->single.develop = true;
		break;
	case 'h':
		fputs(usage_text, stdout);
		exit(EX_OK);
	case 'V':
		puts(PACKAGE_STRING);
		exit(EX_OK);
	default:
		if (option >= SETTING) {
			a->single.set[option - SETTING] = optarg;
			break;
		}
		say_option(option, argv);
		usage();
	}
}

static void
parse_options(int argc, char **argv, struct arguments *a)
{
	struct option longs[SINGLE_SETTINGS + 3] = {
		[SINGLE_SETTINGS] = { "from-php-fpm", required_argument, NULL,
		    FROM_PHP_FPM },
		[SINGLE_SETTINGS + 1] = { "dev", no_argument, NULL, DEVELOP }
	};
	int option;

	for (int i = 0; i < SINGLE_SETTINGS; i++)
		longs[i] = (struct option){ single_settings[i].option,
			required_argument, NULL, SETTING + i };
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":c:i:l:n:u:tTDRhV", longs,
		    NULL)) != -1)
		parse_option(option, argv, a);
}

static bool
is_set(const struct conf_single *single)
{
	for (int i = 0; i < SINGLE_SETTINGS; i++)
		if (single->set[i] != NULL)
			return true;
	return false;
}

/* An application without an address is for a browser, unless there is a socket
 * for it or its caller expects FastCGI.  -t tests the application alone, but for
 * an upgrade, which knows what the daemon was started with. */
static bool
lacks_address(const struct arguments *a)
{
	return a->single.app != NULL && a->single.address == NULL &&
	    (!a->test || getenv(CHECK_DAEMON) != NULL) &&
	    !sock_is_listening(STDIN_FILENO) &&
	    strcmp(program_invocation_short_name, SECOND_NAME) != 0;
}

/* Options that do not go together are refused rather than ignored. */
static void
parse(int argc, char **argv, struct arguments *a)
{
	struct conf_single *s = &a->single;
	bool alone;

	parse_options(argc, argv, a);
	s->app = argv[optind];
	if (a->php != NULL && argc > 3)
		usage();
	a->unasked = lacks_address(a);
	if (a->unasked)
		s->address = DEFAULT_ADDRESS;
	alone = s->app != NULL && s->address == NULL;
	if (argc - optind > 1 || (s->address != NULL && s->app == NULL) ||
	    (a->file != NULL && s->app != NULL) ||
	    (s->address == NULL && (s->workers != 0 || s->user != NULL)) ||
	    (s->app == NULL && (is_set(s) || s->develop)) ||
	    (alone && (a->dump || a->daemonize || a->allow_root)))
		usage();
	if (a->file == NULL)
		a->file = DEFAULT_FILE;
	if (s->workers == 0)
		s->workers = alone || s->develop ? 1 : 2;
	if (alone)
		s->address = "fd:0";
	a->alone = alone;
}

/* Print the faults on stderr; or log them, if this image succeeds another one
 * in the same process, whose log it has. */
static void
tell(const struct conf_faults *faults, bool succeeds)
{
	char text[CONF_FAULT_TEXT];

	if (!succeeds)
		conf_faults_print(faults, stderr);
	for (size_t i = 0; succeeds && i < faults->n; i++) {
		conf_fault_text(&faults->item[i], text, sizeof(text));
		log_error("%s", text);
	}
}

/* The configuration; NULL if it is bad, and its faults have been told. */
static struct conf *
configure(const struct arguments *a, bool succeeds)
{
	struct conf_faults faults = { 0 };
	struct conf *conf;

	conf = a->single.app != NULL ? conf_single(&a->single, &faults) :
				       conf_read(a->file, &faults);
	if (conf != NULL && reload_refuses(conf, a->allow_root, &faults)) {
		conf_free(conf);
		conf = NULL;
	}
	if (conf == NULL)
		tell(&faults, succeeds);
	conf_faults_free(&faults);
	return conf;
}

/* Print how many pools came from which file: files follow each other. */
static void
tell_pools(const struct conf *conf)
{
	size_t n;

	for (size_t i = 0; i < conf->npools; i += n) {
		const char *file = conf->pools[i].file;

		n = 1;
		while (i + n < conf->npools &&
		    strcmp(conf->pools[i + n].file, file) == 0)
			n++;
		say_line(stderr, "%s: %zu %s", file, n,
		    n == 1 ? "pool" : "pools");
	}
}

/* The mode --from-php-fpm. */
static int
translate(const char *file)
{
	struct php php = { 0 };
	struct why why;
	int code = EX_OK;

	if (php_read(file, &php, &why) == -1) {
		say_line(stderr, "%s", why.text);
		code = EX_CONFIG;
	} else if (php_print(&php, file, stdout) == -1) {
		say("%s", strerror(errno));
		code = EX_IOERR;
	}
	php_free(&php);
	return code;
}

/* The mode -t with an application and no address. */
static int
test_app(const struct arguments *a)
{
	struct conf_faults faults = { 0 };
	struct conf *conf = conf_single(&a->single, &faults);
	int code = EX_CONFIG;

	conf_faults_print(&faults, stderr);
	conf_faults_free(&faults);
	if (conf != NULL && trial_run(conf, stderr) == 0) {
		say_line(stderr, "%s: the application loads",
		    conf_pool_serves(&conf->pools[0]));
		code = EX_OK;
	}
	conf_free(conf);
	return code;
}

/* The modes -t and -T.  Every fault is found in one run: those of the
 * configuration do not hide those of the applications. */
static int
test(const struct conf *conf, const char *file, bool dump)
{
	struct conf_faults faults = { 0 }, warnings = { 0 };
	bool bad = check_start(conf, file, &faults);

	if (!handover_suits()) {
		say("an upgrade in place from the version that runs is not "
		    "possible, only a restart");
		bad = true;
	}
	conf_faults_print(&faults, stderr);
	conf_faults_free(&faults);
	if (trial_run(conf, stderr) > 0 || bad)
		return EX_CONFIG;
	sink_warn(conf, &warnings);
	conf_faults_print(&conf->notes, stderr);
	conf_faults_print(&warnings, stderr);
	conf_faults_free(&warnings);
	if (dump && conf_dump(conf, stdout) == -1)
		return EX_IOERR;
	tell_pools(conf);
	fprintf(stderr, "configuration is good, every application loads\n");
	return EX_OK;
}

/* Where a browser finds a pool; NULL: nowhere. */
static const char *
url_of(const char *address)
{
	static char url[64];
	struct sock_address parsed;
	const char *place;

	if (address == NULL || sock_protocol(address) != SOCK_HTTP ||
	    sock_parse(address, &parsed, NULL) == -1 ||
	    parsed.kind != SOCK_INET)
		return NULL;
	place = sock_place(address);
	snprintf(url, sizeof(url), "http://%s%s/",
	    *place == '*' ? "127.0.0.1" : "", place + (*place == '*'));
	return url;
}

/* Who has not asked for an address is told how, if it cannot be had. */
static void
check_default(void)
{
	struct sock_address address;
	struct why why;

	if (sock_parse(DEFAULT_ADDRESS, &address, &why) == -1 ||
	    sock_try(&address, 0, &why) == -1)
		die(EX_OSERR, "%s; choose another address by -l, as "
		    OTHER_ADDRESS, why.text);
}

/* If this process is a child that executed its own image again, run as the
 * worker or trial that its orders describe, and do not return. */
static void
serve_a_pool(void)
{
	const struct worker_args *args;
	struct why why;
	int orders;

	if (!image_orders(&orders))
		return;
	prctl(PR_SET_NAME, "lua-fpm");
	args = worker_args_take(orders, &why);
	if (args == NULL)
		die(EX_USAGE, "LUA_FPM_ORDERS: %s", why.text);
	if (args->kind == WORKER_KIND_TRIAL)
		trial_main(args);
	if (args->kind == WORKER_KIND_HUB)
		hub_main(args);
	worker_main(args);
}

int
main(int argc, char **argv)
{
	struct arguments a = { 0 };
	struct master_options options = { 0 };
	struct conf *conf;
	struct why why;
	int code, succeeds;

	fd_standard();
	serve_a_pool();
	if (image_open() == -1) {
		fprintf(stderr, "lua-fpm: /proc/self/exe: %s\n",
		    strerror(errno));
		return EX_OSERR;
	}
	title_init(argc, argv);
	inherit_init();
	succeeds = master_succeeds(&why);
	if (succeeds == -1)
		die(EX_USAGE, "%s", why.text);
	parse(argc, argv, &a);
	if (a.php != NULL)
		return translate(a.php);
	if (a.alone && a.test)
		return test_app(&a);
	if (a.alone)
		standalone_main(&a.single, argv);
	conf = configure(&a, succeeds == 1);
	if (conf == NULL && succeeds == 0)
		return EX_CONFIG;
	if (a.test || a.dump) {
		code = test(conf, a.single.app == NULL ? a.file :
							 "command line",
		    a.dump);
		conf_free(conf);
		return code;
	}
	options.file = a.single.app == NULL ? a.file : NULL;
	if (a.unasked && succeeds == 0)
		check_default();
	options.url = url_of(a.single.address);
	options.daemonize = a.daemonize;
	options.allow_root = a.allow_root;
	options.argv = argv;
	return master_run(conf, &options);
}

#include "ctl/fcgi/fcgi_tally.h"

#include <inttypes.h>
#include <string.h>

#include "base/escape.h"

/*
 * Slot i < 128 holds the latency i; above, each doubling has 64 slots:
 * [64 * 2^k, 128 * 2^k) is cut into pieces of 2^k.
 */
#define EXACT 128
#define HALF  (EXACT / 2)

static const char *const failure_name[FAIL_KINDS] = { "connect", "cut",
	"status", "application", "protocol", "timeout" };

static unsigned
slot_of(uint64_t latency)
{
	unsigned shift;

	if (latency < EXACT)
		return (unsigned)latency;
	shift = 63 - (unsigned)__builtin_clzll(latency) - 6;
	return shift * HALF + (unsigned)(latency >> shift);
}

/* The largest latency that the slot holds. */
static uint64_t
slot_top(unsigned slot)
{
	unsigned shift;

	if (slot < EXACT)
		return slot;
	shift = slot / HALF - 1;
	return ((uint64_t)(slot - shift * HALF + 1) << shift) - 1;
}

void
tally_answer(struct fcgi_tally *t, unsigned status, uint64_t latency)
{
	if (t->answered == 0 || latency < t->latency_min)
		t->latency_min = latency;
	if (latency > t->latency_max)
		t->latency_max = latency;
	t->latency_sum += latency;
	t->slot[slot_of(latency)]++;
	t->status[status % TALLY_STATUS]++;
	t->answered++;
}

void
tally_failure(struct fcgi_tally *t, enum tally_failure kind,
    const char *reason)
{
	if (t->failed[kind]++ == 0)
		escape_cut(reason, strlen(reason), t->reason[kind],
		    sizeof(t->reason[kind]));
}

uint64_t
tally_failed(const struct fcgi_tally *t)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < FAIL_KINDS; i++)
		sum += t->failed[i];
	return sum;
}

uint64_t
tally_percentile(const struct fcgi_tally *t, double share)
{
	uint64_t seen = 0, wanted = (uint64_t)(share * (double)t->answered);
	unsigned i;

	/* Rounded up: the smallest latency with at least that share below. */
	if ((double)wanted < share * (double)t->answered)
		wanted++;
	for (i = 0; i < TALLY_SLOTS; i++) {
		seen += t->slot[i];
		if (seen >= wanted && seen > 0)
			break;
	}
	return i < TALLY_SLOTS && slot_top(i) < t->latency_max ? slot_top(i) :
	    t->latency_max;
}

static double
rate(const struct fcgi_tally *t)
{
	return t->elapsed_us > 0 ?
	    (double)t->answered * 1e6 / (double)t->elapsed_us : 0;
}

static double
mean(const struct fcgi_tally *t)
{
	return t->answered > 0 ?
	    (double)t->latency_sum / (double)t->answered : 0;
}

static const struct {
	const char *name;
	double share;
} percentiles[] = { { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 },
	{ "p99.9", 0.999 } };

#define NPERCENTILES (sizeof(percentiles) / sizeof(percentiles[0]))

static void
print_latency(const struct fcgi_tally *t, FILE *out)
{
	size_t i;

	fprintf(out, "latency, ms  min %.3f  mean %.3f",
	    (double)t->latency_min / 1e3, mean(t) / 1e3);
	for (i = 0; i < NPERCENTILES; i++)
		fprintf(out, "  %s %.3f", percentiles[i].name,
		    (double)tally_percentile(t, percentiles[i].share) / 1e3);
	fprintf(out, "  max %.3f\n", (double)t->latency_max / 1e3);
}

void
tally_print(const struct fcgi_tally *t, FILE *out)
{
	int i;

	fprintf(out, "requests     %" PRIu64 " answered, %" PRIu64
	    " failed in %.3f s\n", t->answered, tally_failed(t),
	    (double)t->elapsed_us / 1e6);
	fprintf(out, "rate         %.0f requests/s\n", rate(t));
	fprintf(out, "received     %" PRIu64 " bytes\n", t->bytes);
	print_latency(t, out);
	fprintf(out, "status      ");
	for (i = 0; i < TALLY_STATUS; i++)
		if (t->status[i] > 0)
			fprintf(out, " %d: %" PRIu64, i, t->status[i]);
	fprintf(out, "\n");
	if (t->reconnects > 0)
		fprintf(out, "reconnects   %" PRIu64 "\n", t->reconnects);
	for (i = 0; i < FAIL_KINDS; i++)
		if (t->failed[i] > 0)
			fprintf(out, "failed       %s: %" PRIu64 " (%s)\n",
			    failure_name[i], t->failed[i], t->reason[i]);
}

static void
json_latency(const struct fcgi_tally *t, FILE *out)
{
	size_t i;

	fprintf(out, "\"latency_us\": {\"min\": %" PRIu64 ", \"mean\": %.1f",
	    t->latency_min, mean(t));
	for (i = 0; i < NPERCENTILES; i++)
		fprintf(out, ", \"%s\": %" PRIu64, percentiles[i].name,
		    tally_percentile(t, percentiles[i].share));
	fprintf(out, ", \"max\": %" PRIu64 "}", t->latency_max);
}

void
tally_print_json(const struct fcgi_tally *t, FILE *out)
{
	const char *comma = "";
	int i;

	fprintf(out, "{\"answered\": %" PRIu64 ", \"failed\": %" PRIu64
	    ", \"seconds\": %.6f, \"rate\": %.1f, \"bytes\": %" PRIu64
	    ", \"reconnects\": %" PRIu64 ", ", t->answered, tally_failed(t),
	    (double)t->elapsed_us / 1e6, rate(t), t->bytes, t->reconnects);
	json_latency(t, out);
	fprintf(out, ", \"status\": {");
	for (i = 0; i < TALLY_STATUS; i++)
		if (t->status[i] > 0) {
			fprintf(out, "%s\"%d\": %" PRIu64, comma, i,
			    t->status[i]);
			comma = ", ";
		}
	fprintf(out, "}, \"failures\": {");
	for (i = 0; i < FAIL_KINDS; i++)
		fprintf(out, "%s\"%s\": %" PRIu64, i > 0 ? ", " : "",
		    failure_name[i], t->failed[i]);
	fprintf(out, "}}\n");
}

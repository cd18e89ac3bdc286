// SPDX-License-Identifier: BSD-3-Clause
// ping: ICMP echo over the mesh, and which way it goes; what does not come back is told with who
// said so. Exit codes as iputils' ping: 0 something came back, 1 nothing did, 2 anything else.
#include "client/ping.h"
#include "cli/cli.h"
#include "cli/text.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PING_NOTHING = 1, PING_ERROR = 2 };

static volatile sig_atomic_t ended;

static void end(int signal)
{
	ended = 1;
}

static bool is_ended(void *arg)
{
	return ended;
}

// Names are others' words.
static void see(void *arg, const struct xy_ping_seen *s)
{
	char *plain = xy_text_clean(s->text);
	puts(plain ? plain : s->text);
	free(plain);
	fflush(stdout);
}

static void see_nothing(void *arg, const struct xy_ping_seen *s)
{
}

static int sum_up(const struct xy_ping *p)
{
	double n = p->received ? p->received : 1, mean = p->sum / n;
	double spread = sqrt(fmax(p->squares / n - mean * mean, 0));
	char errors[40] = "", twice[40] = "";
	if (p->errors)
		snprintf(errors, sizeof(errors), "+%u errors, ", p->errors);
	if (p->twice)
		snprintf(twice, sizeof(twice), "+%u duplicates, ", p->twice);
	printf("\n--- %s ping statistics ---\n", p->name);
	printf("%u packets transmitted, %u received, %s%s%.3g%% packet loss, time %.0fms\n",
	       p->sent, p->received, twice, errors, 100 * xy_ping_loss(p),
	       xy_echo_clock() - p->began);
	if (p->received)
		printf("rtt min/avg/max/mdev = %.3f/%.3f/%.3f/%.3f ms\n", p->least, mean, p->most,
		       spread);
	return p->received ? CLI_OK : PING_NOTHING;
}

static int sum_up_json(const struct xy_ping *p)
{
	json_t *o = xy_ping_sum(p);
	json_dumpf(o, stdout,
		   JSON_INDENT(2) | (xy_cli_terminal(STDOUT_FILENO) ? JSON_ENSURE_ASCII : 0));
	putchar('\n');
	json_decref(o);
	return p->received ? CLI_OK : PING_NOTHING;
}

// --- arguments

static int number(const char *what, const char *text, double least, double most, double *out)
{
	char *after;
	*out = strtod(text, &after);
	if (after == text || *after || !(*out >= least && *out <= most))
		return xy_cli_misuse("%s %.40s: write a number, %g to %g", what, text, least, most);
	return 0;
}

static int options(struct xy_ping_config *p, const struct xy_cli_args *a)
{
	double v;
	for (unsigned i = 0; i < a->options; i++) {
		const char *name = a->option[i].name, *value = a->option[i].value;
		bool size = strcmp(name, "-s") == 0, count = strcmp(name, "-c") == 0;
		int ret = number(name, value,
				 size	 ? 0
				 : count ? 1
					 : 0.01,
				 size	 ? XY_ECHO_MOST
				 : count ? 1e9
					 : 3600,
				 &v);
		if (ret)
			return ret;
		if ((size || count) && v != floor(v))
			return xy_cli_misuse("%s %.40s: write a whole number", name, value);
		if (size)
			p->data = (unsigned)v;
		else if (count)
			p->count = (unsigned)v;
		else
			p->interval = v * 1e3;
	}
	return 0;
}

static int error(const char *text)
{
	xy_cli_fail("%s", text);
	return PING_ERROR;
}

static int ping(struct xy_ping *p, const struct xy_ping_config *cfg, bool json)
{
	char text[XY_ADDR_STRLEN], astray[200];
	struct sigaction act = {.sa_handler = end};
	struct xy_err err = {""};
	if (xy_ping_begin(p, cfg, &err))
		return error(err.text);
	xy_addr_str(&p->to, text);
	if (!json)
		printf("PING %s (%s) %s: %u data bytes\n", p->name, text, p->by, cfg->data);
	fflush(stdout);
	if (xy_ping_goes_astray(p, astray, sizeof(astray)))
		fprintf(stderr, "%s\n", astray);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	xy_ping_run(p);
	return json ? sum_up_json(p) : sum_up(p);
}

int xy_cli_ping(int argc, char **argv)
{
	static const char *const with_value[] = {"-s", "-c", "-i", NULL};
	static struct xy_ping p = {.echo = {.fd = -1}};
	struct xy_ping_config cfg = {.data = XY_PING_DATA, .interval = 1000};
	struct xy_cli_args a = {0};
	int ret = xy_cli_args(&a, argc, argv, with_value);
	if (!ret && a.count != 1)
		ret = xy_cli_misuse("write: xylem ping ADDRESS, or the name or key of a node");
	ret = ret ? ret : options(&cfg, &a);
	if (ret)
		return ret;
	if (a.json && !cfg.count)
		cfg.count = 1;
	cfg.who = (struct xy_who_config){.instance = a.instance, .is_over = is_ended};
	cfg.to = a.word[0];
	cfg.see = a.json ? see_nothing : see;
	ret = ping(&p, &cfg, a.json);
	xy_ping_end(&p);
	return ret;
}

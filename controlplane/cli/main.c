// SPDX-License-Identifier: BSD-3-Clause
// xylem: the command line.
#include "base/bytes.h"
#include "cli/cli.h"
#include "cli/text.h"
#include "client/rundir.h"
#include "config/config.h"
#include "cores.h"

#include <locale.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int help(int argc, char **argv);
static int genconf(int argc, char **argv);
static int version(int argc, char **argv);

const struct xy_cli_command xy_cli_commands[] = {
	{"genkey", xy_cli_genkey, "genkey [FILE] [--stdout]",
	 "make a secret key, write it into FILE (/etc/xylem/key) and say so, with its public key "
	 "and "
	 "address; --stdout prints it alone"},
	{"pubkey", xy_cli_pubkey, "pubkey [FILE|-]", "print the public key of a key file"},
	{"inspect", xy_cli_inspect, "inspect [KEY] [--json]",
	 "print what follows from a public key, or from our own: address, /64"},
	{"genconf", genconf, "genconf", "print a commented example of the config file"},
	{"import", xy_cli_import, "import FILE [--write FILE] [--key-file FILE]",
	 "make a config of a wg-quick file (wg0.conf), and say what cannot be carried over"},
	{"show", xy_cli_show,
	 "show WHAT [PREFIX|ADDRESS|NAME] [--peer NAME] [--within PREFIX] [--sort COLUMN] "
	 "[--level error|warn|info|debug] [--count] [--all] [-v] [-w SECONDS] [--json] [--dot] [-n "
	 "NAME]",
	 "ask a running daemon: node, config, peers, workers, graph, drops, ports, policy, routes, "
	 "sessions, "
	 "neighbours, routing, log, fleet, route PREFIX, gateways [PREFIX], tree, path ADDRESS"},
	{"top", xy_cli_top,
	 "top [--sort bits|packets|rx|tx|name|state] [--all] [-d SECONDS] [-b N] [-n NAME]",
	 "live rates of workers, drops and peers; N pictures, where that is no terminal"},
	{"trace", xy_cli_trace, "trace ADDRESS|NAME [-v] [--json] [-n NAME]",
	 "ask each node on the way to an address for the next"},
	{"ping", xy_cli_ping, "ping ADDRESS|NAME [-s SIZE] [-c N] [-i SECONDS] [--json] [-n NAME]",
	 "ICMP echo over the mesh: by which peer, and who says what when nothing comes back"},
	{"netcheck", xy_cli_netcheck, "netcheck [NAME] [--json] [-n NAME]",
	 "each peer: reached, path MTU and whether proven, RTT, loss, clock, NAT"},
	{"diagnose", xy_cli_diagnose, "diagnose [NAME|ADDRESS] [--json] [-n NAME]",
	 "what is wrong, in words, with what speaks for it and the command that shows it"},
	{"doctor", xy_cli_doctor, "doctor [-c FILE] [--json] [-n NAME]",
	 "what this host is like for a node: cards, CPUs, memory, clock, kernel; what to type"},
	{"capture", xy_cli_capture,
	 "capture [NAME] [port N] [drop [REASON]] [--sealed] [--opened] [--host] [--drops] [-c "
	 "COUNT] "
	 "[-w FILE] [-n NAME]",
	 "show packets on their way, or write them as pcapng: of a peer, a port, a drop reason"},
	{"set", xy_cli_set, "set peer NAME traffic|cost on|off|N|default [--json] [-n NAME]",
	 "have routing leave a link, which stays up, or come back; or set what the link costs"},
	{"peer", xy_cli_peer,
	 "peer add|remove|reset NAME [--key KEY] [--endpoint HOST:PORT] [--psk-file FILE] "
	 "[--keepalive N] [--mtu N] [--cost N] [--json] [-n NAME]",
	 "add a node at once, remove it again, or end a peer's session and begin another"},
	{"leaf", xy_cli_leaf,
	 "leaf add|remove|list [NAME] [--public-key KEY] [--psk-file FILE] [--address PREFIX] "
	 "[--endpoint HOST:PORT] [--json] [-n NAME]",
	 "add a WireGuard device and print its config, as a QR code on a terminal, too; remove, "
	 "list"},
	{"reload", xy_cli_reload, "reload [--json] [-n NAME]",
	 "have the config read anew; fails, and says all that is wrong, when it is refused"},
	{"config", xy_cli_config, "config write [-n NAME]",
	 "put what was changed at run time into the config file, with its comments as they are"},
	{"drain", xy_cli_drain, "drain [off] [--json] [-n NAME]",
	 "have others' traffic go other ways, and stay; off: take part again"},
	{"fleet", xy_cli_fleet,
	 "fleet init|agent|info|list|leave|ca [new|sign|revoke] [KEY|FILE] [--folder FOLDER] "
	 "[--nats URL] "
	 "[--bucket NAME] [--creds FILE] [--cidr PREFIX] [--prefix N] [--retry|--no-retry] [--ca "
	 "KEY|FILE] "
	 "[--until DAYS|DATE] "
	 "[--write FILE] [--record] [-v] [--json] [-n NAME]",
	 "peers from a folder or from NATS, by xylem-fleet: write its config, run it, see what it "
	 "knows, have this node leave; "
	 "and the CA that says who is a member"},
	{"log", xy_cli_log,
	 "log level [SUBSYSTEM] error|warn|info|debug|default [--json] [-n NAME]",
	 "set what a running daemon logs, or one subsystem of it: daemon, links, routing, ports, "
	 "interface, exits, joining, state, control, confinement"},
	{"help", help, "help", "print this"},
	{"complete", xy_cli_complete, NULL, NULL}, // for shells: config/completion
	{"--help", help, NULL, NULL},
	{"-h", help, NULL, NULL},
	{"--version", version, "--version", "print the version"},
	{"-V", version, NULL, NULL},
	{NULL, NULL, NULL, NULL},
};

bool xy_cli_terminal(int fd)
{
	static bool known[3], is[3]; // as it was at first: a pager's pipe comes in its place
	if (fd < 0 || fd > STDERR_FILENO)
		return false;
	if (!known[fd])
		is[fd] = isatty(fd);
	known[fd] = true;
	return is[fd];
}

bool xy_cli_colour(int fd)
{
	const char *no = getenv("NO_COLOR");
	return xy_cli_terminal(fd) && !(no && *no);
}

void *xy_cli_must(void *p)
{
	if (!p) {
		xy_cli_fail("not enough memory");
		exit(CLI_FAILED);
	}
	return p;
}

// Who speaks: in red, where it is a person who reads.
static void say_who(void)
{
	fputs(xy_cli_colour(STDERR_FILENO) ? "\033[31mxylem\033[0m: " : "xylem: ", stderr);
}

// What others called themselves may be in it.
__attribute__((format(printf, 1, 0))) static void say(const char *fmt, va_list ap)
{
	char text[2048];
	vsnprintf(text, sizeof(text), fmt, ap);
	char *clean = xy_text_clean(text);
	say_who();
	fputs(clean, stderr);
	free(clean);
}

int xy_cli_fail(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say(fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	return CLI_FAILED;
}

int xy_cli_misuse(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say(fmt, ap);
	fputs("; see: xylem help\n", stderr);
	va_end(ap);
	return CLI_USAGE;
}

int xy_cli_instance(const char *name)
{
	const char *wrong = xy_instance_name_wrong(name);
	return wrong ? xy_cli_misuse("-n %s: it %s", name, wrong) : CLI_OK;
}

// A word, or what a bracket holds.
static size_t token_of(const char *text)
{
	size_t n = 0;
	for (unsigned deep = 0; text[n] && (deep || text[n] != ' '); n++)
		deep = text[n] == '[' ? deep + 1 : text[n] == ']' && deep ? deep - 1 : deep;
	return n;
}

static void put_broken(FILE *to, const char *text, unsigned first, unsigned next)
{
	size_t at = (size_t)fprintf(to, "%*s", (int)first, "");
	for (bool begun = false; *text; begun = true) {
		size_t n = token_of(text);
		if (begun && at + 1 + n > XY_OUT_COLUMNS)
			at = (size_t)fprintf(to, "\n%*s", (int)next, "") - 1;
		else if (begun)
			at += (size_t)fprintf(to, " ");
		at += (size_t)fprintf(to, "%.*s", (int)n, text);
		text += n;
		text += strspn(text, " ");
	}
	fputc('\n', to);
}

enum { USAGE = 2, USAGE_MORE = 6, HELP = 8 }; // columns: test/unit/tree/man_test.c reads them

static void usage_of(size_t i, FILE *to)
{
	if (!xy_cli_commands[i].usage)
		return;
	put_broken(to, xy_cli_commands[i].usage, USAGE, USAGE_MORE);
	put_broken(to, xy_cli_commands[i].help, HELP, HELP);
}

static void usage(FILE *to)
{
	fputs("usage: xylem COMMAND [ARGUMENT...]\n\n", to);
	for (size_t i = 0; i < XY_ARRAY_SIZE(xy_cli_commands) - 1; i++)
		usage_of(i, to);
}

static int help(int argc, char **argv)
{
	usage(stdout);
	return CLI_OK;
}

static int version(int argc, char **argv)
{
	puts("xylem " XY_VERSION);
	return CLI_OK;
}

static int genconf(int argc, char **argv)
{
	if (argc > 1)
		return xy_cli_misuse("genconf takes no argument, but got \"%s\"", argv[1]);
	char *text = xy_config_example();
	if (!text)
		return xy_cli_fail("not enough memory");
	fputs(text, stdout);
	free(text);
	return CLI_OK;
}

// "xylem COMMAND --help", wherever it stands.
static bool asks_for_help(int argc, char **argv)
{
	for (int i = 2; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

static int run(size_t i, int argc, char **argv)
{
	if (!asks_for_help(argc, argv))
		return xy_cli_commands[i].run(argc - 1, argv + 1);
	fputs("usage: xylem COMMAND [ARGUMENT...]\n\n", stdout);
	usage_of(i, stdout);
	return CLI_OK;
}

// That are told; NULL behind them.
static void names_of(const char *names[static XY_ARRAY_SIZE(xy_cli_commands)])
{
	unsigned n = 0;
	for (size_t i = 0; xy_cli_commands[i].name; i++)
		if (xy_cli_commands[i].usage)
			names[n++] = xy_cli_commands[i].name;
	names[n] = NULL;
}

const struct xy_cli_command *xy_cli_command_find(const char *name)
{
	const char *names[XY_ARRAY_SIZE(xy_cli_commands)], *word = name;
	names_of(names);
	for (unsigned turn = 0; word && turn < 2; turn++, word = xy_cli_word(name, names))
		for (const struct xy_cli_command *c = xy_cli_commands; c->name; c++)
			if (strcmp(c->name, word) == 0)
				return c;
	return NULL;
}

// A full disk or a closed pipe is an error as well.
static int finish(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	return xy_cli_fail("cannot write the output: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	setlocale(LC_CTYPE, "C.UTF-8"); // what the daemon says, wherever this runs
	xy_cores_set(false);		// genkey and pubkey have secrets in hand
	if (sodium_init() < 0)
		return xy_cli_fail("libsodium does not start");
	if (argc < 2) {
		usage(stderr);
		return CLI_USAGE;
	}
	const struct xy_cli_command *c = xy_cli_command_find(argv[1]);
	if (c)
		return finish(run((size_t)(c - xy_cli_commands), argc, argv));
	char meant[200];
	const char *names[XY_ARRAY_SIZE(xy_cli_commands)];
	names_of(names);
	return xy_cli_misuse("there is no command \"%s\"%s", argv[1],
			     xy_cli_meant(argv[1], names, meant, sizeof(meant)));
}

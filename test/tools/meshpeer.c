// SPDX-License-Identifier: BSD-3-Clause
// A mesh peer in one process and one socket, for tests and benchmarks: it makes a WireGuard link to
// a xylemd (or stands on an interface beside a stock router), speaks Babel there, feeds it a table,
// or attacks it. It prints one JSON object a line: ready, up, first_update, reached, attack, end.
#include "attack.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char usage[] =
	"Usage: meshpeer [OPTION]...\n"
	"Where:\n"
	"  --key FILE --peer KEY --endpoint ADDRESS:PORT [--psk KEY]   inside a WireGuard tunnel\n"
	"  --key FILE --interface NAME                                 on an interface\n"
	"What:\n"
	"  --plain                speak as a stock router: unsigned\n"
	"  --signed N             feed the /64s of N made-up origins, each signed by its owner\n"
	"  --unsigned N           feed N /64s of fdfe:ed00::/32 (--plain)\n"
	"  --own PREFIX           announce this too\n"
	"  --open                 hold the neighbour to what an open peer may bring\n"
	"  --silent               announce nothing, not even our own /64\n"
	"  --cache FILE           keep made-up claims there\n"
	"  --epoch E              of our claims (default 1700000000)\n"
	"  --log                  print each Update heard\n"
	"  --record FILE          write the newest claim heard of each prefix at the end\n"
	"  --attack NAME          --victim PREFIX, --claims FILE, --rid HEX, --seqno N, --metric "
	"N,\n"
	"                         --burst N, --every MS, --seed N; NAME is one of those below\n"
	"Until when:\n"
	"  --node SOCKET | --fib FILE   watch /xylem/node at a telemetry socket, or a rt6_stats "
	"file\n"
	"  --want N               until it has N routes more than at the beginning\n"
	"  --hold SECONDS         stay that long then (default 0 after --want, else for ever)\n"
	"  --withdraw             then take all back, and wait until it has what it had\n"
	"  --limit SECONDS        give up waiting for routes after so long (default 600)\n"
	"Exit code: 0, 1 when --want was not reached, 2 for a wrong option.\n";

enum { STRANGERS = 200 }; // made up, for an attack without --claims

struct options {
	const char *key, *interface, *cache, *record, *attack, *claims, *node, *fib;
	struct tunnel_options tunnel;
	bool has_peer, has_endpoint, withdraw, has_hold;
	unsigned signed_count, want, every;
	uint32_t epoch;
	xy_nsec hold, limit;
	struct speaker_options speaker;
	struct attack_options at;
	struct xy_prefix own;
};

static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
	stop = 1;
}

// ---- Options ----

enum {
	KEY = 256,
	PEER,
	ENDPOINT,
	PSK,
	INTERFACE,
	PLAIN,
	SIGNED,
	UNSIGNED,
	OWN,
	SILENT,
	OPEN,
	CACHE,
	EPOCH,
	LOG,
	RECORD,
	ATTACK,
	VICTIM,
	CLAIMS,
	RID,
	SEQNO,
	METRIC,
	BURST,
	EVERY,
	SEED,
	NODE,
	FIB,
	WANT,
	HOLD,
	WITHDRAW,
	LIMIT,
	HELP
};

static const struct option table[] = {
	{"key", 1, 0, KEY},
	{"peer", 1, 0, PEER},
	{"endpoint", 1, 0, ENDPOINT},
	{"psk", 1, 0, PSK},
	{"interface", 1, 0, INTERFACE},
	{"plain", 0, 0, PLAIN},
	{"signed", 1, 0, SIGNED},
	{"unsigned", 1, 0, UNSIGNED},
	{"own", 1, 0, OWN},
	{"silent", 0, 0, SILENT},
	{"open", 0, 0, OPEN},
	{"cache", 1, 0, CACHE},
	{"epoch", 1, 0, EPOCH},
	{"log", 0, 0, LOG},
	{"record", 1, 0, RECORD},
	{"attack", 1, 0, ATTACK},
	{"victim", 1, 0, VICTIM},
	{"claims", 1, 0, CLAIMS},
	{"rid", 1, 0, RID},
	{"seqno", 1, 0, SEQNO},
	{"metric", 1, 0, METRIC},
	{"burst", 1, 0, BURST},
	{"every", 1, 0, EVERY},
	{"seed", 1, 0, SEED},
	{"node", 1, 0, NODE},
	{"fib", 1, 0, FIB},
	{"want", 1, 0, WANT},
	{"hold", 1, 0, HOLD},
	{"withdraw", 0, 0, WITHDRAW},
	{"limit", 1, 0, LIMIT},
	{"help", 0, 0, HELP},
	{0},
};

static int read_number(const char *text, int base, uint64_t most, uint64_t *out)
{
	char *end;
	errno = 0;
	*out = strtoull(text, &end, base);
	return errno || !*text || *end || *out > most ? -EINVAL : 0;
}

// Options that are a number: where it goes and how large it may be.
static int number_option(struct options *o, int c, const char *text)
{
	uint64_t n = 0;
	int ret = read_number(text, c == RID ? 16 : 10, c == RID ? UINT64_MAX : UINT32_MAX, &n);
	switch (c) {
	case SIGNED:
		o->signed_count = (unsigned)n;
		break;
	case UNSIGNED:
		o->speaker.announce = (unsigned)n;
		break;
	case EPOCH:
		o->epoch = (uint32_t)n;
		break;
	case RID:
		o->at.rid = n;
		break;
	case SEQNO:
		o->at.seqno = (uint16_t)n;
		break;
	case METRIC:
		o->at.metric = (uint16_t)n;
		break;
	case BURST:
		o->at.burst = (unsigned)n;
		break;
	case EVERY:
		o->every = (unsigned)n;
		break;
	case SEED:
		o->at.seed = n;
		break;
	case WANT:
		o->want = (unsigned)n;
		break;
	case HOLD:
		o->hold = n * XY_SEC, o->has_hold = true;
		break;
	case LIMIT:
		o->limit = n * XY_SEC;
		break;
	default:
		return -ENOENT;
	}
	return ret;
}

static int text_option(struct options *o, int c, const char *text)
{
	struct xy_key key = {{0}};
	int ret = 0;
	switch (c) {
	case KEY:
		o->key = text;
		break;
	case PEER:
		ret = xy_key_parse(text, &o->tunnel.peer, NULL), o->has_peer = true;
		break;
	case ENDPOINT:
		ret = xy_endpoint_parse(text, &o->tunnel.endpoint);
		o->has_endpoint = true;
		break;
	case PSK:
		ret = xy_key_parse(text, &key, NULL);
		memcpy(o->tunnel.psk, key.b, 32);
		break;
	case INTERFACE:
		o->interface = text;
		break;
	case OWN:
		ret = xy_prefix_parse(text, &o->own), o->speaker.own = &o->own;
		break;
	case CACHE:
		o->cache = text;
		break;
	case RECORD:
		o->record = text;
		break;
	case ATTACK:
		o->attack = text;
		break;
	case VICTIM:
		ret = xy_prefix_parse(text, &o->at.victim);
		break;
	case CLAIMS:
		o->claims = text;
		break;
	case NODE:
		o->node = text;
		break;
	case FIB:
		o->fib = text;
		break;
	default:
		return number_option(o, c, text);
	}
	sodium_memzero(&key, sizeof(key));
	return ret;
}

static int switch_option(struct options *o, int c)
{
	switch (c) {
	case PLAIN:
		o->speaker.plain = true;
		return 0;
	case SILENT:
		o->speaker.silent = true;
		return 0;
	case LOG:
		o->speaker.log = true;
		return 0;
	case OPEN:
		o->speaker.open = true;
		return 0;
	case WITHDRAW:
		o->withdraw = true;
		return 0;
	default:
		return -ENOENT;
	}
}

static int check_options(const struct options *o)
{
	const char *wrong = NULL;
	if (!o->key)
		wrong = "--key is missing (xylem genkey FILE)";
	else if (!o->interface && !(o->has_peer && o->has_endpoint))
		wrong = "give --peer and --endpoint, or --interface";
	else if (o->speaker.announce && !o->speaker.plain)
		wrong = "--unsigned is for --plain: mesh nodes sign";
	else if (o->attack && !attack_find(o->attack))
		wrong = "no such --attack";
	if (wrong)
		fprintf(stderr, "meshpeer: %s; see --help\n", wrong);
	return wrong ? -EINVAL : 0;
}

static int read_options(struct options *o, int argc, char **argv)
{
	int c, ret;
	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
		if (c == HELP) {
			fputs(usage, stdout);
			for (const struct attack *t = attacks; t->name; t++)
				printf("  %-12s %s\n", t->name, t->text);
			exit(0);
		}
		if (c == '?')
			return -EINVAL;
		ret = optarg ? text_option(o, c, optarg) : switch_option(o, c);
		if (ret) {
			fprintf(stderr, "meshpeer: %s has a wrong value: %s\n", argv[optind - 1],
				optarg ? optarg : "");
			return ret;
		}
	}
	o->speaker.record = o->record || o->attack;
	return check_options(o);
}

// ---- What the neighbour has ----

static int telemetry_open(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char greeting[256];
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (void *)&a, sizeof(a)) ||
	    recv(fd, greeting, sizeof(greeting), 0) <= 0) {
		perror(path);
		exit(2);
	}
	return fd;
}

static long node_routes(const char *path)
{
	static int fd = -1; // one for the life of the process
	static const char ask[] = "/xylem/node", field[] = "\"routes\":";
	char answer[16384];
	if (fd < 0)
		fd = telemetry_open(path);
	ssize_t len = send(fd, ask, sizeof(ask) - 1, 0) < 0
			      ? -1
			      : recv(fd, answer, sizeof(answer) - 1, 0);
	if (len <= 0)
		return -1;
	answer[len] = 0;
	const char *at = strstr(answer, field);
	return at ? strtol(at + sizeof(field) - 1, NULL, 10) : -1;
}

// The fourth number: fib6 entries, those of addresses and multicast among them.
static long fib_routes(const char *path)
{
	unsigned n[4];
	FILE *f = fopen(path, "r");
	int got = f ? fscanf(f, "%x %x %x %x", &n[0], &n[1], &n[2], &n[3]) : 0;
	if (f)
		fclose(f);
	return got == 4 ? (long)n[3] : -1;
}

static long own_routes(const struct speaker *s)
{
	struct xy_babel_stats stats;
	xy_babel_stats(s->b, &stats);
	return stats.selected;
}

// ---- The run ----

struct run {
	const struct options *o;
	struct speaker s;
	struct attacker attacker;
	const struct attack *attack;
	xy_nsec attack_at, look_at, settled_at;
	long routes, base;
};

static long routes_now(const struct run *r)
{
	if (r->o->node)
		return node_routes(r->o->node);
	return r->o->fib ? fib_routes(r->o->fib) : own_routes(&r->s);
}

// At least 20 ms apart; at most a fiftieth of the time is spent on looking.
static void look(struct run *r)
{
	xy_nsec now = clock_now();
	if (now < r->look_at)
		return;
	r->routes = routes_now(r);
	xy_nsec took = clock_now() - now;
	r->look_at = clock_now() + (took * 50 > 20 * XY_MSEC ? took * 50 : 20 * XY_MSEC);
}

// A second after both hear each other: what the machine says at its start must not take it back.
static void attack_when_due(struct run *r, xy_nsec now)
{
	if (!r->attack_at && speaker_usable(&r->s))
		r->attack_at = now + XY_SEC;
	if (!r->attack_at || now < r->attack_at)
		return;
	r->attack->round(&r->attacker);
	r->attack_at = now + r->o->every * XY_MSEC;
}

static void step(struct run *r)
{
	if (r->attack)
		attack_when_due(r, clock_now());
	speaker_step(&r->s, 10);
}

// Until the neighbour has `want` routes (more or less of them), or time is up.
static bool reach(struct run *r, long want, bool more, const char *event)
{
	xy_nsec limit = clock_now() + r->o->limit;
	for (;;) {
		look(r);
		if (more ? r->routes >= want : r->routes <= want)
			break;
		if (stop || clock_now() > limit) {
			tell(&r->s, "gave_up", ", \"routes\": %ld, \"wanted\": %ld", r->routes,
			     want);
			return false;
		}
		step(r);
	}
	xy_nsec from = r->settled_at ? r->settled_at : r->s.first_update;
	struct xy_babel_link_info info = {0};
	xy_babel_link_info(r->s.b, SPEAKER_LINK, &info);
	tell(&r->s, event,
	     ", \"routes\": %ld, \"seconds\": %.3f, \"bytes_sent\": %" PRIu64
	     ", \"bytes_received\": %" PRIu64 ", \"packets_sent\": %" PRIu64
	     ", \"packets_received\": %" PRIu64 ", \"resent\": %" PRIu64,
	     r->routes - r->base, from ? (double)(clock_now() - from) / XY_SEC : 0.0,
	     r->s.bytes_sent, r->s.bytes_received, r->s.packets_sent, r->s.packets_received,
	     info.resent);
	return true;
}

static void hold(struct run *r)
{
	bool forever = !r->o->has_hold && !r->o->want;
	xy_nsec until = clock_now() + r->o->hold;
	while (!stop && (forever || clock_now() < until))
		step(r);
}

static bool play(struct run *r)
{
	r->base = r->routes = routes_now(r);
	if (r->o->want && !reach(r, r->base + (long)r->o->want, true, "reached"))
		return false;
	hold(r);
	if (!r->o->withdraw)
		return true;
	r->settled_at = clock_now();
	speaker_withdraw(&r->s);
	return reach(r, r->base, false, "withdrawn");
}

static void tell_refused(const struct run *r)
{
	static const char between[] = ", ";
	struct xy_babel_link_info info;
	char text[1024] = "";
	size_t at = 0;
	if (xy_babel_link_info(r->s.b, SPEAKER_LINK, &info))
		return;
	for (unsigned i = 0; i < XY_BABEL_REFUSAL_COUNT; i++)
		if (info.refused[i])
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s\"%s\": %" PRIu64,
					       at ? between : "", xy_babel_refusal_name(i),
					       info.refused[i]);
	tell(&r->s, "refused", ", \"counts\": {%s}", text);
}

static void summary(const struct run *r)
{
	if (r->attack)
		tell(&r->s, "attack",
		     ", \"name\": \"%s\", \"packets\": %" PRIu64 ", \"tlvs\": %" PRIu64,
		     r->attack->name, r->attacker.packets, r->attacker.tlvs);
	tell_refused(r);
	tell(&r->s, "end",
	     ", \"bytes_sent\": %" PRIu64 ", \"bytes_received\": %" PRIu64
	     ", \"handshakes\": %u, \"heard\": %u, \"own_routes\": %ld",
	     r->s.bytes_sent, r->s.bytes_received, r->s.c->handshakes, r->s.heard.count,
	     own_routes(&r->s));
}

static int run(struct options *o, struct carrier *c, const struct xy_identity *id)
{
	struct run r = {.o = o, .attack = o->attack ? attack_find(o->attack) : NULL};
	struct claims file = {0};
	struct xy_err err = {""};
	int ret = 0;
	if (o->claims)
		ret = claims_load(&file, o->claims, &err);
	else if (o->attack)
		ret = claims_make(&file, STRANGERS, o->epoch, NULL, &err);
	if (!ret && o->signed_count)
		ret = claims_make(&o->speaker.table, o->signed_count, o->epoch, o->cache, &err);
	if (!ret)
		ret = speaker_open(&r.s, c, id, o->epoch, &o->speaker, &err);
	if (ret) {
		fprintf(stderr, "meshpeer: %s\n", err.text);
		claims_free(&file);
		return 2;
	}
	o->at.claims = &file;
	o->at.epoch = o->epoch;
	attack_init(&r.attacker, &r.s, &o->at);
	bool good = play(&r);
	summary(&r);
	if (o->record && claims_save(&r.s.heard, o->record, &err)) {
		fprintf(stderr, "meshpeer: %s\n", err.text);
		good = false;
	}
	speaker_close(&r.s);
	claims_free(&file);
	return !good;
}

int main(int argc, char **argv)
{
	struct options o = {.epoch = 1700000000,
			    .every = 100,
			    .limit = 600 * XY_SEC,
			    .at = {.burst = 20, .seed = 1}};
	struct xy_identity id;
	struct xy_err err = {""};
	if (sodium_init() < 0 || read_options(&o, argc, argv))
		return 2;
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	if (xy_keyfile_load(o.key, &id, &err)) {
		fprintf(stderr, "meshpeer: %s\n", err.text);
		return 2;
	}
	o.tunnel.identity = &id;
	struct carrier *c =
		o.interface ? wire_open(o.interface, &err) : tunnel_open(&o.tunnel, &err);
	int ret = 2;
	if (c) {
		ret = run(&o, c, &id);
		c->close(c);
	} else {
		fprintf(stderr, "meshpeer: %s\n", err.text);
	}
	xy_identity_wipe(&id);
	sodium_memzero(o.tunnel.psk, sizeof(o.tunnel.psk));
	claims_free(&o.speaker.table);
	return ret;
}

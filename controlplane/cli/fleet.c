// SPDX-License-Identifier: BSD-3-Clause
// fleet: init, agent, info, list, leave, ca. What asks goes to the socket of xylem-fleet.
#include "config/fleet.h"
#include "base/bytes.h"
#include "cli/cli.h"
#include "client/rundir.h"
#include "fleet/record.h"

#include <fcntl.h>
#include <pwd.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CONFIGS "/etc/xylem/"
#define FOLDER	CONFIGS "fleet.d"
#define CA_FILE CONFIGS "fleet-ca.key"
#define USER	"xylem-fleet"

enum { LEAVE_MS = 40000, DAYS = 365, DAYS_MOST = 36500, FILE_TEXT = 2000 };

struct flags {
	bool verbose, record, once;
};

// Words that take no value, out of argv.
static int flags_take(struct flags *f, int argc, char **argv)
{
	int n = 0;
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "-v") == 0 || strcmp(argv[i], "--verbose") == 0)
			f->verbose = true;
		else if (strcmp(argv[i], "--record") == 0)
			f->record = true;
		else if (strcmp(argv[i], "--no-retry") == 0)
			f->once = true;
		else if (strcmp(argv[i], "--retry") == 0) // as it is anyway
			f->once = false;
		else
			argv[n++] = argv[i];
	}
	return n;
}

// --- asking

static int ask(const char *instance, const char *command, unsigned timeout_ms, json_t **out)
{
	struct xy_client_config cfg = {.instance = instance,
				       .program = XY_RUNDIR_AGENT,
				       .socket = XY_RUNDIR_FLEET,
				       .timeout_ms = timeout_ms};
	struct xy_client *c = NULL;
	struct xy_err err = {""};
	int ret = xy_client_open(&cfg, &c, &err);
	ret = ret ? ret : xy_client_ask_all(c, command, NULL, out, &err);
	xy_client_close(c);
	return ret ? xy_cli_fail("%s", err.text) : CLI_OK;
}

static int print_json(json_t *o)
{
	json_dumpf(o, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(o);
	return CLI_OK;
}

static int info(const struct xy_cli_args *a, const struct flags *f)
{
	json_t *now;
	int ret = ask(a->instance, "/xylem/fleet", 0, &now);
	if (ret)
		return ret;
	const char *record = json_string_value(json_object_get(now, XY_KEY(fleet, record)));
	if (f->record && record)
		puts(record);
	else if (f->record)
		ret = xy_cli_fail("there is no record yet; see: xylem fleet info");
	json_object_del(now, XY_KEY(fleet, nodes));
	json_object_del(now, XY_KEY(fleet, refusals));
	json_object_del(now, XY_KEY(fleet, next));
	if (f->record || a->json) {
		if (!f->record)
			return print_json(now);
		json_decref(now);
		return ret;
	}
	struct xy_out out = {.to = stdout,
			     .colour = xy_cli_colour(STDOUT_FILENO),
			     .limit = f->verbose ? 0 : XY_OUT_COLUMNS};
	const struct xy_view v = {
		.reply = xy_agent_reply_find("fleet"), .out = &out, .verbose = f->verbose};
	xy_view_fields(&v, v.reply->object(), now);
	json_decref(now);
	return CLI_OK;
}

static int list(const struct xy_cli_args *a, const struct flags *f)
{
	json_t *now;
	int ret = ask(a->instance, "/xylem/fleet", 0, &now);
	if (ret)
		return ret;
	if (a->json) {
		json_t *nodes = json_incref(json_object_get(now, XY_KEY(fleet, nodes)));
		json_decref(now);
		return print_json(nodes);
	}
	struct xy_out out = {.to = stdout,
			     .colour = xy_cli_colour(STDOUT_FILENO),
			     .limit = f->verbose ? 0 : XY_OUT_COLUMNS};
	const struct xy_view v = {
		.reply = xy_agent_reply_find("fleet"), .out = &out, .verbose = f->verbose};
	if (!json_array_size(json_object_get(now, XY_KEY(fleet, nodes))))
		ret = xy_cli_fail("no other node is known; see: xylem fleet info");
	xy_cli_pager_begin();
	xy_view_rows(&v, XY_KEY(fleet, nodes), now);
	json_decref(now);
	return xy_cli_pager_end(ret);
}

static int leave(const struct xy_cli_args *a)
{
	json_t *now;
	int ret = ask(a->instance, "/xylem/fleet_leave", LEAVE_MS, &now);
	if (ret)
		return ret;
	json_decref(now);
	printf("left: the others take this node out, and xylem-fleet has ended; so that it stays "
	       "so:\n"
	       "  systemctl disable xylem-fleet%s%s\n",
	       strcmp(a->instance, "xylem") == 0 ? "" : "@",
	       strcmp(a->instance, "xylem") == 0 ? "" : a->instance);
	return CLI_OK;
}

// --- agent: the program itself, which stands beside this one, or in the PATH

static int agent(int argc, char **argv)
{
	static const char *const beside[] = {"/xylem-fleet", "/../sbin/xylem-fleet"};
	char self[3900], path[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash = n > 0 ? memrchr(self, '/', (size_t)n) : NULL;
	argv[0] = "xylem-fleet";
	for (unsigned i = 0; slash && i < XY_ARRAY_SIZE(beside); i++) {
		snprintf(path, sizeof(path), "%.*s%s", (int)(slash - self), self, beside[i]);
		execv(path, argv);
	}
	execvp("xylem-fleet", argv);
	return xy_cli_fail("xylem-fleet cannot be started: %s; install the package xylem-fleet",
			   strerror(errno));
}

// --- init

static int cidr_read(const struct xy_cli_args *a, struct xy_prefix *cidr, unsigned *bits)
{
	const char *text = xy_cli_option(a, "--cidr"), *length = xy_cli_option(a, "--prefix");
	char is[XY_PREFIX_STRLEN];
	*bits = 0;
	if (!text && !length)
		return CLI_OK;
	if (!text || !length)
		return xy_cli_misuse("fleet init: --cidr and --prefix belong together, as in "
				     "--cidr fd10::/16 --prefix 48");
	int bad = xy_prefix_parse(text, cidr);
	if (bad == -EDOM) {
		xy_prefix_mask(cidr);
		return xy_cli_misuse("--cidr %s has host bits set; write %s", text,
				     xy_prefix_str(cidr, is));
	}
	if (bad)
		return xy_cli_misuse("--cidr %s: write a network, as fd10::/16", text);
	unsigned family = xy_prefix_is_v4(cidr) ? 96 : 0, most = 128 - family;
	char *end;
	long n = strtol(length, &end, 10);
	if (*end || end == length || n < (long)(cidr->len - family) || n > (long)most)
		return xy_cli_misuse(
			"--prefix %s: write %u to %u, the length of each node's network in %s",
			length, cidr->len - family, most, text);
	*bits = (unsigned)n;
	return CLI_OK;
}

// One of all networks of that size in cidr, by chance.
static struct xy_prefix draw(const struct xy_prefix *cidr, unsigned bits)
{
	struct xy_prefix p = *cidr;
	uint8_t chance[16];
	randombytes_buf(chance, sizeof(chance));
	p.len = (uint8_t)(bits + (xy_prefix_is_v4(cidr) ? 96 : 0));
	for (unsigned i = cidr->len; i < p.len; i++)
		p.addr.b[i / 8] |= chance[i / 8] & (0x80 >> i % 8);
	return p;
}

static char *config_text(const struct xy_cli_args *a, const struct flags *f,
			 const struct xy_prefix *cidr, unsigned bits, const struct xy_prefix *drawn)
{
	static const struct {
		const char *option, *key;
	} texts[] = {{"--bucket", "bucket"}, {"--creds", "creds"}};
	char text[XY_PREFIX_STRLEN], *all = NULL;
	size_t len;
	unsigned servers = 0;
	FILE *to = xy_cli_must(open_memstream(&all, &len));
	const char *folder = xy_cli_option(a, "--folder"), *ca = xy_cli_option(a, "--ca");
	fputs("# How this node finds the others of its fleet; all that can stand here: xylem-fleet "
	      "--genconf\nfleet = {\n",
	      to);
	for (unsigned i = 0; i < a->options; i++)
		if (strcmp(a->option[i].name, "--nats") == 0) {
			fputs(servers++ ? ", " : "\tnats = ( ", to);
			xy_config_string_put(to, a->option[i].value);
		}
	fputs(servers ? " );\n" : "", to);
	if (!servers || folder) {
		fputs("\tfolder = ", to);
		xy_config_string_put(to, folder ? folder : FOLDER);
		fputs(";\n", to);
	}
	for (unsigned i = 0; i < XY_ARRAY_SIZE(texts); i++)
		if (xy_cli_option(a, texts[i].option)) {
			fprintf(to, "\t%s = ", texts[i].key);
			xy_config_string_put(to, xy_cli_option(a, texts[i].option));
			fputs(";\n", to);
		}
	if (ca) {
		fputs("\ttrust = { ca = ", to);
		xy_config_string_put(to, ca);
		fprintf(to, "; };\n\tmembership = \"" CONFIGS "%s%sfleet.member\";\n",
			strcmp(a->instance, "xylem") == 0 ? "" : a->instance,
			strcmp(a->instance, "xylem") == 0 ? "" : ".");
	}
	if (bits) {
		fprintf(to, "\tcidr = \"%s\";\n\tprefix = %u;\n", xy_prefix_str(cidr, text), bits);
		fprintf(to, "\tclaim = \"%s\";\n", xy_prefix_str(drawn, text));
	}
	if (bits && f->once)
		fputs("\tretry = false;\n", to);
	fputs("};\n", to);
	fclose(to);
	return xy_cli_must(all);
}

static int file_write(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return xy_cli_fail("%s: %s; %s", path, strerror(errno),
				   errno == EEXIST
					   ? "it is not overwritten; write into it, or remove it"
					   : "run as root, or name another");
	size_t len = strlen(text);
	bool fine = write(fd, text, len) == (ssize_t)len && fchmod(fd, mode) == 0 && fsync(fd) == 0;
	int code = errno;
	close(fd);
	if (fine)
		return CLI_OK;
	unlink(path);
	return xy_cli_fail("%s: cannot be written: %s", path, strerror(code));
}

// The agent's user writes its record there.
static void folder_make(const char *folder)
{
	const struct passwd *u = getpwnam(USER);
	if (mkdir(folder, 0755) == 0) {
		if (u && chown(folder, u->pw_uid, u->pw_gid))
			xy_cli_fail("%s: cannot be given to " USER ": %s", folder, strerror(errno));
		printf("folder      %s\n", folder);
	}
	if (access(folder, F_OK))
		xy_cli_fail("%s: %s; make it, for the user " USER " to write to", folder,
			    strerror(errno));
}

static int init(const struct xy_cli_args *a, const struct flags *f)
{
	struct xy_prefix cidr = {0}, drawn = {0};
	struct xy_config_fleet c;
	struct xy_err err = {""};
	unsigned bits;
	char path[128], text[XY_PREFIX_STRLEN];
	int ret = cidr_read(a, &cidr, &bits);
	if (ret)
		return ret;
	bool plain = strcmp(a->instance, "xylem") == 0;
	snprintf(path, sizeof(path), CONFIGS "%s%sfleet.conf", plain ? "" : a->instance,
		 plain ? "" : ".");
	const char *to = xy_cli_option(a, "--write") ?: path;
	drawn = draw(&cidr, bits);
	char *config = config_text(a, f, &cidr, bits, &drawn);
	ret = xy_config_fleet_parse(to, config, strlen(config), &c, &err);
	for (unsigned i = 0; i < c.notes.errors.count; i++)
		xy_cli_fail("%s", c.notes.errors.v[i].text);
	for (unsigned i = 0; !ret && i < c.notes.warnings.count; i++)
		fprintf(stderr, "warning: %s\n", c.notes.warnings.v[i].text);
	ret = ret ? CLI_FAILED : file_write(to, config, 0644);
	free(config);
	if (!ret) {
		printf("config      %s\n", to);
		if (bits)
			printf("claim       %s, drawn of %s\n", xy_prefix_str(&drawn, text),
			       xy_cli_option(a, "--cidr"));
		if (c.folder[0])
			folder_make(c.folder);
		if (bits)
			printf("            in the node's config: routing = { claims = [ \"%s\" ]; "
			       "};\n",
			       xy_cli_option(a, "--cidr"));
		printf("next        let the agent steer the node, in whose config:\n"
		       "            control = { group = \"" USER "\"; mode = \"0660\"; };\n"
		       "            then: systemctl reload xylem%s%s; systemctl enable --now "
		       "xylem-fleet%s%s\n",
		       plain ? "" : "@", plain ? "" : a->instance, plain ? "" : "@",
		       plain ? "" : a->instance);
	}
	xy_config_fleet_free(&c);
	return ret;
}

// --- ca

static int ca_load(const struct xy_cli_args *a, struct xy_identity *id)
{
	const char *file = xy_cli_option(a, "--ca") ?: CA_FILE;
	struct xy_err err = {""};
	if (xy_keyfile_load(file, id, &err))
		return xy_cli_fail("%s", err.text);
	return CLI_OK;
}

static int ca_new(const struct xy_cli_args *a)
{
	const char *file = a->count > 2 ? a->word[2] : CA_FILE;
	struct xy_identity id;
	struct xy_err err = {""};
	char key[XY_KEY_STRLEN];
	if (xy_keyfile_create(file, &id, &err))
		return xy_cli_fail("%s", err.text);
	printf("CA's key    %s (keep it where no node is)\ntrust       { ca = \"%s\"; }   in each "
	       "node's fleet.conf\n",
	       file, xy_key_str(&id.ed25519, key));
	xy_identity_wipe(&id);
	return CLI_OK;
}

// A node's: Ed25519, of which an X25519 one may pass for one, so its address is said.
static int node_key(const struct xy_cli_args *a, struct xy_key *key)
{
	struct xy_err err = {""};
	struct xy_key link;
	char address[XY_ADDR_STRLEN];
	if (xy_key_parse(a->word[2], key, &err))
		return xy_cli_fail("%s", err.text);
	if (xy_key_from_ed25519(key, &link))
		return xy_cli_fail("%s is not what a node signs with; write its key of `xylem "
				   "fleet info`, or what `xylem inspect` "
				   "there calls \"signs as\"",
				   a->word[2]);
	struct xy_addr at = xy_key_addr(&link);
	fprintf(stderr, "node        %s\n", xy_addr_str(&at, address));
	return CLI_OK;
}

// Days from now, or a day.
static int until_read(const struct xy_cli_args *a, uint64_t *out)
{
	const char *text = xy_cli_option(a, "--until");
	struct tm day = {0};
	char *end = NULL;
	time_t now = time(NULL);
	long days = text ? strtol(text, &end, 10) : DAYS;
	if (text && (end = strptime(text, "%Y-%m-%d", &day)) && !*end)
		*out = (uint64_t)timegm(&day);
	else if (!text || (days > 0 && days <= DAYS_MOST && !text[strspn(text, "0123456789")]))
		*out = (uint64_t)now + (uint64_t)days * 86400;
	else
		return xy_cli_misuse("--until %s: write a number of days, or a day as 2027-12-31",
				     text);
	return *out > (uint64_t)now ? CLI_OK : xy_cli_misuse("--until %s: is over already", text);
}

static int put(const struct xy_cli_args *a, const char *text)
{
	const char *to = xy_cli_option(a, "--write");
	char line[XY_FLEET_TEXT + 2];
	snprintf(line, sizeof(line), "%s\n", text);
	if (to)
		return file_write(to, line, 0644);
	fputs(line, stdout);
	return CLI_OK;
}

static int ca_sign(const struct xy_cli_args *a)
{
	struct xy_fleet_member m = {0};
	struct xy_identity ca;
	struct xy_err err = {""};
	char *text = NULL;
	int ret = until_read(a, &m.membership.until);
	ret = ret ? ret : node_key(a, &m.key);
	ret = ret ? ret : ca_load(a, &ca);
	if (ret)
		return ret;
	if (xy_fleet_member_sign(&m, &ca, &text, &err))
		ret = xy_cli_fail("%s", err.text);
	xy_identity_wipe(&ca);
	ret = ret ? ret : put(a, text);
	free(text);
	return ret;
}

static int ca_revoke(const struct xy_cli_args *a)
{
	struct xy_fleet_revocation r = {.epoch = (uint64_t)time(NULL)};
	struct xy_identity ca;
	struct xy_err err = {""};
	char *text = NULL;
	int ret = node_key(a, &r.key);
	ret = ret ? ret : ca_load(a, &ca);
	if (ret)
		return ret;
	if (xy_fleet_revocation_sign(&r, &ca, &text, &err))
		ret = xy_cli_fail("%s", err.text);
	xy_identity_wipe(&ca);
	ret = ret ? ret : put(a, text);
	free(text);
	return ret;
}

static int ca(struct xy_cli_args *a)
{
	static const char *const words[] = {"new", "sign", "revoke", NULL};
	xy_cli_whole(a, 1, words);
	const char *what = a->count > 1 ? a->word[1] : "";
	if (strcmp(what, "new") == 0)
		return a->count <= 3 ? ca_new(a)
				     : xy_cli_misuse("fleet ca new takes one FILE at most");
	bool sign = strcmp(what, "sign") == 0;
	if (!sign && strcmp(what, "revoke") != 0)
		return xy_cli_misuse("fleet ca: there is new, sign and revoke");
	if (a->count != 3)
		return xy_cli_misuse(
			"fleet ca %s: write the node's KEY behind it (xylem fleet info, there)",
			what);
	return sign ? ca_sign(a) : ca_revoke(a);
}

// --- which

static int only(const struct xy_cli_args *a, unsigned words)
{
	if (a->options)
		return xy_cli_misuse("fleet %s does not know \"%s\"", a->word[0],
				     a->option[0].name);
	return a->count > words
		       ? xy_cli_misuse("fleet %s does not know \"%s\"", a->word[0], a->word[words])
		       : CLI_OK;
}

int xy_cli_fleet(int argc, char **argv)
{
	static const char *const options[] = {"--folder", "--nats",   "--bucket", "--creds",
					      "--cidr",	  "--prefix", "--write",  "--ca",
					      "--until",  NULL};
	static const char *const words[] = {"init", "agent", "info", "list", "leave", "ca", NULL};
	struct xy_cli_args a = {0};
	struct flags f = {0};
	char meant[100];
	const char *first = argc > 1 ? xy_cli_word(argv[1], words) : NULL;
	if (first && strcmp(first, "agent") == 0)
		return agent(argc - 1, argv + 1);
	argc = flags_take(&f, argc, argv);
	int ret = xy_cli_args(&a, argc, argv, options);
	if (ret)
		return ret;
	xy_cli_whole(&a, 0, words);
	const char *what = a.count ? a.word[0] : "";
	if (strcmp(what, "init") == 0)
		return a.count == 1 ? init(&a, &f)
				    : xy_cli_misuse("fleet init does not know \"%s\"", a.word[1]);
	if (strcmp(what, "ca") == 0)
		return ca(&a);
	if (strcmp(what, "info") == 0)
		return only(&a, 1) ?: info(&a, &f);
	if (strcmp(what, "list") == 0)
		return only(&a, 1) ?: list(&a, &f);
	if (strcmp(what, "leave") == 0)
		return only(&a, 1) ?: leave(&a);
	return xy_cli_misuse("fleet: there is init, agent, info, list, leave and ca, not \"%s\"%s",
			     what, xy_cli_meant(what, words, meant, sizeof(meant)));
}

// SPDX-License-Identifier: BSD-3-Clause
// genkey, pubkey, inspect: keys and what follows from them.
#include "cli/cli.h"
#include "identity/identity.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIGS	     "/etc/xylem/"
#define DEFAULT_FILE CONFIGS "key"

enum { STDIN_MAX = 4096 };

static int make_folder(const char *file)
{
	char *folder = strdup(file);
	char *slash = folder ? strrchr(folder, '/') : NULL;
	int ret = 0;
	if (slash && slash != folder) {
		*slash = 0;
		bool ours = strncmp(file, CONFIGS, strlen(CONFIGS)) == 0;
		if (mkdir(folder, ours ? 0755 : 0700) == 0) {
			if (ours) // whatever the umask: the daemon is not root
				chmod(folder, 0755);
		} else if (errno != EEXIST) {
			ret = xy_cli_fail("%s: cannot make the folder: %s; %s", folder,
					  strerror(errno),
					  errno == EACCES ? "run as root or name another FILE"
							  : "make the folders above it first");
		}
	}
	free(folder);
	return ret;
}

// As wg genkey: the secret key alone, for a pipe or a file of one's own making.
static int print_secret(void)
{
	char text[XY_KEYFILE_STRLEN];
	struct xy_identity id;
	struct stat st;
	if (xy_keyfile_make(text, &id))
		return xy_cli_fail("no source of random numbers");
	if (fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077))
		fputs("xylem: others may read the file that this goes to; chmod 600 it, or xylemd "
		      "refuses it\n",
		      stderr);
	fputs(text, stdout);
	xy_identity_wipe(&id);
	sodium_memzero(text, sizeof(text));
	return CLI_OK;
}

int xy_cli_genkey(int argc, char **argv)
{
	const char *file = argc > 1 ? argv[1] : DEFAULT_FILE;
	if (argc == 2 && strcmp(file, "--stdout") == 0)
		return print_secret();
	struct xy_identity id;
	struct xy_err err = {""};
	char key[XY_KEY_STRLEN], addr[XY_ADDR_STRLEN];
	if (argc > 2 || file[0] == '-' || !file[0])
		return xy_cli_misuse("genkey takes one FILE at most, which it writes, or --stdout");
	int ret = make_folder(file);
	if (ret)
		return ret;
	if (xy_keyfile_create(file, &id, &err))
		return xy_cli_fail("%s", err.text);
	printf("key file    %s\npublic key  %s\naddress     %s\n", file,
	       xy_key_str(&id.x25519, key), xy_addr_str(&id.addr, addr));
	xy_identity_wipe(&id);
	return CLI_OK;
}

static int read_stdin(struct xy_identity *id, struct xy_err *err)
{
	char text[STDIN_MAX];
	uint8_t seed[32];
	size_t n = fread(text, 1, sizeof(text), stdin);
	int ret = xy_keyfile_parse(text, n, seed, err);
	if (ret == 0)
		ret = xy_identity_from_seed(seed, id);
	sodium_memzero(text, sizeof(text));
	sodium_memzero(seed, sizeof(seed));
	return ret;
}

int xy_cli_pubkey(int argc, char **argv)
{
	const char *file = argc > 1 ? argv[1] : DEFAULT_FILE;
	struct xy_identity id;
	struct xy_err err = {""};
	char key[XY_KEY_STRLEN];
	if (argc > 2 || (file[0] == '-' && file[1]))
		return xy_cli_misuse("pubkey takes one FILE at most, or - for standard input");
	bool from_stdin = strcmp(file, "-") == 0;
	int ret = from_stdin ? read_stdin(&id, &err) : xy_keyfile_load(file, &id, &err);
	if (ret)
		return xy_cli_fail("%s%s", from_stdin ? "standard input: " : "", err.text);
	puts(xy_key_str(&id.x25519, key));
	xy_identity_wipe(&id);
	return CLI_OK;
}

// What is shown of a key; ed25519 only of our own.
static json_t *describe(const struct xy_key *key, const struct xy_key *ed25519)
{
	char text[XY_KEY_STRLEN], hex[2 * XY_KEY_LEN + 1], signer[XY_KEY_STRLEN];
	char addr[XY_ADDR_STRLEN], net[XY_PREFIX_STRLEN], local[XY_ADDR_STRLEN];
	struct xy_addr a = xy_key_addr(key), l = xy_key_link_local(key);
	struct xy_prefix p = xy_key_prefix(key);
	sodium_bin2hex(hex, sizeof(hex), key->b, sizeof(key->b));
	return json_pack("{s:s, s:s, s:s?, s:s, s:s, s:s}", "key", xy_key_str(key, text), "key_hex",
			 hex, "ed25519_key", ed25519 ? xy_key_str(ed25519, signer) : NULL,
			 "address", xy_addr_str(&a, addr), "prefix", xy_prefix_str(&p, net),
			 "link_local", xy_addr_str(&l, local));
}

static int print_key(json_t *facts, bool json)
{
	static const char *const rows[][2] = {
		{"key", "public key"},	{"key_hex", "in hex"}, {"ed25519_key", "signs as"},
		{"address", "address"}, {"prefix", "its /64"}, {"link_local", "link-local"},
	};
	if (json)
		json_dumpf(facts, stdout, JSON_INDENT(2));
	for (size_t i = 0; !json && i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *v = json_string_value(json_object_get(facts, rows[i][0]));
		if (v)
			printf("%-10s  %s\n", rows[i][1], v);
	}
	if (json)
		putchar('\n');
	json_decref(facts);
	return CLI_OK;
}

int xy_cli_inspect(int argc, char **argv)
{
	const char *text = NULL;
	bool json = false;
	struct xy_err err = {""};
	struct xy_identity id;
	struct xy_key key;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			json = true;
		else if (text || argv[i][0] == '-')
			return xy_cli_misuse("inspect does not know \"%s\"", argv[i]);
		else
			text = argv[i];
	}
	if (text) {
		if (xy_key_parse(text, &key, &err))
			return xy_cli_fail("%s", err.text);
		return print_key(describe(&key, NULL), json);
	}
	if (xy_keyfile_load(DEFAULT_FILE, &id, &err))
		return xy_cli_fail("%s", err.text);
	int ret = print_key(describe(&id.x25519, &id.ed25519), json);
	xy_identity_wipe(&id);
	return ret;
}

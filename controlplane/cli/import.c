// SPDX-License-Identifier: BSD-3-Clause
// import: a wg-quick file as a config of ours. What cannot be carried over goes to standard error,
// with its line; secrets go into the config alone.
#include "cli/cli.h"
#include "config/wgquick.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_FILE "/etc/xylem/key"

enum { FILE_MAX = 1 << 20 };

static int read_file(const char *path, char **out, size_t *len)
{
	bool from_stdin = strcmp(path, "-") == 0;
	FILE *f = from_stdin ? stdin : fopen(path, "re");
	if (!f)
		return xy_cli_fail("%.200s: %s", path, strerror(errno));
	*out = xy_cli_must(malloc(FILE_MAX + 1));
	*len = fread(*out, 1, FILE_MAX + 1, f);
	bool bad = ferror(f), large = *len > FILE_MAX;
	int code = errno;
	if (!from_stdin)
		fclose(f);
	if (bad)
		return xy_cli_fail("%.200s: %s", path, strerror(code));
	return large ? xy_cli_fail("%.200s: is larger than 1 MiB", path) : CLI_OK;
}

static void print_notes(const char *path, const struct xy_config_notes *n)
{
	for (unsigned i = 0; i < n->count; i++) {
		if (n->v[i].line)
			fprintf(stderr, "%s:%u: %s\n", path, n->v[i].line, n->v[i].text);
		else
			fprintf(stderr, "%s: %s\n", path, n->v[i].text);
	}
	if (n->more)
		fprintf(stderr, "%s: and %u more like these\n", path, n->more);
}

// A file that is there is somebody's config.
static int write_file(const char *path, const char *text)
{
	size_t len = strlen(text), done = 0;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return xy_cli_fail("%.200s: %s%s", path, strerror(errno),
				   errno == EEXIST ? "; it is not overwritten: name another file, "
						     "and put it in by hand"
						   : "");
	while (done < len) {
		ssize_t n = write(fd, text + done, len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		done += (size_t)n;
	}
	bool good = done == len && fsync(fd) == 0;
	int code = errno;
	close(fd);
	if (good)
		return CLI_OK;
	unlink(path);
	return xy_cli_fail("%.200s: %s", path, strerror(code));
}

// The node's own key: a file that was named must be there, the usual one may be missing.
static int own_key(const char *file, struct xy_key *out, bool *known)
{
	struct xy_identity id;
	struct xy_err err = {""};
	int ret = xy_keyfile_load(file ? file : KEY_FILE, &id, &err);
	*known = ret == 0;
	if (ret)
		return file ? xy_cli_fail("%s", err.text) : CLI_OK;
	*out = id.x25519;
	xy_identity_wipe(&id);
	return CLI_OK;
}

// As the config is to name it: whole, and not at all where the daemon looks anyhow. NULL: not.
static char *named_key(const char *file)
{
	char *whole = NULL, *here;
	if (!file || strcmp(file, KEY_FILE) == 0)
		return NULL;
	if (*file == '/')
		return xy_cli_must(strdup(file));
	here = xy_cli_must(getcwd(NULL, 0));
	if (asprintf(&whole, "%s/%s", here, file) < 0)
		whole = NULL;
	free(here);
	return xy_cli_must(whole);
}

static int import(const char *from, const char *to, const struct xy_key *own, const char *key_file)
{
	struct xy_wgquick w = {0};
	char *text = NULL;
	size_t len = 0;
	int ret = read_file(from, &text, &len);
	if (ret == CLI_OK) {
		int code = xy_wgquick_import(text, len, own, key_file, &w);
		print_notes(from, code ? &w.errors : &w.notes);
		ret = code == 0		? CLI_OK
		      : code == -EINVAL ? xy_cli_fail("nothing is made of %.200s", from)
					: xy_cli_fail("%s", strerror(-code));
	}
	if (ret == CLI_OK && to)
		ret = write_file(to, w.config);
	else if (ret == CLI_OK)
		fputs(w.config, stdout);
	if (ret == CLI_OK && to)
		printf("%s: leaves: %u, nodes: %u; then: xylemd --check -c %s\n", to, w.leaves,
		       w.nodes, to);
	if (text) {
		sodium_memzero(text, len);
		free(text);
	}
	xy_wgquick_free(&w);
	return ret;
}

int xy_cli_import(int argc, char **argv)
{
	static const char *const options[] = {"--write", "--key-file", NULL};
	struct xy_cli_args a = {0};
	struct xy_key own;
	bool known = false;
	int ret = xy_cli_args(&a, argc, argv, options);
	if (!ret && a.count != 1)
		ret = xy_cli_misuse("write: xylem import wg0.conf, or - for standard input");
	ret = ret ? ret : own_key(xy_cli_option(&a, "--key-file"), &own, &known);
	if (ret)
		return ret;
	char *key_file = named_key(xy_cli_option(&a, "--key-file"));
	ret = import(a.word[0], xy_cli_option(&a, "--write"), known ? &own : NULL, key_file);
	free(key_file);
	return ret;
}

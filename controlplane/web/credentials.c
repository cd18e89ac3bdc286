// SPDX-License-Identifier: BSD-3-Clause
#include "web/credentials.h"

#include "config/web.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

enum { LINE = 1026, SHORTEST = 8, TOKEN_BYTES = 32 };

// One line without its end. False: there is none, or it is longer than a password may be.
static bool line_read(FILE *from, char to[static LINE])
{
	if (!fgets(to, LINE, from))
		return false;
	size_t len = strcspn(to, "\n");
	bool whole = to[len] == '\n' || feof(from);
	to[len] = 0;
	return whole;
}

static bool prompt(FILE *tty, const char *what, char to[static LINE])
{
	struct termios was, quiet;
	int fd = fileno(tty);
	bool echo = tcgetattr(fd, &was) == 0;
	quiet = was;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	fputs(what, stderr);
	if (echo)
		tcsetattr(fd, TCSAFLUSH, &quiet);
	bool good = line_read(tty, to);
	if (echo)
		tcsetattr(fd, TCSAFLUSH, &was);
	fputc('\n', stderr);
	return good;
}

static int password_print(const char *password)
{
	char hash[crypto_pwhash_STRBYTES];
	if (strlen(password) < SHORTEST) {
		fprintf(stderr, "xylem-web: a password has at least %d characters\n", SHORTEST);
		return EX_USAGE;
	}
	if (crypto_pwhash_str(hash, password, strlen(password), crypto_pwhash_OPSLIMIT_INTERACTIVE,
			      crypto_pwhash_MEMLIMIT_INTERACTIVE)) {
		fputs("xylem-web: not enough memory\n", stderr);
		return EX_OSERR;
	}
	printf("password = \"%s\";\n", hash);
	return 0;
}

int xy_credentials_password(void)
{
	char one[LINE] = "", two[LINE] = "";
	bool asked = isatty(STDIN_FILENO);
	bool good = asked ? prompt(stdin, "Password: ", one) && prompt(stdin, "Again: ", two)
			  : line_read(stdin, one);
	int ret = EX_USAGE;
	if (!good)
		fputs("xylem-web: no password came, or one longer than 1024 bytes\n", stderr);
	else if (asked && strcmp(one, two) != 0)
		fputs("xylem-web: they differ\n", stderr);
	else
		ret = password_print(one);
	sodium_memzero(one, sizeof(one));
	sodium_memzero(two, sizeof(two));
	return ret;
}

static bool scopes_are_right(char *const *scopes, int count)
{
	for (int i = 0; i < count; i++)
		if (strcmp(scopes[i], "read") != 0 && strcmp(scopes[i], "act") != 0 &&
		    strcmp(scopes[i], "metrics") != 0) {
			fprintf(stderr, "xylem-web: \"%.40s\" is none of read, act, metrics\n",
				scopes[i]);
			return false;
		}
	return true;
}

int xy_credentials_token(const char *name, char *const *scopes, int count)
{
	uint8_t raw[TOKEN_BYTES], hash[crypto_hash_sha256_BYTES];
	char token[64] = "xyw_", hex[2 * sizeof(hash) + 1];
	if (count == 0 || strlen(name) > XY_NAME_LEN || strpbrk(name, "\"\\\n") || !*name) {
		fputs("xylem-web: write --token NAME SCOPE..., with scopes of read, act, metrics\n",
		      stderr);
		return EX_USAGE;
	}
	if (!scopes_are_right(scopes, count))
		return EX_USAGE;
	randombytes_buf(raw, sizeof(raw));
	sodium_bin2base64(token + 4, sizeof(token) - 4, raw, sizeof(raw),
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	crypto_hash_sha256(hash, (const uint8_t *)token, strlen(token));
	sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	fprintf(stderr, "The token, which is kept nowhere:\n");
	printf("%s\n", token);
	fprintf(stderr, "For `tokens` in the config of xylem-web:\n");
	printf("{ name = \"%s\"; hash = \"%s\"; scopes = [ ", name, hex);
	for (int i = 0; i < count; i++)
		printf("%s\"%s\"", i ? ", " : "", scopes[i]);
	puts(" ]; }");
	sodium_memzero(raw, sizeof(raw));
	sodium_memzero(token, sizeof(token));
	return 0;
}

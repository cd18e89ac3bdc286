// SPDX-License-Identifier: BSD-3-Clause
// The config of xylem-web, a file of its own: the node's has secrets that whoever speaks HTTP must
// not be able to read. Any thread; what load and parse give is freed by xy_config_web_free.
#pragma once

#include "config/config.h"

enum {
	XY_CONFIG_WEB_LISTEN = 108, // as sun_path
	XY_CONFIG_WEB_PATH = 256,
	XY_CONFIG_WEB_PASSWORD = 128,
	XY_CONFIG_WEB_NAMES = 8,
	XY_CONFIG_WEB_TOKENS = 64,
};

// What somebody may do.
enum xy_web_scope {
	XY_WEB_READ = 1,
	XY_WEB_ACT = 2, // and read
	XY_WEB_METRICS = 4,
};

struct xy_config_web_token {
	char name[XY_NAME_LEN + 1];
	uint8_t hash[32]; // SHA-256 of the token
	unsigned scopes;  // enum xy_web_scope
};

struct xy_config_web {
	struct xy_config notes; // its errors and warnings alone
	char listen[XY_CONFIG_WEB_LISTEN];
	char public[XY_CONFIG_WEB_LISTEN]; // "": none
	struct {
		char certificate[XY_CONFIG_WEB_PATH], key[XY_CONFIG_WEB_PATH]; // "": no TLS
	} tls;
	char password[XY_CONFIG_WEB_PASSWORD]; // "": none
	unsigned name_count;
	char names[XY_CONFIG_WEB_NAMES][256]; // by which we may be called, beside addresses
	unsigned token_count;
	struct xy_config_web_token *tokens;
	bool metrics_peers, metrics_public;
};

// Where something is listened on.
struct xy_web_address {
	bool local; // a socket's file, whose path the text is
	struct xy_addr addr;
	uint16_t port;
};
int xy_web_address_parse(const char *text, struct xy_web_address *out); // -EINVAL
bool xy_web_address_is_here(const struct xy_web_address *a); // loopback, or a socket's file

void xy_config_web_init(struct xy_config_web *w); // the defaults
// As xy_config_parse; errors stand in out->notes.errors.
int xy_config_web_parse(const char *name, const char *text, size_t len, struct xy_config_web *out,
			struct xy_err *err);
// -ENOENT and the like: it cannot be read; -EPERM: it has a password, and everyone may read it.
int xy_config_web_load(const char *path, struct xy_config_web *out, struct xy_err *err);
void xy_config_web_free(struct xy_config_web *w);
// Has it who may read or act at all?
static inline bool xy_config_web_has_login(const struct xy_config_web *w)
{
	return w->password[0] || w->token_count;
}
// A commented example that parses to the defaults. malloc'd; NULL: no memory.
char *xy_config_web_example(void);
extern const struct xy_config_group xy_config_web_schema;

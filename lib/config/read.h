// SPDX-License-Identifier: BSD-3-Clause
// Inside lib/config: what its files share to read a libconfig tree. Nothing outlives a parse.
#pragma once

#include "base/bytes.h"
#include "config/config.h"
#include "config/schema.h"

#include <libconfig.h>
#include <sys/types.h>

struct xy_config_reader {
	const char *name; // of the file, for errors
	struct xy_config *c;
	bool failed; // something was refused; reading goes on, to find the rest
};

// config.c: a file by its tables, and what is to be looked at when all of it was read. base: what
// the schema fills; out: whose errors and warnings are told, in base or apart. As xy_config_parse.
struct xy_config_form {
	const struct xy_config_group *schema;
	void (*check)(struct xy_config_reader *r, const config_setting_t *root, void *base);
};
int xy_config_parse_by(const struct xy_config_form *form, const char *name, const char *text,
		       size_t len, void *base, struct xy_config *out, struct xy_err *err);

// All of a file, or of a pipe whose other end is slow, into size bytes; -EFBIG when there is more.
ssize_t xy_config_fd_read(int fd, char *to, size_t size);

// text.c: the text as libconfig may have it: NUL-terminated, without includes, every integer
// 64-bit. malloc'd; it holds secrets: xy_config_text_free. -EINVAL: it cannot be read on; 0 with
// r->failed: it can, for what else is wrong.
int xy_config_text_prepare(struct xy_config_reader *r, const char *text, size_t len, char **out);
void xy_config_text_free(char *text);

// One character of UTF-8 and, where it is a slip of an editor or a web page, what it is called.
struct xy_config_glyph {
	uint32_t code; // of the character; broken: the byte
	unsigned len;
	bool broken;	  // no UTF-8
	const char *name; // NULL: a letter like any other
	char meant;	  // in ASCII; 0: nothing like it
};
enum { XY_CONFIG_GLYPH_LEN = 80 };
struct xy_config_glyph xy_config_glyph_read(const char *text, size_t len); // len at least 1
// "a no-break space (U+00A0)". Returns buf.
const char *xy_config_glyph_str(const struct xy_config_glyph *g,
				char buf[static XY_CONFIG_GLYPH_LEN]);

// "FILE:LINE: PATH: TEXT", where the path ends in key when that is not NULL, into c->errors.
// Returns -EINVAL; what comes after is still to be read.
__attribute__((format(printf, 4, 5))) int xy_config_fail(struct xy_config_reader *r,
							 const config_setting_t *s, const char *key,
							 const char *fmt, ...);
__attribute__((format(printf, 3, 4))) int xy_config_fail_line(struct xy_config_reader *r, int line,
							      const char *fmt, ...);
// Was it refused, or something in it? Then what follows from it is not said as well. NULL: no.
bool xy_config_is_bad(const config_setting_t *s);
// Was one of these refused (a list that NULL ends), or does s lack or have what it must not?
bool xy_config_is_unsure(const config_setting_t *s, const char *const *members);
const config_setting_t *xy_config_member(const config_setting_t *s, const char *name);

int xy_config_group_read(struct xy_config_reader *r, const config_setting_t *s,
			 const struct xy_config_group *g, void *base);
// A list of groups into an array of structs, which is calloc'd into *items.
int xy_config_groups_read(struct xy_config_reader *r, const config_setting_t *s,
			  const struct xy_config_group *g, void *items, size_t item_size);
int xy_config_prefix_read(struct xy_config_reader *r, const config_setting_t *s,
			  struct xy_prefix *out);

// allow.c: host.allow. From whom is looked up once all peers are known.
int xy_config_allow_read(struct xy_config_reader *r, const config_setting_t *s,
			 const struct xy_config_group *g);
int xy_config_allow_port(struct xy_config_reader *r, const config_setting_t *s,
			 struct xy_config_allow *out);
void xy_config_allow_check(struct xy_config_reader *r, const config_setting_t *root);
void xy_config_allow_weigh(struct xy_config_reader *r, const config_setting_t *root);

int xy_config_peer_called(const struct xy_config *c, const char *name); // -1: nobody
int xy_config_peer_with(const struct xy_config *c, const struct xy_key *key);

// exit.c: what exit and exit_for say is looked up once all peers are known.
void xy_config_exit_check(struct xy_config_reader *r, const config_setting_t *root);
void xy_config_exit_weigh(struct xy_config_reader *r, const config_setting_t *root);

// check.c: what no key can say by itself.
void xy_config_check(struct xy_config_reader *r, const config_setting_t *root);

// useless.c: what passes and has no effect; no error stands before it. Said as xy_config_fail says
// an error, into c->warnings.
__attribute__((format(printf, 3, 4))) void xy_config_warn(struct xy_config_reader *r,
							  const config_setting_t *s,
							  const char *fmt, ...);
void xy_config_weigh(struct xy_config_reader *r, const config_setting_t *root);

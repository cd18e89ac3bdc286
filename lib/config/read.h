// SPDX-License-Identifier: BSD-3-Clause
// Inside lib/config: what its files share to read a libconfig tree. Nothing outlives a parse.
#pragma once

#include "base/bytes.h"
#include "config/config.h"
#include "config/schema.h"

#include <libconfig.h>

struct xy_config_reader {
	const char *name; // of the file, for errors
	struct xy_config *c;
	struct xy_err *err;
};

// text.c: the text as libconfig may have it: NUL-terminated, without includes, every integer
// 64-bit. malloc'd; it holds secrets: xy_config_text_free.
int xy_config_text_prepare(const char *name, const char *text, size_t len, char **out,
			   struct xy_err *err);
void xy_config_text_free(char *text);

// "FILE:LINE: PATH: TEXT", where the path ends in key when that is not NULL. Returns -EINVAL.
__attribute__((format(printf, 4, 5))) int xy_config_fail(struct xy_config_reader *r,
							 const config_setting_t *s, const char *key,
							 const char *fmt, ...);
int xy_config_group_read(struct xy_config_reader *r, const config_setting_t *s,
			 const struct xy_config_group *g, void *base);
// A list of groups into an array of structs, which is calloc'd into *items.
int xy_config_groups_read(struct xy_config_reader *r, const config_setting_t *s,
			  const struct xy_config_group *g, void *items, size_t item_size);
int xy_config_prefix_read(struct xy_config_reader *r, const config_setting_t *s,
			  struct xy_prefix *out);

// check.c: what no key can say by itself.
int xy_config_check(struct xy_config_reader *r, const config_setting_t *root);

// useless.c: what passes and has no effect. Said as xy_config_fail says an error, into c->warnings.
__attribute__((format(printf, 3, 4))) void xy_config_warn(struct xy_config_reader *r,
							  const config_setting_t *s,
							  const char *fmt, ...);
void xy_config_weigh(struct xy_config_reader *r, const config_setting_t *root);

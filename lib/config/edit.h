// SPDX-License-Identifier: BSD-3-Clause
// A config file's text with what was changed at run time put into it, and all else, comments too,
// as it was. Pure, any thread.
#pragma once

#include "config/config.h"

// r: as xy_config_runtime_parse has it; that a node is drained is nothing for a config. *out:
// malloc'd, it may hold secrets: xy_config_text_wipe; it parses to what the old text does with the
// changes. -EINVAL: the old text is refused, or it cannot be done by this, as err says; -EALREADY:
// there is nothing to put in.
int xy_config_edit(const char *name, const char *text, size_t len,
		   const struct xy_config_runtime *r, char **out, struct xy_err *err);
// How many settings are of peers that are not in the text, and so not put in.
unsigned xy_config_edit_absent(const char *text, size_t len, const struct xy_config_runtime *r);
// What would be put in, for people to do so: malloc'd, with secrets. NULL: no memory.
char *xy_config_edit_advice(const struct xy_config_runtime *r);

// SPDX-License-Identifier: BSD-3-Clause
// The config file's reader: any text gives a config or an error that names the file. What can be
// read can have something put into it, or that is refused: what comes out is looked at before it
// does.
#include "config/edit.h"

#include <stdlib.h>
#include <string.h>

// libconfig 1.5 loses the string that it has read last when a syntax error follows.
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// One more peer, a level, and something of a peer of the corpus.
static void edit(const char *text, size_t size)
{
	static const char runtime[] = "log_level = \"debug\"; peers = ( { name = \"fuzz-x\"; key = "
				      "\"IAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"; } );"
				      "changed = ( { peer = \"a\"; key = "
				      "\"xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\"; traffic = "
				      "\"off\"; cost = 9; } );";
	struct xy_config_runtime r;
	struct xy_err err = {""};
	char *out;
	if (xy_config_runtime_parse("run", runtime, sizeof(runtime) - 1, &r, &err))
		abort();
	if (xy_config_edit("fuzz", text, size, &r, &out, &err) == 0 && !out)
		abort();
	xy_config_text_wipe(out);
	xy_config_runtime_free(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xy_config c;
	struct xy_err err = {""};
	int ret = xy_config_parse("fuzz", (const char *)data, size, &c, &err);
	if (ret && strncmp(err.text, "fuzz:", 5) != 0)
		abort();
	for (unsigned i = 0; i < c.errors.count; i++)
		if (strncmp(c.errors.v[i].text, "fuzz:", 5) != 0)
			abort();
	xy_config_free(&c);
	if (!ret)
		edit((const char *)data, size);
	return 0;
}

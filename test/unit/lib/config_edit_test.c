// SPDX-License-Identifier: BSD-3-Clause
// What was changed at run time, put into a config's text: where it goes, that all else stays, and
// that every text comes out as it should or is refused.
#include "config/edit.h"
#include "unit.h"

#include <errno.h>
#include <stdlib.h>

// libconfig 1.5 loses the string that it has read last when a syntax error follows.
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

#define K1    "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
#define K2    "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="
#define K3    "IAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define A     "name = \"a\"; key = \"" K1 "\";"
#define B     "name = \"b\"; key = \"" K2 "\";"
#define C     "{ name = \"c\"; key = \"" K3 "\"; }"

#define ADD_C "peers = ( " C " );"
#define OFF_A "changed = ( { peer = \"a\"; key = \"" K1 "\"; traffic = \"off\"; } );"
#define SET_B "changed = ( { peer = \"b\"; key = \"" K2 "\"; traffic = \"on\"; cost = 300; } );"

static const struct {
	const char *text, *runtime, *want; // NULL: refused
} table[] = {
	/* 0*/ {"listen = 1;\n", ADD_C, "listen = 1;\npeers = (\n\t" C "\n);\n"},
	/* 1*/ {"listen = 1", ADD_C, "listen = 1\npeers = (\n\t" C "\n);\n"},
	/* 2*/ {"peers = ( { " A " } );\n", ADD_C, "peers = ( { " A " },\n\t" C "\n );\n"},
	/* 3*/ {"peers = ( );", ADD_C, "peers = (\n\t" C "\n );"},
	/* 4*/
	{"peers = (\n  { " A " } # ours\n  # the end )\n);\n", ADD_C,
	 "peers = (\n  { " A " }, # ours\n  # the end )\n  " C "\n);\n"},
	/* 5*/
	{"# peers = ( )\n/* peers = ( ) */ peers : (\n\t{ " A " },\n\t{ " B " }\n)", ADD_C,
	 "# peers = ( )\n/* peers = ( ) */ peers : (\n\t{ " A " },\n\t{ " B " },\n\t" C "\n)"},
	/* 6*/
	{"peers = ( { " A " } );", OFF_A, "peers = ( { traffic = false; " A " } );"},
	/* 7*/
	{"peers = ( { " A " traffic = true; // yes\n } );", OFF_A,
	 "peers = ( { " A " traffic = false; // yes\n } );"},
	/* 8*/
	{"peers = ( { " A " }, { " B " cost = 0x5, traffic = false } );", SET_B,
	 "peers = ( { " A " }, { " B " cost = 300, traffic = true } );"},
	/* 9*/
	{"peers = ( { " A " endpoints = [ \"a:1\", \"cost = 5:2\" ]; } );", OFF_A, NULL},
	/*10*/
	{"key_file = \"/peers = (\"; peers = ( { " A " } );", OFF_A,
	 "key_file = \"/peers = (\"; peers = ( { traffic = false; " A " } );"},
	/*11*/ {"peers = ( { " A " } );", SET_B, NULL}, // no such peer: nothing to do
							/*12*/
	{"log = { level = \"info\" \"\"; };", "log_level = \"debug\";",
	 "log = { level = \"debug\"; };"},
	/*13*/ {"log = { };", "log_level = \"warn\";", "log = { level = \"warn\"; };"},
	/*14*/
	{"tun = false;", "log_level = \"warn\";", "tun = false;\nlog = { level = \"warn\"; };\n"},
	/*15*/ {"peers = ( { " A " ", ADD_C, NULL},
	/*16*/ {"peers = ( " C " );", ADD_C, NULL}, // twice
	/*17*/ {"tun = false;", "drained = true;", NULL},
	/*18*/
	{"routes = ( { prefix = \"10.0.0.0/8\"; peer = \"a\"; } );\r\npeers = ( { " A " } );\r\n",
	 OFF_A,
	 "routes = ( { prefix = \"10.0.0.0/8\"; peer = \"a\"; } );\r\npeers = ( { traffic = "
	 "false; " A " } );\r\n"},
	/*19*/
	{"peers = ( { name = \"a\" ; endpoint = \"h.example:5\"; } );",
	 "changed = ( { peer = \"a\"; key = \"" K1 "\"; cost = 7; } );",
	 "peers = ( { cost = 7; name = \"a\" ; endpoint = \"h.example:5\"; } );"},
	/*20*/
	{"tun = false;", "log_levels = { links = \"debug\"; };",
	 "tun = false;\nlog = { levels = { links = \"debug\"; }; };\n"},
	/*21*/
	{"log = { format = \"json\"; };",
	 "log_level = \"warn\"; log_levels = { state = \"info\"; };",
	 "log = { level = \"warn\"; levels = { state = \"info\"; }; format = \"json\"; };"},
	/*22*/
	{"log = { levels = { links = \"info\"; }; };",
	 "log_levels = { links = \"error\"; ports = \"debug\"; };",
	 "log = { levels = { ports = \"debug\"; links = \"error\"; }; };"},
};

static void one(unsigned i)
{
	struct xy_config_runtime r;
	struct xy_err err = {""};
	char *out = NULL;
	CU_ASSERT_FATAL(xy_config_runtime_parse("r", table[i].runtime, strlen(table[i].runtime), &r,
						&err) == 0);
	int ret = xy_config_edit("f", table[i].text, strlen(table[i].text), &r, &out, &err);
	bool good = table[i].want ? ret == 0 && strcmp(out, table[i].want) == 0 : ret < 0 && !out;
	if (!good)
		printf("\n  %u: %d %s\n%s\n", i, ret, err.text, out ? out : "-");
	CU_ASSERT(good);
	char *advice = xy_config_edit_advice(&r);
	CU_ASSERT(advice != NULL);
	xy_config_text_wipe(advice);
	xy_config_text_wipe(out);
	xy_config_runtime_free(&r);
}

static void test_table(void)
{
	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		one(i);
}

// Cut anywhere, a text is refused or what comes out is what was meant (xy_config_edit sees to
// that); nothing is read beyond its end.
static void test_cut(void)
{
	struct xy_config_runtime r;
	struct xy_err err;
	static const char runtime[] = ADD_C OFF_A "log_level = \"debug\";";
	CU_ASSERT_FATAL(xy_config_runtime_parse("r", runtime, strlen(runtime), &r, &err) == 0);
	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		for (size_t len = 0; len <= strlen(table[i].text); len++) {
			char *cut = malloc(len ? len : 1), *out = NULL;
			memcpy(cut, table[i].text, len);
			int ret = xy_config_edit("f", cut, len, &r, &out, &err);
			CU_ASSERT(ret ? !out : out != NULL);
			xy_config_text_wipe(out);
			free(cut);
		}
	}
	xy_config_runtime_free(&r);
}

XY_UNIT_MAIN("config_edit", {"texts", test_table}, {"cut at every length", test_cut})

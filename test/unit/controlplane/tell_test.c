// SPDX-License-Identifier: BSD-3-Clause
// Fields as JSON: each form, there and null, and what belongs to whom.
#include "api/tell.h"
#include "base/ip.h"
#include "identity/identity.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static void expect(json_t *got, const char *want)
{
	char *text = json_dumps(got, JSON_COMPACT);
	CU_ASSERT_STRING_EQUAL(text, want);
	if (text && strcmp(text, want) != 0)
		printf("\n  %s\n", text);
	free(text);
	json_decref(got);
}

static void test_numbers(void)
{
	expect(xy_tell_graph_node(&(struct xy_fields_graph_node){.worker = 1,
								 .node = "route",
								 .calls = 2,
								 .packets = 5,
								 .cycles = INT64_MAX,
								 .packets_per_call = 2.5}),
	       "{\"worker\":1,\"node\":\"route\",\"calls\":2,\"packets\":5,"
	       "\"cycles\":9223372036854775807,\"cycles_per_packet\":0.0,"
	       "\"packets_per_call\":2.5}");
	expect(xy_tell_tree_link(
		       &(struct xy_fields_tree_link){.cost = XY_FIELD_NULL, .rtt_us = -3}),
	       "{\"from\":null,\"to\":null,\"cost\":null,\"rtt_us\":-3}");
}

static void test_texts(void)
{
	expect(xy_tell_drop(&(struct xy_fields_drop){.reason = "a\"b", .packets = 1}),
	       "{\"reason\":\"a\\\"b\",\"packets\":1,\"meaning\":null}");
	expect(xy_tell_drop(&(struct xy_fields_drop){.reason = "\xff", .meaning = ""}),
	       "{\"reason\":null,\"packets\":0,\"meaning\":\"\"}"); // no UTF-8
	expect(xy_tell_session(&(struct xy_fields_session){.index = 0xabc, .peer = "p"}),
	       "{\"index\":\"00000abc\",\"peer\":\"p\",\"kind\":null,\"address\":null,\"key\":null,"
	       "\"state\":null,\"owner\":0,\"age\":0,\"tx_counter\":0,\"rx_packets\":0,"
	       "\"tx_packets\":0,\"handed_over\":0,\"role\":null,\"use\":null,\"rx_bytes\":0,"
	       "\"tx_bytes\":0,\"last_handshake\":0,\"path\":null,\"suite\":null,\"fallbacks\":0,"
	       "\"lanes\":0,\"lanes_why\":null,"
	       "\"mtu\":0,\"idle\":0}");
	json_t *o = xy_tell_session(&(struct xy_fields_session){.index = XY_FIELD_NO_HEX});
	CU_ASSERT(json_is_null(json_object_get(o, "index")));
	json_decref(o);
}

static void test_names(void)
{
	struct xy_addr addr;
	struct xy_prefix prefix;
	struct xy_key key = {0};
	CU_ASSERT(xy_addr_parse("200::1", &addr) == 0);
	CU_ASSERT(xy_prefix_parse("10.0.0.0/8", &prefix) == 0);
	expect(xy_tell_way(&(struct xy_fields_way){.prefix = &prefix,
						   .next_hop = &addr,
						   .origin = &key,
						   .metric = XY_FIELD_NULL,
						   .epoch = 7}),
	       "{\"prefix\":\"10.0.0.0/8\",\"source\":null,\"route\":null,\"peer\":null,"
	       "\"next_hop\":\"200::1\",\"metric\":null,"
	       "\"origin\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\",\"epoch\":7}");
}

static void test_learned(void)
{
	json_t *o = xy_tell_route(&(struct xy_fields_route){.kind = "peer", .source = "learned"});
	xy_tell_learned_into(o, &(struct xy_fields_learned){.metric = 96,
							    .router_id = 0x1234,
							    .external = true,
							    .tag = XY_FIELD_NULL});
	expect(o, "{\"prefix\":null,\"kind\":\"peer\",\"peer\":null,\"peers\":null,"
		  "\"source\":\"learned\",\"node\":null,\"node_address\":null,\"metric\":96,"
		  "\"origin\":null,\"epoch\":0,\"seqno\":0,"
		  "\"router_id\":\"0000000000001234\",\"external\":true,\"tag\":null,\"age\":0}");
}

// Lists, maps and objects in the struct are taken over.
static void test_nested(void)
{
	json_t *hops = json_array(), *way = xy_tell_way(&(struct xy_fields_way){.peer = "p"});
	json_array_append_new(hops, xy_tell_hop(&(struct xy_fields_hop){.hop = 1}));
	json_t *o =
		xy_tell_path(&(struct xy_fields_path){.done = true, .hops = hops, .route = way});
	CU_ASSERT(json_object_get(o, "hops") == hops && json_object_get(o, "route") == way);
	CU_ASSERT(hops->refcount == 1 && way->refcount == 1);
	CU_ASSERT(json_is_true(json_object_get(o, "done")));
	CU_ASSERT(json_is_null(json_object_get(o, "end")));
	json_decref(o);
}

XY_UNIT_MAIN("tell", {"numbers", test_numbers}, {"texts", test_texts},
	     {"addresses and keys", test_names}, {"fields that follow", test_learned},
	     {"lists and objects", test_nested})

// SPDX-License-Identifier: BSD-3-Clause
// Each field of what the daemon shows, once: what it is called, its form (form.h), its kind, its
// column in the table of the command line (from the left; 0: only --json has it), and what it
// means. JSON has them in this order. The makers' structs, the JSON, the tables and docs/fields.md
// all come from here; what has a counter in the dataplane or in Babel and no row here fails
// test/unit/tree/counters_test.sh.
#pragma once

#include "fields/accounts.h"

// A column of tables that may be wider than 80 columns (-v), at that place among all.
#define WIDE(column) (100 + (column))

// X(key, FORM, KIND, column, help)
// L(key, LIST or OBJECT, object, column, help): of which there is a list, or one or null

#define XY_FIELDS_NODE(X, L)                                                                      \
	X(name, TEXT, LABEL, 1, "of the instance")                                                \
	X(version, TEXT, INFO, 2, "of the daemon")                                                \
	X(pid, NUMBER, INFO, 3, "its process")                                                    \
	X(address, ADDRESS, LABEL, 4, "the node's, which follows from its key")                   \
	X(prefix, PREFIX, LABEL, 5, "the /64 behind it")                                          \
	X(public_key, KEY, LABEL, 6, "X25519, what peers name it by")                             \
	X(ed25519_key, KEY, LABEL, WIDE(7), "what it signs with")                                 \
	X(uptime, SPAN, GAUGE, 8, "since the start")                                              \
	X(interface, TEXT, INFO, 9, "the host interface, or null")                                \
	X(mtu, NUMBER, GAUGE, 10, "of the host interface")                                        \
	X(memory, TEXT, INFO, 11, "whether packets lie in hugepages")                             \
	X(rss_bytes, BYTES, GAUGE, 12, "memory of the process")                                   \
	X(workers, NUMBER, GAUGE, 13, "how many")                                                 \
	X(peers, NUMBER, GAUGE, 14, "how many")                                                   \
	X(peers_up, NUMBER, GAUGE, 15, "of them, that are up")                                    \
	X(sessions, NUMBER, GAUGE, 16, "how many")                                                \
	X(far_nodes, NUMBER, GAUGE, 17, "that are sealed for end to end")                         \
	X(far_node_limit, NUMBER, GAUGE, 18, "that there is room for")                            \
	X(routes, NUMBER, GAUGE, 19, "in the workers' tables")                                    \
	X(route_limit, NUMBER, GAUGE, 20, "that there is room for")                               \
	X(route_memory_bytes, BYTES, GAUGE, WIDE(21), "that the tables take")                     \
	X(loop_lag_p99_us, MICRO, GAUGE, 22,                                                      \
	  "how late the control thread was, 99 of 100 times, "                                    \
	  "over the last minute")                                                                 \
	X(loop_lag_max_us, MICRO, GAUGE, 23, "at most, over the last minute")                     \
	X(longest_turn_cpu_us, MICRO, GAUGE, WIDE(24),                                            \
	  "of the control thread since the start, in CPU "                                        \
	  "time")                                                                                 \
	X(longest_work_cpu_us, MAP, GAUGE, 0, "likewise, by kind of work")                        \
	X(telemetry_clients, NUMBER, GAUGE, WIDE(25), "connected now")                            \
	X(telemetry_clients_ended, NUMBER, COUNTER, 26, "they made room for others")              \
	X(peering, TEXT, INFO, 27, "`closed`, `open`, `open to the LAN`")                         \
	X(state_folder, TEXT, INFO, 29, "what outlives a restart is there")                       \
	X(pinned_keys, NUMBER, GAUGE, 30, "how many")                                             \
	X(reloads, NUMBER, COUNTER, 31, "of the config, taken")                                   \
	X(reloads_refused, NUMBER, COUNTER, 32,                                                   \
	  "warnings tell of the last one until a config is "                                      \
	  "taken")                                                                                \
	L(joining, LIST, joining, 35, "peers of the config without a key")                        \
	X(discovery, TEXTS, INFO, 28, "interfaces on which nodes are looked for")                 \
	X(waiting_for, TEXTS, INFO, 36, "what was late or went away")                             \
	X(warnings, TEXTS, INFO, 37, "what the operator should know")                             \
	X(policy, TEXT, INFO, 33,                                                                 \
	  "what the mesh may reach of this host: `deny`, `deny but N rules`, "                    \
	  "`all open`, `no host interface`, or `not enforced:` and why")                          \
	X(refused_packets, COUNT, COUNTER, 34,                                                    \
	  "by it, since its rules were made; null: there are none")                               \
	X(exit, TEXT, INFO, 38,                                                                   \
	  "`by` whom this host's traffic to the Internet goes, `offered to` how many, or null")   \
	X(sandbox, TEXT, INFO, 39,                                                                \
	  "`off`, `on`, or `in part:` and what this kernel does not take away")                   \
	X(confined, TEXTS, INFO, 40,                                                              \
	  "what is in force, by kind of thread, and in the privileged helper: system calls, "     \
	  "files, capabilities")                                                                  \
	X(refused_calls, COUNT, COUNTER, 41, "of the system, by the sandbox")                     \
	X(suite, TEXT, INFO, WIDE(43),                                                            \
	  "the config's, and what sessions with nodes are sealed with by it")                     \
	X(transit, TEXT, INFO, WIDE(44),                                                          \
	  "the config's: what links seal of what is sealed end to end already")                   \
	X(cipher, TEXT, INFO, WIDE(42),                                                           \
	  "what does ChaCha20-Poly1305: the code for this CPU where it was faster at the start, " \
	  "by "                                                                                   \
	  "packets at once and bytes of each, else the library")

#define XY_FIELDS_CONFIG(X, L)                                                     \
	X(file, TEXT, INFO, 1, "the config")                                       \
	X(refused, TEXT, INFO, 2,                                                  \
	  "why what stands in it now is not in force; null: it is, or "            \
	  "was not read since")                                                    \
	X(run_time, TEXT, INFO, 3, "the file of what was changed at run time")     \
	X(unkept, TEXT, INFO, 4, "why that is lost at a restart; null: it is not") \
	L(changed, LIST, config_change, 5, "where they differ")

#define XY_FIELDS_CONFIG_CHANGE(X, L)                                    \
	X(setting, TEXT, LABEL, 1, "which one")                          \
	X(file, TEXT, INFO, 2, "as the config has it; null: not at all") \
	X(run_time, TEXT, INFO, 3, "as it was set at run time")          \
	X(effective, TEXT, INFO, 4, "in force; null: there is no such peer in the config")

#define XY_FIELDS_JOINING(X, L)                                     \
	X(peer, TEXT, LABEL, 1, "its name in the config")           \
	X(endpoint, TEXT, INFO, 2, "where it is asked for its key") \
	X(state, TEXT, INFO, 3, "how far that is")                  \
	X(probes, NUMBER, COUNTER, 4, "how often it was asked")     \
	X(key, KEY, INFO, 5, "what it answered, or null")

#define XY_FIELDS_PEERS(X, L)                     \
	L(peers, LIST, peer, 1, "by name")        \
	X(next, TEXT, NONE, 0, "cursor, or null") \
	X(count, NUMBER, GAUGE, 0, "where that was asked for: how many this page found; else null")

#define XY_FIELDS_PEER(X, L)                                                                       \
	X(name, TEXT, LABEL, 1, "as the config calls it")                                          \
	X(key, KEY, LABEL, WIDE(10), "its X25519 key")                                             \
	X(address, ADDRESS, LABEL, WIDE(11), "that follows from it")                               \
	X(kind, TEXT, INFO, WIDE(8), "`mesh`, `leaf`")                                             \
	X(peering, TEXT, INFO, WIDE(9), "`configured`, `open`, `provisional`")                     \
	X(source, TEXT, INFO, WIDE(20),                                                            \
	  "who says so: `command line`, `config`, `run time`, `pin`, `registry` (xylem-fleet), "   \
	  "`open`")                                                                                \
	X(state, STATE, INFO, 2,                                                                   \
	  "`up`, `traffic off`, `silent`, `no way`, `left`, `one way`, `lossy`, `handshake`, "     \
	  "`down`, `idle`, "                                                                       \
	  "`no endpoint`, `unresolved`")                                                           \
	X(endpoint, TEXT, INFO, 3, "address and port, the name that has no address, or null")      \
	X(unresolved, TEXT, INFO, 0, "the first endpoint whose name has no address, or null")      \
	X(endpoints, JOIN, INFO, 0, "as configured")                                               \
	X(last_handshake, AGO, GAUGE, WIDE(12), "ago, or null")                                    \
	X(last_received, AGO, GAUGE, 4, "ago, or null")                                            \
	X(rx_packets, COUNT, COUNTER, WIDE(13), "overlay packets from it")                         \
	X(rx_bytes, TRAFFIC, COUNTER, 5, "their bytes")                                            \
	X(tx_packets, COUNT, COUNTER, WIDE(14), "overlay packets to it")                           \
	X(tx_bytes, TRAFFIC, COUNTER, 6, "their bytes")                                            \
	X(mtu, NUMBER, GAUGE, WIDE(15), "the largest overlay packet")                              \
	X(mtu_from, TEXT, INFO, WIDE(16),                                                          \
	  "`interface`, `route`, `ICMP`, `probed`, `config`, or null")                             \
	X(fragments, TEXT, INFO, WIDE(17),                                                         \
	  "of larger datagrams: `no`: there are none, `yes`, `lost`: they do not arrive; or null") \
	X(unfragmented, NUMBER, GAUGE, 0, "the largest packet that goes whole, or null")           \
	X(path_limit, NUMBER, GAUGE, 0,                                                            \
	  "the largest that would, by interface and route alone, or null")                         \
	X(keepalive, SPAN, GAUGE, 0, "as configured")                                              \
	X(allowed, JOIN, INFO, WIDE(18), "prefixes of a leaf")                                     \
	X(sessions, NUMBER, GAUGE, 0, "how many")                                                  \
	X(session_age, SPAN, GAUGE, 0, "or null")                                                  \
	X(handshakes_sent, NUMBER, COUNTER, 0, "that we began")                                    \
	X(handshakes_failed, NUMBER, COUNTER, WIDE(19), "that nothing came of")                    \
	X(clock_apart, SPAN, GAUGE, 0,                                                             \
	  "that its clock was ahead of ours, by the time stamp of the last handshake "             \
	  "that it began; null: it began none within ten minutes, or a clock was set since")       \
	X(trouble, TEXT, INFO, 7, "why it does not come up, in few words, or null")

#define XY_FIELDS_WORKERS(X, L) L(workers, LIST, worker, 1, "by number")

#define XY_FIELDS_WORKER(X, L)                                       \
	X(worker, NUMBER, LABEL, 1, "its number")                    \
	X(cpu, NUMBER, INFO, 2, "-1: not pinned")                    \
	X(alive, YES_NO, INFO, 3, "false: it is stuck")              \
	X(busy, SHARE, GAUGE, 4, "over the last second")             \
	XY_ACCOUNTS(XY_ACCOUNT_FIELD, X)                             \
	X(balance, ZERO, GAUGE, 13, "of these; 0 at a quiet moment") \
	X(sleeps, COUNT, COUNTER, WIDE(5), "how often it slept")     \
	X(busy_cycles, COUNT, COUNTER, 0, "of its CPU's clock, that it worked")

#define XY_FIELDS_GRAPH(X, L)                                        \
	X(tsc_hz, HERTZ, INFO, 0, "of the clock that cycles are of") \
	L(nodes, LIST, graph_node, 1, "of each worker")

#define XY_FIELDS_GRAPH_DOT(X, L) X(dot, TEXT, NONE, 0, "the graph in Graphviz's language")

#define XY_FIELDS_GRAPH_COUNTS(X, L)             \
	X(calls, COUNT, COUNTER, 3, "bursts")    \
	X(packets, COUNT, COUNTER, 4, "in them") \
	X(cycles, COUNT, COUNTER, 0, "that they took")

#define XY_FIELDS_GRAPH_NODE(X, L)                                 \
	X(worker, NUMBER, LABEL, 1, "whose it is")                 \
	X(node, TEXT, LABEL, 2, "as in the [picture](graph.svg)")  \
	XY_FIELDS_GRAPH_COUNTS(X, L)                               \
	X(cycles_per_packet, DECIMAL, GAUGE, 6, "since the start") \
	X(packets_per_call, DECIMAL, GAUGE, 5, "since the start")

#define XY_FIELDS_DROPS(X, L)                                                        \
	L(drops, LIST, drop, 1, "all reasons, those with 0 too ([drops](drops.md))") \
	L(kernel, LIST, kernel_drop, 2, "what the kernel dropped on our interface and ports")

#define XY_FIELDS_KERNEL_DROP(X, L)                                         \
	X(place, TEXT, LABEL, 1, "the host interface, or a port")           \
	X(counter, TEXT, LABEL, 2, "as in ports: `rx_missed`, `tx_errors`") \
	X(packets, COUNT, COUNTER, 3, "in no worker's account")             \
	X(meaning, TEXT, INFO, 4, "in words")

#define XY_FIELDS_DROP_REASON(X, L)                                              \
	X(reason, TEXT, LABEL, 1, "its name")                                    \
	X(meaning, TEXT, INFO, 2, "in words")                                    \
	X(packets, COUNT, COUNTER, 3, "of all workers")                          \
	X(others, NUMBER, GAUGE, 4,                                              \
	  "of these, that are nobody's below: there was no room, or he is gone") \
	X(no_room, NUMBER, COUNTER, 5,                                           \
	  "of all, that found the list of owners full: those on it gave way to " \
	  "nobody, since they lost something within ten minutes")                \
	L(last, OBJECT, drop_owner, 0, "whose the last one was, or null")        \
	L(owners, LIST, drop_owner, 6, "who lost most first; 32 at most")        \
	X(more, NUMBER, GAUGE, 7, "owners that are not listed")

#define XY_FIELDS_DROP_OWNER(X, L)                                                            \
	X(peer, TEXT, LABEL, 1,                                                               \
	  "who brought them, or could not be sent them: a peer's name, `node` and a name or " \
	  "address, or in brackets: a stranger, this host, this node")                        \
	X(packets, COUNT, COUNTER, 2, "since it is there")                                    \
	X(last, AGO, GAUGE, 3, "when the last one was, ago")                                  \
	X(certain, NOTE, INFO, 4, "else anybody may have sent them in that name")             \
	X(source, TEXT, INFO, 5, "the last one's, or null")                                   \
	X(source_node, TEXT, INFO, 6, "whose address that is, where it is known")             \
	X(destination, ADDRESS, INFO, 7, "the last one's, or null")                           \
	X(destination_node, TEXT, INFO, 8, "likewise")                                        \
	X(inside, NOTE, INFO, 0, "the addresses are the overlay's; else the underlay's")

#define XY_FIELDS_DROP(X, L)                            \
	X(reason, TEXT, LABEL, 1, "its name")           \
	X(packets, COUNT, COUNTER, 2, "of all workers") \
	X(meaning, TEXT, INFO, 3, "in words")

#define XY_FIELDS_PORTS(X, L)                \
	L(ports, LIST, port, 1, "by number") \
	L(hosts, LIST, host, 2, "one at most")

#define XY_FIELDS_PORT(X, L)                                                               \
	X(port, NUMBER, LABEL, 1, "its number")                                            \
	X(note, TEXT, INFO, 17, "what the operator should know of it, or null")            \
	X(driver, TEXT, INFO, 2, "`socket`, `af_xdp`, `dpdk`")                             \
	X(mode, TEXT, INFO, 4, "of a card")                                                \
	X(interface, TEXT, LABEL, 3, "of a card")                                          \
	X(idle, TEXT, INFO, WIDE(16), "how a worker with nothing to do learns of packets") \
	X(queues, NUMBER, GAUGE, WIDE(5), "of a card; of sockets one for each worker")     \
	X(address, ADDRESS, INFO, 6, "that it listens on")                                 \
	X(udp_port, NUMBER, INFO, 7, "likewise")                                           \
	X(rx_packets, COUNT, COUNTER, WIDE(8), "datagrams that came")                      \
	X(rx_bytes, TRAFFIC, COUNTER, 9, "their bytes")                                    \
	X(tx_packets, COUNT, COUNTER, WIDE(10), "datagrams sent")                          \
	X(tx_bytes, TRAFFIC, COUNTER, 11, "their bytes")                                   \
	X(rx_missed, COUNT, COUNTER, 12, "lost before a worker saw them")                  \
	X(tx_errors, COUNT, COUNTER, 13, "that the kernel or the card did not take")       \
	X(rx_fragmented, COUNT, COUNTER, WIDE(14), "that came in fragments")               \
	X(tx_fragmented, COUNT, COUNTER, WIDE(15), "larger than the path carries whole")   \
	X(steered, MAP, COUNTER, 0, "af_xdp: what the program decided")

#define XY_FIELDS_HOST(X, L)                                                                \
	X(host, TEXT, LABEL, 1, "the interface's name")                                     \
	X(queues, NUMBER, GAUGE, WIDE(2), "one for each worker")                            \
	X(mtu, NUMBER, GAUGE, 3, "of the interface")                                        \
	X(rx_packets, COUNT, COUNTER, 4, "from this host")                                  \
	X(rx_bytes, TRAFFIC, COUNTER, 5, "their bytes")                                     \
	X(tx_packets, COUNT, COUNTER, 6, "to this host")                                    \
	X(tx_bytes, TRAFFIC, COUNTER, 7, "their bytes")                                     \
	X(rx_missed, COUNT, COUNTER, 8, "the kernel dropped them before a worker saw them") \
	X(tx_errors, COUNT, COUNTER, 9, "that the kernel did not take")

#define XY_FIELDS_POLICY(X, L)                                                        \
	X(policy, TEXT, INFO, 1, "what the mesh may reach of this host, as in node")  \
	X(interface, TEXT, LABEL, 2, "by which that comes, or null")                  \
	X(table, TEXT, INFO, 3, "of nftables, family inet, that holds this; or null") \
	L(rules, LIST, policy_rule, 4, "in their order: the first that fits decides")

#define XY_FIELDS_POLICY_RULE(X, L)                                                          \
	X(rule, NUMBER, LABEL, 1, "its number")                                              \
	X(what, TEXT, INFO, 2, "a protocol and its ports, or in words")                      \
	X(from, TEXT, INFO, 3, "`all`, a peer's name, or a prefix")                          \
	X(does, TEXT, INFO, 4, "`accept`, `drop`, or `waits`: its peer's key is not known")  \
	X(packets, COUNT, COUNTER, 5, "that it decided, since the rules were made; or null") \
	X(bytes, TRAFFIC, COUNTER, 6, "of these; or null")

#define XY_FIELDS_ROUTES(X, L)                           \
	L(routes, LIST, route, 1, "in force, by prefix") \
	X(next, TEXT, NONE, 0, "cursor, or null")        \
	X(count, NUMBER, GAUGE, 0, "where that was asked for: how many this page found; else null")

#define XY_FIELDS_ROUTE(X, L)                                                                     \
	X(prefix, PREFIX, LABEL, 1, "where to")                                                   \
	X(kind, TEXT, INFO, 2, "`peer`, `host`, `reject`, `ask`")                                 \
	X(peer, TEXT, INFO, 0, "the next hop, or null")                                           \
	X(peers, JOIN, INFO, 3, "all next hops")                                                  \
	X(source, TEXT, INFO, 4, "`static`, `own`, `leaf`, `announced`, `learned`, `peer`")       \
	X(node, TEXT, INFO, 5,                                                                    \
	  "whose key signed it, or the node that it leads to by its link alone: its name in our " \
	  "config, else as it calls itself, or null")                                             \
	X(node_address, ADDRESS, INFO, WIDE(6), "that node's, or null")

#define XY_FIELDS_CANDIDATE(X, L) \
	XY_FIELDS_ROUTE(X, L)     \
	X(in_force, NOTE, INFO, 7, "it is the one that packets follow")

// What Babel says of a route, in two tables.
#define XY_FIELDS_ORIGIN(X, key_form, metric_at, origin_at, epoch_at, seqno_at, age_at)    \
	X(metric, NUMBER, GAUGE, metric_at, "null: retracted")                             \
	X(origin, key_form, INFO, origin_at, "whose key signed it, or null")               \
	X(epoch, NUMBER, INFO, epoch_at, "of the origin, or null")                         \
	X(seqno, NUMBER, INFO, seqno_at, "of the origin")                                  \
	X(router_id, HEX64, INFO, 0, "of the origin, or of the router that brought it in") \
	X(external, NOTE, INFO, 0, "it came from plain Babel")                             \
	X(tag, NUMBER, INFO, 0, "of the network that it came out of, or null")             \
	X(age, SPAN, GAUGE, age_at, "since its last update")

#define XY_FIELDS_LEARNED(X, L) XY_FIELDS_ORIGIN(X, SHORT_KEY, 7, WIDE(8), WIDE(9), 0, 10)

#define XY_FIELDS_ROUTE_REPLY(X, L)                                                         \
	X(prefix, PREFIX, LABEL, 0,                                                         \
	  "an address stands for the longest prefix in force that "                         \
	  "holds it")                                                                       \
	X(match, PREFIX, INFO, 0, "the prefix in force that packets there follow, or null") \
	X(inside, PREFIX, INFO, 0, "one in force that is longer and lies in it, or null")   \
	L(routes, LIST, candidate, 1, "what each source wants")                             \
	L(babel, LIST, said, 2, "what each neighbour says")                                 \
	L(not_announced, LIST, untold, 3,                                                   \
	  "plain neighbours that are not told of it because of "                            \
	  "their tag")                                                                      \
	L(unused, LIST, unused, 4, "longer prefixes that hold it, are known, and are not followed")

#define XY_FIELDS_SAID(X, L)                                                     \
	X(peer, TEXT, LABEL, 1, "null: ourselves")                               \
	X(state, TEXT, INFO, 2, "what becomes of it, in words")                  \
	X(selected, NOTE, INFO, 0, "of its origin")                              \
	X(feasible, NOTE, INFO, 0, "it cannot lead back here")                   \
	X(used, NOTE, INFO, 0, "accepted here")                                  \
	X(followed, NOTE, INFO, 0, "our packets take it")                        \
	XY_FIELDS_ORIGIN(X, KEY, 4, WIDE(7), WIDE(8), WIDE(9), 5)                \
	X(held_ms, MILLI, GAUGE, 0, "not used for so long, or null")             \
	X(refmetric, NUMBER, GAUGE, WIDE(6), "what it announced")                \
	X(feasibility_seqno, NUMBER, INFO, 0, "the best that we ever announced") \
	X(feasibility_metric, NUMBER, GAUGE, WIDE(10), "likewise; null: none")   \
	X(node, TEXT, INFO, 3, "whose key signed it, as in routes, or null")

#define XY_FIELDS_UNTOLD(X, L)              \
	X(peer, TEXT, LABEL, 1, "its name") \
	X(reason, TEXT, INFO, 2, "in words")

#define XY_FIELDS_UNUSED(X, L)                                                      \
	X(prefix, PREFIX, LABEL, 1, "that holds what was asked for")                \
	X(peer, TEXT, LABEL, 2, "who says it, or is its next hop; null: ourselves") \
	X(source, TEXT, INFO, 0, "as in routes")                                    \
	X(node, TEXT, INFO, 3, "whose key signed it, as in routes, or null")        \
	X(metric, NUMBER, GAUGE, WIDE(5), "null: retracted, or it has none")        \
	X(why_not, TEXT, INFO, 4, "in words")

#define XY_FIELDS_GATEWAYS(X, L)                                                            \
	L(gateways, LIST, gateway, 1, "in no order; the command line sorts them by prefix") \
	X(next, TEXT, NONE, 0, "cursor, or null")                                           \
	X(count, NUMBER, GAUGE, 0, "where that was asked for: how many this page found; else null")

#define XY_FIELDS_GATEWAY(X, L)                                                               \
	X(prefix, PREFIX, LABEL, 1, "outside 200::/7: a network, or the way out of the mesh") \
	X(gateway, TEXT, LABEL, 2,                                                            \
	  "who announces it: its name in our config, else as it calls itself (while `tree` "  \
	  "is fresh), else the beginning of its key")                                         \
	X(key, KEY, LABEL, 0, "whose signature it bears")                                     \
	X(address, ADDRESS, LABEL, WIDE(8), "of the gateway, which follows from its key")     \
	X(metric, NUMBER, GAUGE, 3, "from here; null: no way there now")                      \
	X(via, TEXT, INFO, 4, "the peer that it leads over")                                  \
	X(used, NOTE, INFO, 5, "our packets take it")                                         \
	X(why_not, TEXT, INFO, 6, "in words; null: it is used")                               \
	X(age, SPAN, GAUGE, 7, "since its last update")

#define XY_FIELDS_NEIGHBOURS(X, L)                                        \
	L(neighbours, LIST, neighbour, 1, "by name")                      \
	X(next, TEXT, NONE, 0, "cursor, or null")                         \
	L(refusals, LIST, refusal, 2, "of what was refused, each reason") \
	X(count, NUMBER, GAUGE, 0, "where that was asked for: how many this page found; else null")

#define XY_FIELDS_NEIGHBOUR(X, L)                                                              \
	X(peer, TEXT, LABEL, 1, "its name")                                                    \
	X(state, STATE, INFO, 3,                                                               \
	  "`up`, `traffic off`, `one way`, `lossy`, `silent`, `left`, `no way`, `not heard`, " \
	  "`down`")                                                                            \
	X(hellos, HEX16, INFO, 6, "the last 16 as bits, newest on top")                        \
	X(address, ADDRESS, INFO, 0, "that it speaks from, or null")                           \
	X(cost, NUMBER, GAUGE, 4, "of the link; null: infinite")                               \
	X(rx_cost, NUMBER, GAUGE, WIDE(12), "what we tell it; null: infinite")                 \
	X(tx_cost, NUMBER, GAUGE, WIDE(13), "what it tells us; null: infinite")                \
	X(rtt_us, MICRO, GAUGE, 5, "or null")                                                  \
	X(routes, NUMBER, GAUGE, 7, "that it announces")                                       \
	X(origins, NUMBER, GAUGE, 8, "of them")                                                \
	X(waiting, NUMBER, GAUGE, 0, "updates that wait for their signature")                  \
	X(tx_packets, COUNT, COUNTER, 0, "of Babel, to it")                                    \
	X(tx_bytes, TRAFFIC, COUNTER, WIDE(15), "their bytes")                                 \
	X(rx_packets, COUNT, COUNTER, 0, "of Babel, from it")                                  \
	X(rx_bytes, TRAFFIC, COUNTER, WIDE(14), "their bytes")                                 \
	X(tx_updates, COUNT, COUNTER, 0, "in them")                                            \
	X(rx_updates, COUNT, COUNTER, 0, "in them")                                            \
	X(resent, COUNT, COUNTER, 0, "updates that were not acknowledged")                     \
	X(probes, COUNT, COUNTER, 0, "how often it was asked whether it is there")             \
	X(silences, COUNT, COUNTER, 0, "how often it was found silent")                        \
	X(losses, COUNT, COUNTER, 0,                                                           \
	  "how often it was lost in any way: silent, lossy, one way, no way, goodbye")         \
	X(losses_lately, NUMBER, GAUGE, 0, "of these, in the last ten minutes; 8 at most")     \
	X(refused, COUNT, COUNTER, 9, "of what it said")                                       \
	X(reflected, COUNT, COUNTER, WIDE(16),                                                 \
	  "what came from us and is said back: no fault, and not "                             \
	  "in refused")                                                                        \
	X(refusals, MAP, COUNTER, 0, "by reason")                                              \
	X(trouble, TEXT, INFO, 10, "who is a stub: what both ends differ in; null: nothing")   \
	X(node, TEXT, INFO, 2, "as it calls itself, or null")                                  \
	X(node_address, ADDRESS, LABEL, WIDE(11), "its node's, or null")

#define XY_FIELDS_REFUSAL(X, L)                  \
	X(peer, TEXT, LABEL, 1, "its name")      \
	X(reason, TEXT, LABEL, 2, "its name")    \
	X(count, COUNT, COUNTER, 3, "how often") \
	X(meaning, TEXT, INFO, 4, "in words")

#define XY_FIELDS_ROUTING(X, L)                                                     \
	X(epoch, NUMBER, INFO, 1, "of this start")                                  \
	X(router_id, HEX64, LABEL, 2, "of this node in it")                         \
	X(starting, NOTE, INFO, 3, "nothing is announced yet")                      \
	X(neighbours, NUMBER, GAUGE, 4, "links that it is spoken on")               \
	X(prefixes, NUMBER, GAUGE, 5, "known")                                      \
	X(prefix_limit, NUMBER, GAUGE, 0,                                           \
	  "that there is room for: by max_routes, and some that "                   \
	  "come and go")                                                            \
	X(reachable, NUMBER, GAUGE, 6, "of the prefixes")                           \
	X(routes, NUMBER, GAUGE, 7, "of all neighbours")                            \
	X(origins, NUMBER, GAUGE, 8, "known")                                       \
	X(memory_bytes, BYTES, GAUGE, 9, "that all this takes")                     \
	X(verifications, NUMBER, COUNTER, 0, "asked of helpers")                    \
	X(signatures_verified, NUMBER, COUNTER, 10, "by helpers")                   \
	X(signatures_known, NUMBER, COUNTER, 11, "from before")                     \
	X(signatures_waiting, NUMBER, GAUGE, 12, "for a helper")                    \
	X(packets_waiting, NUMBER, GAUGE, 0,                                        \
	  "of neighbours, until what follows from others is "                       \
	  "done")                                                                   \
	X(seqno_requests, NUMBER, COUNTER, 0, "that we made")                       \
	X(forwarded, NUMBER, COUNTER, 0, "of others' requests")                     \
	X(raises, NUMBER, COUNTER, 0, "of our seqno")                               \
	X(packets_malformed, NUMBER, COUNTER, 13, "from links, that were no Babel") \
	X(routes_refused, NUMBER, COUNTER, 14, "no room")                           \
	X(not_accepted, NUMBER, GAUGE, 15,                                          \
	  "announcements from outside 200::/7, of a prefix by a node, that no "     \
	  "`accept` of this node names: passed on, not used (gateways)")

#define XY_FIELDS_SESSIONS(X, L)                                           \
	L(sessions, LIST, session, 1, "of links by peer, then end to end") \
	X(next, TEXT, NONE, 0, "cursor, or null")                          \
	X(count, NUMBER, GAUGE, 0, "where that was asked for: how many this page found; else null")

#define XY_FIELDS_SESSION(X, L)                                                                   \
	X(index, HEX32, LABEL, WIDE(1), "the receiver index on the wire, or null: there is none") \
	X(peer, TEXT, LABEL, 2,                                                                   \
	  "with whom: its name in the config, else as a node calls itself, else its address")     \
	X(kind, TEXT, INFO, 3, "`link`, `end to end`")                                            \
	X(address, ADDRESS, LABEL, 0, "that follows from its key")                                \
	X(key, KEY, LABEL, 0, "its X25519 key")                                                   \
	X(state, STATE, INFO, 4,                                                                  \
	  "as of peers; end to end: `up`, `silent`, `handshake`, `down`, `idle`, `meeting`, "     \
	  "`bad key`")                                                                            \
	X(owner, NUMBER, INFO, WIDE(8), "the worker that has its replay window, or null")         \
	X(age, SPAN, GAUGE, 9, "since the handshake, or null")                                    \
	X(tx_counter, NUMBER, COUNTER, 0, "the next that is sent")                                \
	X(rx_packets, COUNT, COUNTER, 0, "opened")                                                \
	X(tx_packets, COUNT, COUNTER, 0, "sealed")                                                \
	X(handed_over, COUNT, COUNTER, WIDE(14), "that came to another worker")                   \
	X(role, TEXT, INFO, WIDE(6), "`initiator`, `responder`, or null")                         \
	X(use, TEXT, INFO, 5, "`current`, `next`, `previous`, or null")                           \
	X(rx_bytes, TRAFFIC, COUNTER, 11, "opened")                                               \
	X(tx_bytes, TRAFFIC, COUNTER, 12, "sealed")                                               \
	X(last_handshake, AGO, GAUGE, 0, "with it, ago, or null")                                 \
	X(path, TEXT, INFO, 7, "end to end: the peer that it leads over, or null")                \
	X(suite, TEXT, INFO, WIDE(15),                                                            \
	  "`ChaCha20-Poly1305`, `AES-256-GCM`, with `, light` behind where it is, or null")       \
	X(fallbacks, COUNT, COUNTER, 0,                                                           \
	  "handshakes with another suite that it did not answer, but then WireGuard's own")       \
	X(lanes, NUMBER, GAUGE, WIDE(16),                                                         \
	  "in which it is sent: with more than one by several workers")                           \
	X(lanes_why, TEXT, INFO, 0,                                                               \
	  "`in use`, `some not heard`, `not heard`, `probing`, `asking`, `no answer`, `one "      \
	  "here`, "                                                                               \
	  "`one there`, `little to carry`, `WireGuard`; null: not the current one")               \
	X(mtu, NUMBER, GAUGE, WIDE(13),                                                           \
	  "the largest packet; end to end: with what seals it, as relays said, or null")          \
	X(idle, SPAN, GAUGE, WIDE(10), "since something was carried, or null")

#define XY_FIELDS_TREE(X, L)                                                    \
	X(done, NOTE, NONE, 0, "ask until it is")                               \
	X(cut, NOTE, INFO, 0, "there is more than its limits")                  \
	X(found, NUMBER, GAUGE, 0, "nodes so far")                              \
	X(answered, NUMBER, GAUGE, 0, "of them")                                \
	X(silent, NUMBER, GAUGE, 0, "of them")                                  \
	L(nodes, LIST, tree_node, 1, "when done, a parent before its children") \
	L(links, LIST, tree_link, 0, "when done")                               \
	X(next, TEXT, NONE, 0, "cursor, or null")

#define XY_FIELDS_TREE_NODE(X, L)                                         \
	X(address, ADDRESS, LABEL, 1, "its own")                          \
	X(name, TEXT, INFO, 2, "as it calls itself, or null")             \
	X(peer, TEXT, INFO, 0, "its name in our config, or null")         \
	X(version, TEXT, INFO, WIDE(5), "or null")                        \
	X(state, TEXT, INFO, 6, "`answered`, `silent`, `not asked`")      \
	X(parent, ADDRESS, INFO, 0, "who told of it; null for ours")      \
	X(depth, NUMBER, GAUGE, 0, "links from here")                     \
	X(cost, NUMBER, GAUGE, 3, "of the link from the parent, or null") \
	X(link_rtt_us, MICRO, GAUGE, 0, "of that link, or null")          \
	X(rtt_us, RTT, GAUGE, 4, "to the node, or null")                  \
	X(neighbours, NUMBER, GAUGE, 0, "how many; null: not told")

#define XY_FIELDS_TREE_LINK(X, L)            \
	X(from, ADDRESS, LABEL, 1, "a node") \
	X(to, ADDRESS, LABEL, 2, "another")  \
	X(cost, NUMBER, GAUGE, 3, "or null") \
	X(rtt_us, RTT, GAUGE, 4, "or null")

#define XY_FIELDS_TRACE(X, L)                                        \
	X(address, ADDRESS, LABEL, 0, "that was asked for")          \
	X(done, NOTE, NONE, 0, "ask until it is")                    \
	X(end, TEXT, INFO, 0,                                        \
	  "`reached`, `no route`, `no answer`, `loop`, `too long`; " \
	  "null before")                                             \
	L(hops, LIST, hop, 1, "the nodes on the way")

#define XY_FIELDS_PATH(X, L)  \
	XY_FIELDS_TRACE(X, L) \
	L(route, OBJECT, way, 0, "that packets there take here, or null")

#define XY_FIELDS_HOP(X, L)                                          \
	X(hop, NUMBER, LABEL, 1, "from 1")                           \
	X(address, ADDRESS, LABEL, 2, "its own")                     \
	X(name, TEXT, INFO, 3, "as it calls itself, or null")        \
	X(peer, TEXT, INFO, 0, "its name in our config, or null")    \
	X(state, TEXT, INFO, 6, "`asked`, `answered`, `silent`")     \
	X(after_gap, NOTE, INFO, 0, "there may be others before it") \
	X(rtt_us, RTT, GAUGE, 4, "or null")                          \
	X(route, TEXT, INFO, 0, "`here`, `via`, `none`, or null")    \
	X(metric, NUMBER, GAUGE, 5, "of its route, or null")

#define XY_FIELDS_NAMED(X, L)                                                                 \
	X(name, TEXT, LABEL, 0,                                                               \
	  "as people know it: as our config calls it, else as it calls itself, `this node`, " \
	  "or null")                                                                          \
	X(kind, TEXT, INFO, 0,                                                                \
	  "`this node`, `peer`, `node`, or `address`: nobody is known there; null before")    \
	X(address, ADDRESS, INFO, 0,                                                          \
	  "where packets to it go; null: a leaf to which only networks are allowed")          \
	X(key, KEY, INFO, 0, "or null: it is not known")                                      \
	X(done, NOTE, NONE, 0, "ask until it is: nodes are asked for their names")            \
	X(found, NUMBER, GAUGE, 0, "nodes so far, while they are asked; or null")             \
	X(answered, NUMBER, GAUGE, 0, "of them, or null")

#define XY_FIELDS_LOG(X, L)                                                                        \
	L(lines, LIST, log_line, 1, "the last 512, oldest first")                                  \
	X(next, TEXT, NONE, 0, "cursor, or null")                                                  \
	X(missed, NUMBER, NONE, 0,                                                                 \
	  "lines between the one that was asked for and the first here, which are kept no longer") \
	X(newest, NUMBER, INFO, 0,                                                                 \
	  "the newest line's seq, or null: what comes later is asked for behind that of the last " \
	  "line that one has")

#define XY_FIELDS_LOG_LINE(X, L)                                        \
	X(seq, NUMBER, LABEL, WIDE(1),                                  \
	  "its number, larger than of any before, over a restart, too") \
	X(time, TIME, INFO, 2, "when it was said, in UTC")              \
	X(level, LEVEL, INFO, 3, "`error`, `warn`, `info`, `debug`")    \
	X(subsystem, TEXT, INFO, 4, "whose it is")                      \
	X(text, TEXT, INFO, 5, "what it says; bytes that are no text stand as `\\x1b`")

#define XY_FIELDS_WAY(X, L)                                     \
	X(prefix, PREFIX, LABEL, 1, "of the route")             \
	X(source, TEXT, INFO, 2, "as in routes")                \
	X(route, TEXT, INFO, 0, "`here`, `via`, `none`")        \
	X(peer, TEXT, INFO, 3, "the next hop, or null")         \
	X(next_hop, ADDRESS, INFO, 5, "its address, or null")   \
	X(metric, NUMBER, GAUGE, 4, "or null")                  \
	X(origin, KEY, INFO, 6, "whose key signed it, or null") \
	X(epoch, NUMBER, INFO, 7, "of the origin, or null")

// O(name, LIST, ids, more): so many columns name a row; more: what may follow, or NULL.
#define XY_FIELDS_FLEET(X, L)                                                                    \
	X(instance, TEXT, LABEL, 1, "of the node")                                               \
	X(version, TEXT, INFO, 2, "of the agent")                                                \
	X(pid, NUMBER, INFO, WIDE(3), "its process")                                             \
	X(uptime, SPAN, GAUGE, WIDE(4), "since its start")                                       \
	X(daemon, TEXT, INFO, 5, "`reached`, or why it is not")                                  \
	X(name, TEXT, LABEL, 6, "of this node, as its record has it")                            \
	X(address, ADDRESS, LABEL, 7, "of this node")                                            \
	X(key, KEY, LABEL, 8, "Ed25519, of this node: what signs, and what a CA signs")          \
	X(link_key, KEY, LABEL, WIDE(9), "X25519, of this node")                                 \
	X(source, TEXT, INFO, 10, "what kind: `folder`, `nats`, `ikto`")                         \
	X(place, TEXT, INFO, 11, "where the records are")                                        \
	X(source_state, STATE, INFO, 12, "`up`, `down`")                                         \
	X(source_since, SPAN, GAUGE, 13, "that it is so")                                        \
	X(source_trouble, TEXT, INFO, 14, "why it is not up, or what it lacks; null: nothing")   \
	X(trust, TEXT, INFO, 15, "who is let in")                                                \
	X(endpoints, JOIN, INFO, WIDE(16), "of this node, as its record has them")               \
	X(epoch, NUMBER, GAUGE, WIDE(17), "of our record; null: there is none yet")              \
	X(published, AGO, GAUGE, 18, "that our record was last put there, or null")              \
	X(expires, SPAN, GAUGE, 19, "that our record is still good for, or null")                \
	X(trouble, TEXT, INFO, 20, "why our record is not there, or not believed; null: it is")  \
	X(claim, PREFIX, INFO, 21, "what this node has of the fleet's addresses, or null")       \
	X(claim_trouble, TEXT, INFO, 22, "why it has none; null: it wants none, or has one")     \
	X(links, TEXT, INFO, 23, "to how many of the nearest nodes, or `all`")                   \
	X(records, NUMBER, GAUGE, 24, "of other nodes, that count")                              \
	X(wanted, NUMBER, GAUGE, 25, "nodes to which links are wanted")                          \
	X(up, NUMBER, GAUGE, 26, "of them, whose links are up")                                  \
	X(devices, NUMBER, GAUGE, WIDE(27), "plain WireGuard devices, of an ikto mesh")          \
	X(publishes, COUNT, COUNTER, WIDE(28), "of our record")                                  \
	X(peers_added, COUNT, COUNTER, WIDE(29), "that the daemon was told of")                  \
	X(peers_changed, COUNT, COUNTER, WIDE(30), "of which the daemon was told something new") \
	X(peers_forgotten, COUNT, COUNTER, WIDE(31), "that were taken back from the daemon")     \
	X(peers_refused, COUNT, COUNTER, WIDE(32), "that the daemon did not take")               \
	X(unread, COUNT, COUNTER, WIDE(33), "entries of the source that could not be read")      \
	X(outcomes, MAP, COUNTER, 0, "entries of the source, by what became of them")            \
	X(refused, MAP, GAUGE, 0, "entries that stand there and are not believed, by why")       \
	X(memory_bytes, BYTES, GAUGE, WIDE(34), "of the records")                                \
	X(record, TEXT, INFO, 0, "ours, as it is published; null: there is none yet")            \
	L(nodes, LIST, fleet_node, 35, "of the fleet, in no order")                              \
	L(refusals, LIST, fleet_refusal, 36, "what is not believed")                             \
	X(next, TEXT, NONE, 0, "cursor, or null")

#define XY_FIELDS_FLEET_NODE(X, L)                                                               \
	X(name, TEXT, LABEL, 1, "as it calls itself, or its address")                            \
	X(address, ADDRESS, LABEL, WIDE(8), "of the node; of a device its network")              \
	X(key, KEY, LABEL, WIDE(9), "Ed25519; null: a device")                                   \
	X(link_key, KEY, LABEL, WIDE(10), "X25519")                                              \
	X(linked, TEXT, INFO, 2,                                                                 \
	  "why a link is wanted: `pinned`, `ring`, `finger`, `relay`, `near`, `trial`, `full`; " \
	  "`not`")                                                                               \
	X(state, STATE, INFO, 3, "of the link: `up`, `down`; null: none is wanted")              \
	X(rtt_us, RTT, GAUGE, 4, "or null")                                                      \
	X(age, SPAN, GAUGE, 5, "of its record, here")                                            \
	X(expires, SPAN, GAUGE, 6, "that its record is still good for; null: a device")          \
	X(endpoints, JOIN, INFO, WIDE(11), "where it says that it is")                           \
	X(relay, NOTE, INFO, WIDE(12), "whether it says that it is one")                         \
	X(epoch, NUMBER, GAUGE, WIDE(13), "of its record")                                       \
	X(version, TEXT, INFO, WIDE(14), "of its daemon, as it says")                            \
	X(prefixes, JOIN, INFO, WIDE(15), "that it says it announces")                           \
	X(claim, PREFIX, INFO, WIDE(16), "what it has of the fleet's addresses, or null")        \
	X(source, TEXT, INFO, WIDE(17), "`source`, `cache`; null: it is there no more")          \
	X(peer, TEXT, INFO, WIDE(18), "what the daemon calls it, or null")                       \
	X(in_force, TEXT, INFO, WIDE(19), "who else has it as a peer, and goes before us")       \
	X(trouble, TEXT, INFO, 7, "why the daemon does not take it, or null")

#define XY_FIELDS_FLEET_REFUSAL(X, L)                               \
	X(entry, TEXT, LABEL, 1, "as the source calls it")          \
	X(reason, TEXT, INFO, 2, "in one word")                     \
	X(node, TEXT, INFO, WIDE(6), "as its record says, or null") \
	X(key, KEY, INFO, WIDE(7), "as its record says, or null")   \
	X(count, NUMBER, GAUGE, 3, "how often it came")             \
	X(age, AGO, GAUGE, 4, "since it came last")                 \
	X(why, TEXT, INFO, 5, "in words")

#define XY_OBJECTS(O)                            \
	O(joining, JOINING, 1, NULL)             \
	O(config, CONFIG, 0, NULL)               \
	O(config_change, CONFIG_CHANGE, 1, NULL) \
	O(node, NODE, 0, NULL)                   \
	O(peer, PEER, 1, NULL)                   \
	O(peers, PEERS, 0, NULL)                 \
	O(worker, WORKER, 1, NULL)               \
	O(workers, WORKERS, 0, NULL)             \
	O(graph_counts, GRAPH_COUNTS, 0, NULL)   \
	O(graph_node, GRAPH_NODE, 2, NULL)       \
	O(graph, GRAPH, 0, NULL)                 \
	O(graph_dot, GRAPH_DOT, 0, NULL)         \
	O(drop, DROP, 1, NULL)                   \
	O(kernel_drop, KERNEL_DROP, 2, NULL)     \
	O(drops, DROPS, 0, NULL)                 \
	O(drop_owner, DROP_OWNER, 1, NULL)       \
	O(drop_reason, DROP_REASON, 0, NULL)     \
	O(port, PORT, 1, NULL)                   \
	O(host, HOST, 1, NULL)                   \
	O(ports, PORTS, 0, NULL)                 \
	O(policy, POLICY, 0, NULL)               \
	O(policy_rule, POLICY_RULE, 1, NULL)     \
	O(learned, LEARNED, 0, NULL)             \
	O(route, ROUTE, 1, xy_object_learned)    \
	O(routes, ROUTES, 0, NULL)               \
	O(candidate, CANDIDATE, 4, NULL)         \
	O(said, SAID, 1, NULL)                   \
	O(untold, UNTOLD, 1, NULL)               \
	O(unused, UNUSED, 2, NULL)               \
	O(route_reply, ROUTE_REPLY, 0, NULL)     \
	O(gateway, GATEWAY, 3, NULL)             \
	O(gateways, GATEWAYS, 0, NULL)           \
	O(neighbour, NEIGHBOUR, 1, NULL)         \
	O(refusal, REFUSAL, 2, NULL)             \
	O(neighbours, NEIGHBOURS, 0, NULL)       \
	O(routing, ROUTING, 0, NULL)             \
	O(session, SESSION, 2, NULL)             \
	O(sessions, SESSIONS, 0, NULL)           \
	O(tree_node, TREE_NODE, 1, NULL)         \
	O(tree_link, TREE_LINK, 2, NULL)         \
	O(tree, TREE, 0, NULL)                   \
	O(hop, HOP, 1, NULL)                     \
	O(trace, TRACE, 0, NULL)                 \
	O(way, WAY, 0, NULL)                     \
	O(path, PATH, 0, NULL)                   \
	O(log_line, LOG_LINE, 1, NULL)           \
	O(log, LOG, 0, NULL)                     \
	O(named, NAMED, 0, NULL)                 \
	O(fleet, FLEET, 0, NULL)                 \
	O(fleet_node, FLEET_NODE, 1, NULL)       \
	O(fleet_refusal, FLEET_REFUSAL, 1, NULL)

// R(name, object, params, about, help): what can be asked for, in the order in which people are
// told. params: as docs have them behind the command. about: what the command line wants behind
// it, in brackets if it may be left out; NULL: nothing. help: as /help gives it.
#define XY_REPLIES(R)                                                                              \
	R(node, node, "", NULL, "This node: identity, interface, memory, counts.")                 \
	R(config, config, "", NULL, "What was changed at run time, beside the config.")            \
	R(peers, peers, "[,CURSOR or FILTER]", NULL,                                               \
	  "Peers and their links. Params: name to go on behind.")                                  \
	R(workers, workers, "", NULL, "Workers: load and the terms of the accounting identity.")   \
	R(graph, graph, "", NULL,                                                                  \
	  "Graph nodes: calls, packets, cycles. Params: dot for a picture.")                       \
	R(drops, drops, "", NULL, "Drops by reason, workers and control plane, and the kernel's.") \
	R(drop, drop_reason, ",REASON", "REASON",                                                  \
	  "Whose packets were dropped for a reason. Params: reason.")                              \
	R(ports, ports, "", NULL, "Ports and the host interface, and their counters.")             \
	R(policy, policy, "", NULL, "What the mesh may reach of this host, rule by rule.")         \
	R(routes, routes, "[,CURSOR or FILTER]", NULL,                                             \
	  "Routes in force. Params: prefix to go on behind.")                                      \
	R(sessions, sessions, "[,CURSOR or FILTER]", NULL,                                         \
	  "Sessions, of links and end to end. Params: cursor.")                                    \
	R(neighbours, neighbours, "[,CURSOR or FILTER]", NULL,                                     \
	  "Babel with each peer, and what was refused. Params: name to go on behind.")             \
	R(routing, routing, "", NULL, "Babel in sum.")                                             \
	R(log, log, "[,SEQ]", NULL,                                                                \
	  "The last lines of the log. Params: number of a line to go on behind.")                  \
	R(route, route_reply, ",PREFIX", "PREFIX",                                                 \
	  "All that is known of one. Params: prefix or address.")                                  \
	R(gateways, gateways, "[,PREFIX, CURSOR or FILTER]", "[PREFIX]",                           \
	  "Networks outside the mesh, and who announces them. Params: prefix, address or cursor.") \
	R(tree, tree, "[,CURSOR]", NULL,                                                           \
	  "All nodes that can be found, from neighbour to neighbour. Ask until done. Params: "     \
	  "cursor.")                                                                               \
	R(path, path, ",ADDRESS", "ADDRESS",                                                       \
	  "Our route to an address, and the nodes on the way. Ask until done.")                    \
	R(trace, trace, ",ADDRESS", "ADDRESS",                                                     \
	  "The nodes on the way to an address. Ask until done.")                                   \
	R(name, named, ",NAME", NULL,                                                              \
	  "Who is meant by a name, a key or an address. Ask until done. Params: one of these.")

// The same, of what xylem-fleet is asked, at a socket of its own.
#define XY_AGENT_REPLIES(R)                \
	R(fleet, fleet, "[,CURSOR]", NULL, \
	  "The fleet: this node, where its records are, the nodes. Params: place to go on at.")

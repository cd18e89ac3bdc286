// SPDX-License-Identifier: BSD-3-Clause
// The dataplane's only face: workers that open, look up, seal and forward, and the tables they do
// it by. Every function here is for one thread, the control thread, unless it says otherwise;
// nothing here waits for a worker. What the workers hold is changed by RCU publication and by
// messages on single-producer rings, never under them.
//
// Numbers: a worker is 0..workers-1, a port 0..XY_DP_PORTS-1, a peer 0..max_peers-1, a far node
// max_peers..max_peers+max_far-1 (the control plane chooses), a session is named by its receiver
// index as it stands on the wire. Both are ends of sessions: what is said of one of them holds for
// the other where it says `end`.
#pragma once

#include "base/err.h"
#include "base/ip.h"
#include "base/time.h"
#include "drops.h"
#include "fields/accounts.h"
#include "noise/wg.h"
#include "wire/steer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	XY_DP_WORKERS = 64,
	XY_DP_PORTS = 16,
	XY_DP_HOSTS = 8, // interfaces of this host in the overlay
	XY_DP_HOST_MAIN = 0,
	XY_DP_NO_PEER = 1 << 28,   // ends are below this
	XY_DP_HELD_PER_PEER = 128, // packets that wait for a session, per peer and worker
	XY_DP_HOPS = 4,		   // next hops of equal cost
	XY_DP_LANES = 64,	   // of a session
	// Packets that wait for a route or a far node, per /64 over all workers
	XY_DP_ASKED_PER_NET = 8,
	XY_DP_ASKED_ALL = 1000, // and in all
	// The largest max_packet whose frames, with what stands before them, fit a page: AF_XDP's
	// largest buffer.
	XY_DP_PACKET_PLAIN = 3456,
};

struct xy_dp;

struct xy_dp_program_config; // of the XDP program of a card
struct xy_dp_program_at;

// Whoever has the privileges that this process has not any more; each as the function of its name
// below. Control thread.
struct xy_dp_privileges {
	int (*tun)(void *arg, char name[static 16], unsigned queue, bool many, bool *device);
	int (*mark)(void *arg, int fd, uint32_t mark);
	int (*device)(void *arg, int fd, const char *interface);
	int (*bind)(void *arg, int fd, const struct xy_addr *address, uint16_t port);
	int (*buffers)(void *arg, int fd);
	int (*xsk)(void *arg, const char *interface, struct xy_err *err);
	// What it counts, the caller's to close; number: theirs for the program.
	int (*program_load)(void *arg, const struct xy_dp_program_config *cfg, unsigned *number,
			    struct xy_err *err);
	int (*program_frame_max)(void *arg, unsigned number, uint32_t frame_max);
	int (*program_addresses)(void *arg, unsigned number, const struct xy_addr *addr,
				 unsigned count);
	int (*program_socket)(void *arg, unsigned number, uint32_t queue, int xsk);
	// The link, the caller's to close.
	int (*program_attach)(void *arg, unsigned number, struct xy_dp_program_at *at,
			      struct xy_err *err);
	void (*program_free)(void *arg, unsigned number);
};

struct xy_dp_config {
	const char *name; // instance: [A-Za-z0-9._-]{1,32}
	unsigned workers; // 1..XY_DP_WORKERS
	const int *cpus;  // workers entries, or NULL: automatic (the last CPUs we may run on)
	bool poll;	  // never sleep
	uint32_t max_peers, max_sessions, max_routes;
	uint32_t max_far;      // far nodes
	uint32_t max_packet;   // largest overlay packet, bytes; 1280..9216 (sizes the mbufs)
	uint32_t buffers;      // packet buffers; 0: as many as the workers need
	uint32_t more_buffers; // on top, for what the queues of cards keep
	// Beside a jumbo card, for what the queues of ordinary af_xdp cards keep: buffers of a pool
	// of their own, with room for XY_DP_PACKET_PLAIN.
	uint32_t plain_buffers;
	unsigned device_count; // DPDK devices for ports: PCI addresses or vdev strings
	const char *const *devices;
	struct xy_wg_limits limits;
	struct xy_addr node_addr;    // ours: the source of ICMPv6 errors
	struct xy_addr node_addr_v4; // v4-mapped source of ICMPv4 errors; unspecified = 192.0.0.8
	uint16_t service_port; // UDP to node_addr at this port is the control plane's; 0: none
	// Each worker's thread calls it before all else; NULL: nothing is to be done there.
	void (*worker_begin)(void *arg, unsigned worker);
	void *worker_arg;
	const struct xy_dp_privileges *by; // NULL: we do all ourselves
	void *by_arg;
};

// For a config before _create: an af_xdp port on this interface wants packets longer than a buffer
// of AF_XDP holds: max_packet may then be as large as the MTU, its queues keep no packet buffers,
// and those of ordinary cards want plain_buffers. Without such a card max_packet is at most
// XY_DP_PACKET_PLAIN, and so many queues want more_buffers. An interface that is not there counts
// as an ordinary one.
bool xy_dp_card_is_jumbo(const char *interface);
unsigned xy_dp_card_queues(const char *interface);

// Starts EAL, makes graphs and pools; workers start with xy_dp_start. Errors name the remedy.
int xy_dp_create(const struct xy_dp_config *cfg, struct xy_dp **out, struct xy_err *err);
int xy_dp_start(struct xy_dp *dp, struct xy_err *err);
// Stops the workers first. While one is stuck nothing that it may look at is freed: the process
// must end then.
void xy_dp_destroy(struct xy_dp *dp);

// Readable when xy_dp_poll has something to do that does not wait.
int xy_dp_event_fd(const struct xy_dp *dp);
// Is there something that does wait (xy_dp_peer_patient)? Ask in each turn, and have one at least
// each XY_DP_PATIENCE.
#define XY_DP_PATIENCE (2 * XY_SEC)
// No more of it lies unread, over all workers, and the first xy_dp_poll of a turn reads all that
// did so before, if its max is twice that: whatever else there is.
#define XY_DP_PATIENT_MOST 64
bool xy_dp_waits(const struct xy_dp *dp);
// Anything that the control plane wants to do with old memory: call it a few times a second as
// well. True: there is more to do at once.
bool xy_dp_housekeep(struct xy_dp *dp);
bool xy_dp_housekeep_wanted(const struct xy_dp *dp); // something waits for it; else leave it

// What all times here are read from (struct xy_dp_worker_stats and sessions alike): a session must
// not live on over a suspend, in which CLOCK_MONOTONIC stands still.
#define XY_DP_CLOCK CLOCK_BOOTTIME
// An idle worker wakes at least as often, for what nothing else wakes it.
#define XY_DP_NAP (10 * XY_SEC)

// --- ports

enum xy_dp_driver { XY_DP_SOCKET, XY_DP_AF_XDP, XY_DP_DPDK };

struct xy_dp_port_config {
	enum xy_dp_driver driver;
	char interface[16];	// af_xdp: the card; dpdk: the TAP that stands for it ("": any name)
	char device[128];	// dpdk: as in xy_dp_config devices
	struct xy_addr address; // unspecified: dual stack where there is IPv6
	uint16_t port;		// 0 = any free one (told back by _port_info)
	uint32_t fwmark;
	// The kernel's socket beside a card is for its interface alone, so that several cards share
	// an address and port.
	bool shared;
	bool again; // it is tried every now and then: where another has the card, fail at once
	bool no_checksum; // cards: none of UDP over IPv4
};

struct xy_dp_port_info {
	const char *driver;		  // "socket", "af_xdp"
	const char *mode;		  // af_xdp: "native, copy" and the like; else ""
	const char *interface;		  // the card's in the kernel; socket: ""
	const char *idle;		  // how a worker with nothing to do learns of packets
	unsigned queues;		  // per port; socket: one per worker
	uint64_t steered[XY_STEER_COUNT]; // af_xdp: what the XDP program decided
	// af_xdp: frames may hold several datagrams; such a one has come, and since then all goes
	// by the kernel's socket (wire/steer.h).
	bool may_train, trained;
	struct xy_addr address;
	uint16_t port;
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes, rx_missed, tx_errors;
	uint64_t rx_fragmented; // came in fragments, which the kernel has put together
	uint64_t tx_fragmented; // larger than the path carries whole: IP makes fragments of them
};

// -EADDRINUSE and the like come with a text that names address, port and remedy.
int xy_dp_port_add(struct xy_dp *dp, const struct xy_dp_port_config *cfg, unsigned *port,
		   struct xy_err *err);
void xy_dp_port_del(struct xy_dp *dp, unsigned port);
int xy_dp_port_info(const struct xy_dp *dp, unsigned port, struct xy_dp_port_info *out); // -ENOENT
// Which worker a packet comes to goes by its session and lane; else, as with a card's queues, by
// addresses and ports.
bool xy_dp_port_takes_lanes(const struct xy_dp *dp, unsigned port);
// af_xdp: the addresses whose UDP is ours (v4-mapped for IPv4); none before the first call.
int xy_dp_port_addresses(struct xy_dp *dp, unsigned port, const struct xy_addr *addr,
			 unsigned count);
// The kernel changed something of the port's interface, its MTU perhaps.
void xy_dp_port_follow(struct xy_dp *dp, unsigned port);
// The firewall mark of what ports send that were given none, now and later; 0: none. -EPERM.
int xy_dp_ports_mark(struct xy_dp *dp, uint32_t mark);

// --- host interfaces

// Opens a TUN with one queue per worker as the host interface of that number, which routes of kind
// HOST name. name may be "" (kernel chooses) and comes back. Link state, addresses, MTU and routes
// are the caller's (netlink). -EPERM, -EBUSY, -EEXIST with a text.
int xy_dp_host_open(struct xy_dp *dp, unsigned host, char name[static 16], struct xy_err *err);
void xy_dp_host_close(struct xy_dp *dp, unsigned host);

// --- what needs privileges, for whoever has them (any process)

// A queue of a TUN of that name, which comes back; the first one makes the interface, many: it will
// have several. The descriptor, or -errno and whether it is the device that cannot be opened.
int xy_dp_tun_attach(char name[static 16], unsigned queue, bool many, bool *device);
// Of a UDP socket. 0 or -errno.
int xy_dp_socket_mark(int fd, uint32_t mark);
int xy_dp_socket_device(int fd, const char *interface);
int xy_dp_socket_bind(int fd, const struct xy_addr *address, uint16_t port);
int xy_dp_socket_buffers(int fd); // beyond net.core.*mem_max
// An AF_XDP socket that is for this card alone; what becomes of it needs no privilege. Or -errno.
int xy_dp_xsk(const char *interface, struct xy_err *err);

enum {
	XY_DP_PROGRAM_ADDRESSES = 256, // whose packets one card takes
	XY_DP_NO_PROGRAM = ~0u,
};

struct xy_dp_program_config {
	char interface[16];
	uint16_t port;	    // our UDP port
	uint32_t frame_max; // a longer frame holds several datagrams
	bool pieces;	    // frames may lie in several buffers
};

enum xy_dp_xdp_mode {
	XY_DP_XDP_UNKNOWN,
	XY_DP_XDP_NONE,
	XY_DP_XDP_NATIVE,
	XY_DP_XDP_GENERIC,
	XY_DP_XDP_OFFLOADED,
};

struct xy_dp_program_at { // where it is attached
	enum xy_dp_xdp_mode mode;
	bool may_train; // this device may give several datagrams in one frame
};

// The XDP program of a card, and its maps: attached to nothing yet; it takes the UDP of no address.
struct xy_dp_program;
int xy_dp_program_load(const struct xy_dp_program_config *cfg, struct xy_dp_program **out,
		       struct xy_err *err);
int xy_dp_program_seen(const struct xy_dp_program *p); // wire/steer.h; its own descriptor, to map
const char *xy_dp_program_interface(const struct xy_dp_program *p);
int xy_dp_program_frame_max(struct xy_dp_program *p, uint32_t frame_max);
// Addresses that are ours from now on (v4-mapped for IPv4).
int xy_dp_program_addresses(struct xy_dp_program *p, const struct xy_addr *addr, unsigned count);
// A socket of xy_dp_xsk's that has its rings. -EPERM: it is another card's, or none.
int xy_dp_program_socket(struct xy_dp_program *p, uint32_t queue, int xsk);
// Its own descriptor of the link, by which it stays, or -errno. -EBUSY: another XDP program is
// there (the text says how to see and remove it).
int xy_dp_program_attach(struct xy_dp_program *p, struct xy_dp_program_at *at, struct xy_err *err);
void xy_dp_program_free(struct xy_dp_program *p); // detaches

// --- peers and adjacencies

// Where a peer's packets come to us.
struct xy_dp_heard {
	struct xy_addr local; // unspecified: nothing was heard
	uint32_t interface;   // that they come by, 0 = not known
	unsigned port;
	bool theirs; // the peer came to that port; we did not send by it before
};

struct xy_dp_peer {
	bool leaf; // its packets must come from a source that xy_dp_source_set gave it
	// Not a leaf: its node address, whose /64 is its own. What it sends itself must come from
	// there, or from what xy_dp_accepts_set gave it, and be for us or ours; all else that it
	// brings must be sealed.
	struct xy_addr node;
	bool routing;	  // Babel is spoken with it (XY_DP_OVERLAY)
	bool open;	  // nobody configured it: what it says comes after what others say
	bool provisional; // and it is not known to be there: its handshakes are a stranger's
	unsigned port;
	struct xy_endpoint remote; // port 0: not known (yet): packets are held
	struct xy_addr local;	   // source to send from; unspecified: the kernel chooses
	uint32_t mtu;		   // underlay path MTU, bytes: what is sent whole, unfragmented
	uint32_t room; // largest overlay packet; 0: as much as goes whole, which is mtu - 60/80
	// Between the two, IP makes fragments. The kernel's route has a size of its own for them;
	// else the interface's is taken, and a router's on the way.
	bool route_mtu;
	uint32_t icmp_mtu; // of the path, as ICMP errors told, for those who look; 0: they did not
	// What its datagrams leave by and from, for those who look: an interface, 0 = not known.
	uint32_t via;
	struct xy_addr source;
	bool no_way; // for those who look: this host knows none
	// An authenticated packet that came to elsewhere is told of (XY_DP_ROAM).
	struct xy_dp_heard heard;
	// The next hop's hardware address and the card's own, where the port has a card and the
	// kernel has resolved the neighbour; local is then an address of this host. Else the
	// kernel sends.
	bool resolved;
	uint8_t next_mac[6], own_mac[6];
};

// Adds or changes a peer; workers see the whole of it at once. -ENOSPC, -ENOMEM.
int xy_dp_peer_set(struct xy_dp *dp, uint32_t peer, const struct xy_dp_peer *cfg);
// Forgets it, its sessions and what is held for it. Routes to it must be gone.
void xy_dp_peer_del(struct xy_dp *dp, uint32_t peer);
// May its Hellos wait, where they say nothing else, until the control plane has a turn anyway
// (xy_dp_waits)? Until this is said, and for each peer anew, no. When they arrived is known.
// -ENOENT.
int xy_dp_peer_patient(struct xy_dp *dp, uint32_t peer, bool patient);
// Packets held for it are dropped (`no_session`): the handshake was given up.
void xy_dp_peer_release_held(struct xy_dp *dp, uint32_t peer);

struct xy_dp_peer_stats {
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes; // bytes of overlay packets
	xy_nsec rx_any, rx_data, tx_any, tx_data;	     // as xy_wg_activity; monotonic clock
	// Last send of what came from elsewhere: not of what this node makes itself
	// (xy_dp_overlay_send, keepalives, ICMP errors).
	xy_nsec tx_carried;
};
// Over all of an end's sessions since it was added (sessions that are gone count on).
int xy_dp_peer_stats(const struct xy_dp *dp, uint32_t end, struct xy_dp_peer_stats *out);

// --- far nodes

struct xy_dp_far {
	struct xy_addr addr; // its node address: the source of what it seals, to 128 bits
	// Largest packet to it that the path carries, sealed, bytes; 0: as much as the first link.
	uint32_t mtu;
};

// Adds or changes a far node. What is routed to its /64 by another peer than itself is sealed for
// it, in the session that xy_dp_session_use names; without one it waits (XY_DP_MEET). -EEXIST:
// another has that /64. -EBUSY: the number was another's a moment ago, and a worker may not know
// yet; those that left first are free first. -ENOSPC, -ENOMEM.
int xy_dp_far_set(struct xy_dp *dp, uint32_t end, const struct xy_dp_far *cfg);
// Forgets it and its sessions. Routes to it must be gone.
void xy_dp_far_del(struct xy_dp *dp, uint32_t end);

// Which sources outside the mesh an end may bring beside its own /64: all addresses of these
// prefixes, until the next call. It knows the end for as long as that is there.
// -ENOENT: no such end. -ENOMEM: what held before holds.
int xy_dp_accepts_set(struct xy_dp *dp, uint32_t end, const struct xy_prefix *prefix, unsigned n);
// A default (::/0, 0.0.0.0/0) among them is all that is nobody else's: of none of these prefixes.
// So who is accepted to be the Internet cannot send as a neighbour. -ENOMEM: what held before
// holds.
int xy_dp_taken_set(struct xy_dp *dp, const struct xy_prefix *prefix, unsigned n);
// May it go where a route of kind EXIT leads, leaf or node? Until it is told otherwise: no.
// -ENOENT.
int xy_dp_exit_allow(struct xy_dp *dp, uint32_t end, bool allowed);

// --- sessions

// A receiver index for a handshake under way; the slot is taken until _del. -ENOENT: no such end.
// -ENOSPC.
int xy_dp_session_reserve(struct xy_dp *dp, uint32_t end, uint32_t *index);
// Keys for a reserved index: from now on it receives. owner: worker that has its replay window
// (the one where the handshake's packets arrive). remote_index as on the wire. -ENOENT, -ENOMEM,
// -ENOTSUP for a suite that is not in xy_dp_suites.
struct xy_dp_session_keys {
	uint8_t send[XY_WG_KEY_LEN], recv[XY_WG_KEY_LEN]; // wiped by the caller after the call
	uint32_t remote_index;
	unsigned owner;
	unsigned port; // where the handshake arrived, which may know better; XY_DP_PORTS: at none
	uint8_t suite; // enum xy_wg_suite
	xy_nsec born;
};
int xy_dp_session_set(struct xy_dp *dp, uint32_t index, const struct xy_dp_session_keys *keys);
// The end's packets are sealed in this session from now on; held ones are sent.
int xy_dp_session_use(struct xy_dp *dp, uint32_t index);
// Unlink, grace period, wipe, free. Reserved ones too.
void xy_dp_session_del(struct xy_dp *dp, uint32_t index);
// Orders one keepalive (an empty transport message).
int xy_dp_session_keepalive(struct xy_dp *dp, uint32_t index);
// Hands the replay window to another worker: stop, grace period, start; packets that arrive
// meanwhile wait in rings, for a walk of the workers'. -EBUSY until the next _housekeep or so.
int xy_dp_session_move(struct xy_dp *dp, uint32_t index, unsigned worker);

// Lanes: a session that both sides are told of more than one of, by their control planes, inside
// it. Each worker seals in one of its own, with a counter of its own; the worker that opens a
// lane's first packet has its replay window. What this node makes itself goes in the first, but for
// _lanes_probe.
//
// Takes `count` lanes (2..XY_DP_LANES) from now on, until the session ends. How many it takes: as
// many as the first call said, 1 where that said less than 2; -ENOENT, -ENOMEM.
int xy_dp_session_lanes(struct xy_dp *dp, uint32_t index, unsigned count);
// In which lanes packets came since the last call, a bit each; always in the first.
int xy_dp_session_lanes_heard(struct xy_dp *dp, uint32_t index, uint64_t *mask);
// Packets go in these lanes of those it has, a bit each; the worker of another one seals in the
// first. -ENOENT: it has but one.
int xy_dp_session_lanes_send(struct xy_dp *dp, uint32_t index, uint64_t mask);
// Orders a keepalive in each lane beside the first, whether packets go in it or not.
int xy_dp_session_lanes_probe(struct xy_dp *dp, uint32_t index);
// Hands windows of lanes beside the first to the workers that most of their packets come to.
void xy_dp_session_lanes_place(struct xy_dp *dp, uint32_t index);

struct xy_dp_session_stats {
	uint32_t peer; // end
	uint32_t remote_index;
	unsigned owner;
	unsigned lanes;	  // at least 1
	uint64_t tx_used; // of limits' messages: as if all lanes had sent as much as the fullest
	uint8_t suite;	  // enum xy_wg_suite
	xy_nsec born;
	uint64_t tx_counter; // of the first lane
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
	uint64_t handed_over; // arrived at another worker than the owner
	unsigned handed_from; // the worker that handed most of the first lane, for _move; none:
			      // owner
	xy_nsec rx_any, rx_data, tx_any, tx_data;
};
int xy_dp_session_stats(const struct xy_dp *dp, uint32_t index, struct xy_dp_session_stats *out);

// --- routes

enum xy_dp_route_kind {
	XY_DP_ROUTE_PEER = 1, // to a peer, or spread over several
	XY_DP_ROUTE_HOST,     // to a host interface
	XY_DP_ROUTE_REJECT,   // drop with ICMP no route
	XY_DP_ROUTE_ASK,      // wait for a better route (XY_DP_ASK); prefixes inside 200::/7 alone
	// Sealed for a far node, whose own /64 says by whom: prefixes outside 200::/7.
	XY_DP_ROUTE_FAR,
	XY_DP_ROUTE_EXIT, // as HOST, for ends that may (xy_dp_exit_allow)
};

struct xy_dp_route {
	enum xy_dp_route_kind kind;
	uint32_t peer; // PEER with hop_count 0 or 1; FAR: the far node
	uint32_t host; // HOST: which
	// PEER, 2..XY_DP_HOPS: flows are spread over hops[], each flow stays on one. When one goes,
	// the others keep their flows.
	unsigned hop_count;
	uint32_t hops[XY_DP_HOPS];
};

// /64s inside 200::/7 go to the exact table, all else (and shorter ones) to the LPM; longer than
// /64 inside 200::/7 is allowed only inside our own /64 (a leaf's address), else -EINVAL. Changes
// are seen at xy_dp_route_commit. -ENOSPC when full (counted).
int xy_dp_route_set(struct xy_dp *dp, const struct xy_prefix *prefix,
		    const struct xy_dp_route *route);
int xy_dp_route_del(struct xy_dp *dp, const struct xy_prefix *prefix);
// A change of this prefix follows: its place in memory is fetched while the caller does other
// things.
void xy_dp_route_prefetch(const struct xy_dp *dp, const struct xy_prefix *prefix);
void xy_dp_route_commit(struct xy_dp *dp);
struct xy_dp_route_info {
	uint32_t count, limit;
	size_t bytes;
	uint64_t refused;
};
void xy_dp_route_info(const struct xy_dp *dp, struct xy_dp_route_info *out);

// Which peer may send from a source (leaves; longest prefix wins). Same rules, same commit. Inside
// 200::/7 only what lies in our own /64 can be given (-EPERM), so ::/0 means all but the mesh; what
// xy_dp_source_own named stays ours (-EPERM).
int xy_dp_source_set(struct xy_dp *dp, const struct xy_prefix *prefix, uint32_t peer);
int xy_dp_source_del(struct xy_dp *dp, const struct xy_prefix *prefix);
// Sources that only we may have: our own /64 and addresses. From any peer: dropped `spoofed`, save
// where a leaf holds a longer source of its own inside.
int xy_dp_source_own(struct xy_dp *dp, const struct xy_prefix *prefix);

// --- packets between the control plane and the workers

enum xy_dp_event_type {
	// A handshake message (types 1 to 3) or a probe (first byte 0x80 or 0x81); or a handshake
	// message inside the overlay: then `peer` is the link that brought it, and remote.addr the
	// node address that it is said to come from, port 0.
	XY_DP_PUNT,
	XY_DP_WANT, // a packet waits for a session with this peer
	// An authenticated packet of this session came from another endpoint, or to elsewhere.
	XY_DP_ROAM,
	XY_DP_FIRST, // the first authenticated packet of this session
	XY_DP_NUDGE, // the counter passed REKEY_AFTER_MESSAGES, or the session's age its limits
	// The kernel refused a datagram to this peer for its size, or (peer XY_DP_NO_PEER) an ICMP
	// error said that one to this remote was too large.
	XY_DP_MTU,
	// An ICMP error said that no datagram reaches this remote.
	XY_DP_REFUSED,
	// A whole IPv6 packet for the control plane, its UDP checksum unchecked: from a peer with
	// `routing`, fe80::/10 to fe80::/10 or ff02::1:6, UDP, both ports 6696 (RFC 8966, section
	// 4); or from anyone to node_addr and service_port.
	XY_DP_OVERLAY,
	// A packet waits at a route of kind ASK: once a second per /64 and worker.
	XY_DP_ASK,
	// Traffic to this mesh /64 is routed to a peer: once a minute per /64 and worker, and only
	// while a route of kind ASK exists.
	XY_DP_USED,
	// A packet waits for a session with the far node that has this /64, which may be unknown
	// yet: once a second per /64 and worker.
	XY_DP_MEET,
	// Who bears an address of this /64 sealed for us in a session that we do not have: it may
	// have been one of before a restart, or anybody may say so. Once a second per /64 and
	// worker, at most, and within a rate of the link that brought it.
	XY_DP_LOST,
	// A relay, or our own first link, said that a sealed packet to this far node was larger
	// than
	// `mtu`; it quoted what only we could have sent.
	XY_DP_FAR_MTU,
};

struct xy_dp_event {
	enum xy_dp_event_type type;
	unsigned worker; // where it arose
	unsigned port;
	uint32_t peer;	// WANT, ROAM, FIRST, NUDGE, MTU, FAR_MTU: end; OVERLAY: XY_DP_NO_PEER when
			// it is our host's; PUNT: XY_DP_NO_PEER when it came to a port
	uint32_t index; // session: ROAM, FIRST, NUDGE
	struct xy_endpoint remote; // PUNT, ROAM, REFUSED
	struct xy_addr local;	   // PUNT, ROAM: the address it was sent to
	uint32_t interface;	   // PUNT, ROAM: that it came by, 0 = not known
	uint32_t mtu;		   // FAR_MTU
	struct xy_addr addr;	   // ASK, USED, MEET, LOST: the /64, host bits 0
	int error;		   // REFUSED: as errno; ECONNREFUSED: nobody listens at its port
	// ASK, MEET: names who sends there, a leaf or an address of this host. LOST: the link.
	uint32_t source;
	xy_nsec at;	     // OVERLAY: when the worker took the burst it came in
	const uint8_t *data; // PUNT, OVERLAY: valid during the callback
	size_t len;
};

// Calls fn for at most max events: what is told of known peers first, then handshakes (PUNT) that
// are theirs, then strangers'; but a quarter of max stays for the latter two, and a quarter of that
// for strangers. Returns how many.
unsigned xy_dp_poll(struct xy_dp *dp, unsigned max,
		    void (*fn)(void *arg, const struct xy_dp_event *ev), void *arg);

// Sends a datagram (a handshake message). local: unspecified = the kernel's choice. -ENOBUFS,
// -EINVAL (too long).
int xy_dp_send(struct xy_dp *dp, unsigned port, const struct xy_endpoint *remote,
	       const struct xy_addr *local, const void *data, size_t len);
// The same to a peer, where and as xy_dp_peer_set said: on a card by its next hop, not by the
// kernel's socket. -ENOENT: no such peer, or it is nowhere.
int xy_dp_peer_send(struct xy_dp *dp, uint32_t peer, const void *data, size_t len);
// What is sent between the two is given to workers at once, by one wake-up of each.
void xy_dp_orders_gather(struct xy_dp *dp);
void xy_dp_orders_give(struct xy_dp *dp);
// Sends an IPv6 packet of ours inside the overlay: sealed to that peer (without a session it is
// dropped, `no_session`), or with XY_DP_NO_PEER routed by its destination as the host's packets
// are. -ENOBUFS; -EINVAL (no whole IPv6 packet, too long, no such peer).
int xy_dp_overlay_send(struct xy_dp *dp, uint32_t peer, const void *packet, size_t len);
// The same to a peer as a probe of the path: whatever the link is said to carry, not padded, and in
// fragments only if `pieces`. What is too large for the interface is dropped (`underlay_mtu`).
int xy_dp_overlay_probe(struct xy_dp *dp, uint32_t peer, bool pieces, const void *packet,
			size_t len);

// --- copies of packets on their way, for people

enum xy_dp_capture_point {
	XY_DP_CAPTURE_RX,	 // datagrams, as they came to a port
	XY_DP_CAPTURE_TX,	 // and as they are given to one
	XY_DP_CAPTURE_IN,	 // overlay packets, as a link brought them
	XY_DP_CAPTURE_OUT,	 // and before a link seals them
	XY_DP_CAPTURE_FROM_HOST, // overlay packets of this host, and for it
	XY_DP_CAPTURE_TO_HOST,
	XY_DP_CAPTURE_DROP, // what was dropped, as it was then; but for what ports count by
			    // themselves
	XY_DP_CAPTURE_POINTS
};

struct xy_dp_capture {
	unsigned points; // bits: 1 << enum xy_dp_capture_point
	uint32_t peer;	 // end; XY_DP_NO_PEER: any
	int port, drop;	 // number; enum xy_drop; -1: any
	uint32_t snap;	 // bytes of each packet at most
};

struct xy_dp_captured {
	enum xy_dp_capture_point point;
	enum xy_drop drop; // of a DROP
	unsigned port;	   // of a datagram
	uint32_t peer;	   // end that it is from or goes to; XY_DP_NO_PEER: not known, or none
	xy_nsec at;	   // XY_DP_CLOCK
	bool datagram;	   // data is a UDP payload between remote and local (zeros: not known)
	bool ours;	   // it goes to remote; else it came from there
	struct xy_endpoint remote;
	struct xy_addr local;
	uint32_t len, caplen;
	const uint8_t *data; // [caplen], during the call alone
};

// One at a time: -EBUSY; -ENOMEM. Workers never wait for who takes the copies.
int xy_dp_capture_start(struct xy_dp *dp, const struct xy_dp_capture *what);
void xy_dp_capture_stop(struct xy_dp *dp); // what was not taken is gone
// Takes copies, the oldest first, until there is none or fn says false: that one stays. How many.
unsigned xy_dp_capture_take(struct xy_dp *dp, bool (*fn)(void *arg, const struct xy_dp_captured *c),
			    void *arg);
uint64_t xy_dp_capture_lost(const struct xy_dp *dp); // found no room, since the start

// --- what is going on (any value may be a burst old)

// Each term of the accounting identity: X(name, sign, help).
#define XY_DP_ACCOUNTS(X) XY_ACCOUNTS(XY_ACCOUNT_TERM, X)

struct xy_dp_worker_stats {
#define X(name, sign, help) uint64_t name;
	XY_DP_ACCOUNTS(X)
#undef X
	uint64_t drop[XY_DROP_COUNT];
	uint64_t walks, busy_walks, sleeps;
	uint64_t busy_cycles, total_cycles; // TSC, in sleep as well; told at the end of a walk
	int cpu;
	bool asleep; // until a descriptor or another thread wakes it, and neither has
};
int xy_dp_worker_stats(const struct xy_dp *dp, unsigned worker, struct xy_dp_worker_stats *out);
// The identity's left side minus its right; 0 at a quiet moment.
int64_t xy_dp_accounts_balance(const struct xy_dp_worker_stats *s);

// Who a dropped packet is of, beside ends.
enum {
	XY_DP_OF_STRANGER = XY_DP_NO_PEER, // nobody known: it came to a port, and was not opened
	XY_DP_OF_HOST,			   // this host sent it
	XY_DP_OF_NODE,			   // this node made it: handshakes, routing, ICMP errors
};
struct xy_dp_blame {
	uint32_t of; // end, or one of these
	uint64_t packets;
	xy_nsec at; // the last one
	// Whose addresses are the underlay's: it was not opened, or sealed already. Else what it
	// says inside. Unspecified: not known.
	bool datagram;
	struct xy_addr src, dst;
	uint16_t src_port; // of a datagram that came
};
// Whose packets were dropped for a reason, since they are there: a list, who lost most first, for
// the caller to free. Not all need to be in it: their sum may be less than the reason's. -ENOMEM.
int xy_dp_blames(const struct xy_dp *dp, enum xy_drop reason, struct xy_dp_blame **out,
		 unsigned *count);
// Packets of those for whom the list had no room when they were dropped.
uint64_t xy_dp_blames_no_room(const struct xy_dp *dp, enum xy_drop reason);
int xy_dp_blame_compare(const void *a, const void *b); // for qsort: that order

struct xy_dp_node_stats {
	const char *name;
	uint64_t calls, packets;
	uint64_t cycles; // TSC; of turns with few packets some are timed, and stand for the others
};
// Fills up to max nodes of one worker's graph; returns how many there are.
unsigned xy_dp_graph_stats(const struct xy_dp *dp, unsigned worker, struct xy_dp_node_stats *out,
			   unsigned max);
// The graph's edges, for docs and `show graph --dot`: calls fn for each (node, next).
void xy_dp_graph_edges(void (*fn)(void *arg, const char *node, const char *next), void *arg);

// Answers a command of DPDK's own telemetry socket (dpdk-telemetry.py) with a snapshot, from now
// until the next one. The outline has one line for each member of the answer: "=NAME NUMBER",
// "-NAME NUMBER" (negative), "\"NAME TEXT" (ASCII, up to 127), "{NAME" up to a line "}" for an
// object with members of its own; NAME of [A-Za-z0-9_]. help must stay. -ENOMEM, -ENOSPC.
int xy_dp_telemetry_publish(const char *command, const char *help, const char *outline);
// Whoever asks waits a moment for newer snapshots: ask(arg) is called on that client's thread, the
// control thread publishes and says so. NULL: nobody does any more; ask is not called after.
void xy_dp_telemetry_on_ask(void (*ask)(void *arg), void *arg);
void xy_dp_telemetry_published(void);

unsigned xy_dp_workers(const struct xy_dp *dp);
uint64_t xy_dp_tsc_hz(const struct xy_dp *dp);
// Which code seals and opens in a suite, and when.
const char *xy_dp_cipher(const struct xy_dp *dp, enum xy_wg_suite suite);
unsigned xy_dp_suites(const struct xy_dp *dp);		      // that it can, a bit each
enum xy_wg_suite xy_dp_suite_fastest(const struct xy_dp *dp); // measured at each call, < 1 ms
const char *xy_dp_memory(const struct xy_dp *dp);	      // "hugepages" or "no hugepages (...)"

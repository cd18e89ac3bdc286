// SPDX-License-Identifier: BSD-3-Clause
// What the process and each of its threads may still do once all is open: files (Landlock), system
// calls (seccomp) and capabilities. It knows no daemon. The order is the kernel's: files before
// there are threads, who inherit; then the filter that all have; then each thread narrows itself.
// A call that is refused is told: xy_confine_refusals. docs/adr/0019-confinement.md says why.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

// What a thread is for.
enum xy_confine_class {
	XY_CONFINE_CONTROL, // the main thread: netlink, sockets, config
	XY_CONFINE_HELPER,  // libuv's: handshakes, names, files
	XY_CONFINE_WORKER,  // packets
	XY_CONFINE_LIBRARY, // threads that DPDK made
	XY_CONFINE_CLASSES,
	XY_CONFINE_BEFORE = XY_CONFINE_CLASSES, // any, until it has narrowed itself
	XY_CONFINE_PROCESS,			// a process of its own: the privileged helper
};
const char *xy_confine_class_word(enum xy_confine_class c);

// What of a folder and all below it, or of a file.
enum xy_confine_access { XY_CONFINE_READ, XY_CONFINE_WRITE, XY_CONFINE_DEVICE };

struct xy_confine_path {
	const char *path; // one that is not there is left out
	enum xy_confine_access access;
};

// What is in force. A missing part is 0, and why says so.
struct xy_confine {
	int landlock;		      // its version
	bool seccomp;		      // the filter of all threads
	uint64_t keep;		      // capabilities that the control thread keeps
	unsigned before;	      // filters that there were: a service manager's
	bool devices;		      // DPDK has devices: its threads keep what all have
	bool cards;		      // a port is one by AF_XDP
	bool narrowed;		      // all threads of DPDK narrowed themselves
	struct xy_err no_landlock;    // why there is none; empty: there is
	struct xy_err no_seccomp;     // likewise
	struct xy_err not_all_narrow; // likewise
};

// No new privileges, whatever is executed. 0 or -errno.
int xy_confine_begin(void);
// This thread, and those that it makes from now on, reach these files alone, and by TCP nothing but
// name servers. A kernel without Landlock: no_landlock says so, and nothing else happens.
void xy_confine_files(struct xy_confine *c, const struct xy_confine_path *v, unsigned count);
// All threads there are get the filter of all, DPDK's threads (rte_*, eal-*, telemetry-*) their
// own, and this thread keeps of its capabilities c->keep. Before any thread narrows itself.
void xy_confine_threads(struct xy_confine *c);
// This thread narrows itself, after xy_confine_threads; without seccomp, capabilities and files
// still go. From then on a call that is not its is refused.
void xy_confine_self(const struct xy_confine *c, enum xy_confine_class of);
// A process of its own, that keeps some privileges: this thread, and those that it makes, keep
// these capabilities and reach these files; -errno of the former. Then, once its threads are made,
// what they all may call (c->cards: also for the programs of those).
int xy_confine_process_files(struct xy_confine *c, uint64_t keep, const struct xy_confine_path *v,
			     unsigned count);
void xy_confine_process_calls(struct xy_confine *c);
void xy_confine_hear(void); // of each of its threads: what it is refused is told under its name
// The errno of a thread of this kind that could not narrow itself as it should; 0: all could.
int xy_confine_failed(enum xy_confine_class of);

// --- what is told

// Calls that were refused since the last time, of one kind of thread: "rte-worker-1: openat".
// Control thread. False: none (more).
bool xy_confine_refusal(char *text, size_t size, unsigned *times);
uint64_t xy_confine_refusals(void); // in all

// What the kernel says of this process' threads (/proc).
struct xy_confine_thread {
	char name[16];
	pid_t tid;
	enum xy_confine_class of; // by its name
	bool no_new_privileges;
	unsigned filters; // of seccomp
	uint64_t capabilities;
};
// Up to max of them; how many there are, or -errno.
int xy_confine_look(struct xy_confine_thread *v, unsigned max);
// "net_admin, net_raw", or "none".
const char *xy_confine_capabilities_str(uint64_t set, char *text, size_t size);

// --- its own parts

struct sock_fprog;
// The filter of a kind of thread; XY_CONFINE_BEFORE: of all. kinds: of what ports there are beside
// sockets; of devices DPDK's drivers ask what they like. Freed by xy_calls_free. -errno.
enum { XY_CALLS_DEVICES = 1, XY_CALLS_CARDS = 2 };
int xy_calls_build(unsigned of, unsigned kinds, struct sock_fprog *out, struct xy_err *err);
void xy_calls_free(struct sock_fprog *prog);
const char *xy_calls_name(int nr, char *text, size_t size);
// Whoever does this was taken over: no part of the program ever does.
bool xy_calls_is_fatal(int nr);
bool xy_calls_is_listed(int nr); // some thread may, with other arguments

int xy_files_restrict(const struct xy_confine_path *v, unsigned count, struct xy_err *err);

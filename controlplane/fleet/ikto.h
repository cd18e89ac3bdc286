// SPDX-License-Identifier: BSD-3-Clause
// The registry of ikto, a mesh of plain WireGuard devices: keys and records byte for byte, and
// which of its devices are peers. It knows no signature, no time and no overlap: whoever may write
// its bucket is a member, and the last word about one network is whoever wrote last. So what is
// taken from it is bounded by the mesh's own network, and what is held stays whoever has it. Pure.
#pragma once

#include "fleet/ipam.h"
#include "fleet/source.h"

enum {
	XY_IKTO_TEXT = 1024, // longest record that is read
	XY_IKTO_NAME = 64,
	XY_IKTO_DEVICES = 4096,
	XY_IKTO_PORT = 51820,
};

struct xy_ikto_record {
	char name[XY_IKTO_NAME]; // "" none; cut
	struct xy_key key;	 // X25519
	struct xy_addr at;
	struct xy_prefix allowed;
	uint16_t port;
};

// "peers." and the padded base64url of the network as text.
void xy_ikto_key(const struct xy_prefix *p, char out[static XY_IPAM_KEY]);
// The network that a key names, and whether it is written as ikto writes it. -EINVAL: it is none.
int xy_ikto_key_parse(const char *key, struct xy_prefix *out);
// As ikto writes it: five members in this order, no blanks. The name has no character that JSON
// escapes.
int xy_ikto_text(const struct xy_ikto_record *r, char *out, size_t size);
// Members in any order, further ones ignored. -EINVAL: err says which.
int xy_ikto_parse(const void *text, size_t len, struct xy_ikto_record *out, struct xy_err *err);

// --- the devices of a mesh
struct xy_ikto_mesh;
struct xy_ikto_ops {
	// It is a peer from now on, or is another than before.
	void (*device)(void *arg, const char *key, const struct xy_fleet_device *d);
	void (*gone)(void *arg, const char *key);
	void (*refused)(void *arg, const char *key, const char *why);
	// It stays as it was: an agent of ikto never writes over another device's record. Whoever
	// is to have that network deletes the record first.
	void (*kept)(void *arg, const char *key, const char *why);
};
// cidr: the mesh's; without one (len 0) nothing is bounded but what can be no network of a mesh.
struct xy_ikto_mesh *xy_ikto_mesh_make(const struct xy_prefix *cidr, const struct xy_ikto_ops *ops,
				       void *arg); // NULL: no memory
void xy_ikto_mesh_free(struct xy_ikto_mesh *m);
// We: never a peer of ourselves. allowed: ours, len 0: none yet.
void xy_ikto_mesh_self(struct xy_ikto_mesh *m, const struct xy_key *link_key,
		       const struct xy_prefix *allowed);
// Who alone may be in; count 0: all. The keys must stay.
void xy_ikto_mesh_trust(struct xy_ikto_mesh *m, const struct xy_key *key, unsigned count);
// value NULL: larger than XY_KV_VALUE.
void xy_ikto_mesh_put(struct xy_ikto_mesh *m, const char *key, const void *value, size_t len);
void xy_ikto_mesh_gone(struct xy_ikto_mesh *m, const char *key);
// True, once: a device was refused for want of room, and there is some now: all of the bucket is to
// be told again.
bool xy_ikto_mesh_wants_again(struct xy_ikto_mesh *m);
// Does a device that is a peer use a part of p?
bool xy_ikto_mesh_overlaps(const struct xy_ikto_mesh *m, const struct xy_prefix *p, char *why,
			   size_t size);

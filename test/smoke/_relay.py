#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A relay with a will of its own: it moves overlay packets between two TUN interfaces, each in a network
namespace, and does to them what it is told to.

  _relay.py run LEFT-NAMESPACE LEFT-IF RIGHT-NAMESPACE RIGHT-IF SOCKET TEXT ARGUMENT=VALUE...
      left, right: node address of whom it stands for there; me: its own address; left_key, right_key: their
      public keys; aliases: an inner address of each, by a comma, which must not be seen, as TEXT must not
  _relay.py tell SOCKET COMMAND...    prints its answer, JSON
      mode NAME      what to do with data of both directions from now on; NAME is a function of Modes
      forge NAME     send something of its own, made of what passed; NAME is a function of Forgeries
      stranger       a whole handshake with who is right, under a key of its own; then packets that lie
      counts         packets of each direction, and those in which TEXT or an alias was seen
  _relay.py compare SENT GOT [ADDRESS]    two captures of TUN interfaces: each packet of GOT is one of SENT,
      which it is no more often and with no more hops; from ADDRESS anything may come. Prints both counts.
"""
import ctypes, json, os, random, select, socket, struct, subprocess, sys, time
from base64 import b64decode
from hashlib import blake2b, blake2s
from ipaddress import ip_address

from _attack import Noise, kdf, mac1_key, macced, ip4, ip6

SEALED, ICMPV6 = 253, 58
LEFT, RIGHT = 0, 1
LABEL = b"xylem-e2e-v1"


def in_namespace(name, what):
    libc, own = ctypes.CDLL(None, use_errno=True), os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{name}", os.O_RDONLY)
    for fd, do in ((there, what), (own, lambda: None)):
        if libc.setns(fd, 0x40000000):
            raise OSError(ctypes.get_errno(), "setns")
        out = do() or out
        os.close(fd)
    return out


def tun(interface):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    s.bind((interface, 3))
    s.setblocking(False)
    return s


def sum16(data):  # of even length
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def icmp6(src, dst, kind, code, word, quote):
    """An error about `quote`, with a right checksum."""
    body = struct.pack("!BBHI", kind, code, 0, word) + quote[:1232]
    body += bytes(len(body) % 2)
    head = src + dst + struct.pack("!II", len(body), ICMPV6)
    body = body[:2] + struct.pack("!H", ~sum16(head + body) & 0xFFFF) + body[4:]
    return struct.pack("!IHBB", 6 << 28, len(body), ICMPV6, 64) + src + dst + body


def flipped(p, at, bit=0):
    return p[:at] + bytes([p[at] ^ 1 << bit]) + p[at + 1 :]


def sized(p):  # its header says how long it is
    return p[:4] + struct.pack("!H", len(p) - 40) + p[6:]


def is_sealed(p):
    return len(p) > 56 and p[0] >> 4 == 6 and p[6] == SEALED


def is_data(p):
    return is_sealed(p) and p[40] == 4


class Modes:
    """(relay, side that it came from, packet) -> packets to put: (side, packet)"""

    def honest(r, side, p):
        return [(1 - side, p)]

    def drop(r, side, p):
        return []

    def replay(r, side, p):
        r.kept[side] = r.kept[side][-40:] + [p]
        return [(1 - side, p)] * 3 + [(1 - side, random.choice(r.kept[side]))]

    def reorder(r, side, p):
        held = r.held[side]
        held.append(p)
        if len(held) < 8:
            return []
        random.shuffle(held)
        r.held[side] = []
        return [(1 - side, q) for q in held]

    def reflect(r, side, p):
        return [(side, p), (side, p[:8] + p[24:40] + p[8:24] + p[40:]), (side, p[:24] + p[8:24] + p[40:])]

    def source(r, side, p):
        return [(1 - side, flipped(p, random.randrange(9, 24)))]

    def destination(r, side, p):
        return [(1 - side, flipped(p, random.randrange(32, 40)))]

    def others_source(r, side, p):
        return [(1 - side, p[:8] + r.me + p[24:])]

    def hops(r, side, p):
        return [(1 - side, p[:7] + b"\xff" + p[8:])]

    def few_hops(r, side, p):
        return [(1 - side, p[:7] + b"\x03" + p[8:])]

    def label(r, side, p):
        return [(1 - side, p[:1] + bytes([p[1] & 0xF0 | random.randrange(16)]) + os.urandom(2) + p[4:])]

    def congested(r, side, p):
        return [(1 - side, p[:1] + bytes([p[1] | 0x30]) + p[2:])]

    def type(r, side, p):
        return [(1 - side, p[:40] + bytes([random.choice((0, 5, 9, 255))]) + p[41:])]

    def reserved(r, side, p):
        return [(1 - side, flipped(p, 42))]

    def index(r, side, p):
        return [(1 - side, flipped(p, 44 + random.randrange(4), random.randrange(8)))]

    def counter(r, side, p):
        return [(1 - side, flipped(p, 48)), (1 - side, flipped(p, 55, 7))]

    def cipher(r, side, p):
        return [(1 - side, flipped(p, random.randrange(56, len(p) - 16)))] if len(p) > 72 else []

    def tag(r, side, p):
        return [(1 - side, flipped(p, len(p) - 1 - random.randrange(16), random.randrange(8)))]

    def truncate(r, side, p):
        cut = p[: random.randrange(41, len(p))]
        return [(1 - side, sized(cut)), (1 - side, cut)]

    def grow(r, side, p):
        more = p + os.urandom(random.choice((1, 16, 100)))
        return [(1 - side, sized(more))]

    def pad(r, side, p):
        return [(1 - side, p + os.urandom(random.choice((1, 16, 100))))]

    def plain(r, side, p):  # the header of what is not sealed
        return [(1 - side, p[:6] + b"\x11" + p[7:])]

    def answer(r, side, p):
        """Answers initiations in the other's name, by a key of its own."""
        if p[40] != 1:
            return []
        key = (r.left_key, r.right_key)[side]
        response = macced(struct.pack("<I", 2) + os.urandom(4) + p[44:48] + os.urandom(48), mac1_key(key))
        cookie = struct.pack("<I", 3) + p[44:48] + os.urandom(56)
        back = lambda src, m: (side, ip6(ip_address(src), ip_address(p[8:24]), m, next_header=SEALED))
        return [back(p[24:40], response), back(p[24:40], cookie), back(r.me, response)]


class Forgeries:
    """(relay) -> packets to put: errors to the left about what it sent, each for another reason not true"""

    def about(r, kind, code, word, quote, src=None):
        return (LEFT, icmp6(src or r.me, r.left, kind, code, word, quote))

    def too_big(r):
        return [Forgeries.about(r, 2, 0, mtu, r.last) for mtu in (0, 68, 600, 1280, 1351)]

    def garbage(r):
        """Quotes of what was never sent: nothing of it is anybody's to believe."""
        head = r.last[:40]
        never = [
            head + struct.pack("<IIQ", 4, random.getrandbits(32), 1) + os.urandom(200),
            r.last[:56] + os.urandom(len(r.last) - 56),
            flipped(r.last, 44),
            flipped(r.last, 55, 3),
            flipped(r.last, 48, 1),
            head,
            r.last[:50],
            r.last[:60],
            head[:8] + r.left + r.me + r.last[40:],
            head[:4] + struct.pack("!H", 65535) + head[6:] + r.last[40:],
        ]
        return [Forgeries.about(r, kind, code, 1300, q) for q in never for kind, code in Forgeries.KINDS]

    def plain(r):
        """Quotes of what would go to another node in clear, which nothing does."""
        udp = struct.pack("!HHHH", 7777, 7777, 108, 0) + os.urandom(100)
        pairs = ((src, dst) for src in (r.left, r.inner[0]) for dst in (r.right, r.inner[1]))
        never = [ip6(ip_address(src), ip_address(dst), udp) for src, dst in pairs]
        return [Forgeries.about(r, kind, code, 1300, q) for q in never for kind, code in Forgeries.KINDS]

    KINDS = ((1, 0), (1, 1), (1, 3), (1, 4), (2, 0), (3, 0), (3, 1), (4, 0), (100, 0), (127, 0))

    def initiation(r):
        """Under a key of its own, in the name of the left one; the last as on a link."""
        all_of = [r.noise.initiation_of(r.noise.pair(), r.right_key, label)[0] for label in (LABEL, LABEL, b"")]
        return [(RIGHT, ip6(ip_address(r.left), ip_address(r.right), m, next_header=SEALED)) for m in all_of]

    def handshakes(r):
        """Whole ones that passed before."""
        return [(1 - side, p) for side, p in r.handshakes for _ in range(3)]


class Stranger:
    """A node of its own, which lies about what it may send."""

    def __init__(self, relay):
        self.r, n = relay, relay.noise
        self.secret, self.public = n.pair()
        h = bytearray(blake2b(self.public, digest_size=16).digest())
        h[0] = 2 | h[0] & 1
        self.addr, self.sent = bytes(h), 0

    def wrap(self, message):
        return (RIGHT, ip6(ip_address(self.addr), ip_address(self.r.right), message, next_header=SEALED))

    def begin(self):
        message, self.state = self.r.noise.initiation_of((self.secret, self.public), self.r.right_key, LABEL)
        self.r.put(*self.wrap(message))

    def end(self, response):
        """Paper, section 5.4.3 and 5.4.5; no pre-shared key."""
        n, (chain, h, e) = self.r.noise, self.state
        mix = lambda h, data: blake2s(h + data).digest()
        theirs = response[12:44]
        (chain,), h = kdf(chain, theirs, 1), mix(h, theirs)
        (chain,) = kdf(chain, n.dh(e, theirs), 1)
        (chain,) = kdf(chain, n.dh(self.secret, theirs), 1)
        chain, tau, key = kdf(chain, bytes(32), 3)
        if n.seal(key, b"", mix(h, tau)) != response[44:60]:
            raise ValueError("its answer does not open")
        self.key, self.index = kdf(chain, b"", 2)[0], response[4:8]

    def data(self, packet):
        text = packet + bytes(-len(packet) % 16)
        box = self.r.noise.seal(self.key, text, b"", struct.pack("<IQ", 0, self.sent))
        message = struct.pack("<I", 4) + self.index + struct.pack("<Q", self.sent) + box
        self.sent += 1
        return self.wrap(message)

    def lies(self):
        r, own = self.r, ip_address(self.addr)
        udp = struct.pack("!HHHH", 9, 9, 24, 0) + b"a stranger's lie"
        right, left = ip_address(r.right), ip_address(r.left)
        left_other, near = ip_address(r.left[:8] + bytes(8)), ip_address(r.right[:15] + b"\x01")
        honest = icmp6(self.addr, r.right, 128, 0, 7 << 16, b"honest")
        return {
            "honest": [honest],
            "spoofed": [ip6(src, right, udp) for src in (left, left_other, near, "::1", "ff02::1")],
            "source_not_allowed": [ip6(src, right, udp) for src in ("2001:db8::1", "fd00::1")]
            + [ip4("10.1.0.5", "10.2.0.1", udp)],
            "not_sealed": [ip6(own, left, udp), ip6(own, right, bytes(64), next_header=SEALED), ip6(own, "200::1", udp)],
            "not_forwarded": [ip6(own, "ff02::1", udp), ip6("fe80::1", right, udp), ip6(own, "::1", udp)],
            "bad_inner": [b"\x60", b"\x45" + bytes(30), bytes(64), os.urandom(1) * 100],
        }


class Relay:
    def __init__(self, left_ns, left_if, right_ns, right_if, path, text, *arguments):
        given = dict(a.split("=", 1) for a in arguments)
        self.side = [in_namespace(left_ns, lambda: tun(left_if)), in_namespace(right_ns, lambda: tun(right_if))]
        self.left, self.right, self.me = (ip_address(given[k]).packed for k in ("left", "right", "me"))
        self.ends = [self.me, ip_address(given["me_right"]).packed]
        self.left_key, self.right_key = b64decode(given["left_key"]), b64decode(given["right_key"])
        self.inner = [ip_address(a).packed for a in given["aliases"].split(",")]
        self.secrets = [text.encode(), *self.inner]
        self.noise, self.mode, self.last = Noise(), Modes.honest, None
        self.kept, self.held, self.handshakes = [[], []], [[], []], []
        self.passed, self.seen, self.unsealed, self.put_count = [0, 0], 0, 0, 0
        self.stranger, self.honest_answers = None, 0
        self.control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.bind(path)
        self.control.listen(8)

    def put(self, side, packet):
        try:
            self.side[side].send(packet)
            self.put_count += 1
        except OSError:  # larger than the interface carries
            pass

    def take(self, side):
        for _ in range(64):
            try:
                p, where = self.side[side].recvfrom(65535)
            except BlockingIOError:
                return
            if where[2] != socket.PACKET_OUTGOING:
                self.one(side, p)

    def one(self, side, p):
        self.passed[side] += 1
        self.seen += any(s in p for s in self.secrets)
        if self.stranger and is_sealed(p) and p[24:40] == self.stranger.addr:
            self.to_stranger(p[40:])
            return
        if not is_sealed(p):
            self.unsealed += p[6] != ICMPV6 and p[24:40] not in self.ends  # what ends here may be read here
            self.put(1 - side, p)
            return
        if is_data(p) and side == LEFT and len(p) > 72:
            self.last = p
        if p[40] in (1, 2):
            self.handshakes = self.handshakes[-6:] + [(side, p)]
        mode = self.mode if is_data(p) or self.mode in (Modes.drop, Modes.answer, Modes.replay) else Modes.honest
        for out in mode(self, side, p):
            self.put(*out)

    def to_stranger(self, message):
        if message[0] == 2:
            self.stranger.end(message)
            self.lie("honest")
        elif message[0] == 4 and len(message) > 80:
            self.honest_answers += 1

    def lie(self, name):
        for p in self.stranger.lies()[name]:
            self.put(*self.stranger.data(p))

    def obey(self, words):
        if words[0] == "mode":
            self.mode = getattr(Modes, words[1])
            for side in (LEFT, RIGHT):  # what was held for an attack is gone
                self.held[side] = []
        elif words[0] == "forge":
            if not self.last:
                return {"error": "nothing passed yet"}
            for out in getattr(Forgeries, words[1])(self):
                self.put(*out)
        elif words[0] == "stranger":
            if len(words) == 1:
                self.stranger = self.stranger or Stranger(self)
                self.stranger.begin()
            else:
                self.lie(words[1])
            return {"address": str(ip_address(self.stranger.addr)), "answers": self.honest_answers}
        return {"left": self.passed[0], "right": self.passed[1], "seen": self.seen, "unsealed": self.unsealed,
                "put": self.put_count, "answers": self.honest_answers}

    def run(self):
        while True:
            for ready in select.select([*self.side, self.control], [], [])[0]:
                if ready is self.control:
                    with self.control.accept()[0] as client:
                        client.send(json.dumps(self.obey(client.recv(4096).decode().split("\0"))).encode())
                else:
                    self.take(self.side.index(ready))


def tell(path, *words):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.settimeout(20)
        s.connect(path)
        s.send("\0".join(words).encode())
        print(s.recv(65536).decode())


def packets_of(path):
    """Of a capture with link type raw, in this machine's byte order; one that still grows ends early."""
    data, at = open(path, "rb").read(), 24
    while at + 16 <= len(data):
        length = struct.unpack_from("=I", data, at + 8)[0]
        if at + 16 + length > len(data):
            return
        yield data[at + 16 : at + 16 + length]
        at += 16 + length


def essence(p):
    """(what a packet is, its hops): without what hops change, nor a checksum that the kernel leaves to a card."""
    if p[0] >> 4 == 4:
        return p[:1] + p[2:8] + p[9:10] + p[12:], p[8]
    rest = p[40:]
    if p[6] == 17:
        rest = rest[:6] + rest[8:]
    elif p[6] == 6:
        rest = rest[:16] + rest[18:]
    return p[4:7] + p[8:40] + rest, p[7]


def datagrams(p, size):
    """Those of a train, which the daemon makes of several for its kernel; size: of each, but for the last."""
    for at in range(48, len(p), size):
        part = p[at : at + size]
        length = struct.pack("!H", 8 + len(part))
        yield p[:4] + length + p[6:44] + length + p[46:48] + part


class Sent:
    def __init__(self, path):
        self.left, self.hops, self.sizes, self.count = {}, {}, set(), 0
        for p in packets_of(path):
            what, hops = essence(p)
            self.left[what] = self.left.get(what, 0) + 1
            self.hops[what] = max(hops, self.hops.get(what, 0))
            self.sizes.add(len(p) - 48)
            self.count += 1

    def parts(self, p):
        if essence(p)[0] in self.left or p[0] >> 4 != 6 or p[6] != 17:
            return [p]
        for size in sorted(self.sizes):
            parts = list(datagrams(p, size)) if 0 < size < len(p) - 48 else []
            if parts and all(essence(q)[0] in self.left for q in parts):
                return parts
        return [p]

    def strike(self, p):
        """None, or what is wrong with its coming."""
        what, hops = essence(p)
        if what not in self.left:
            return "foreign"
        self.left[what] -= 1
        if self.left[what] < 0:
            return "again"
        return "more hops" if hops > self.hops[what] else None


def compare(path, got, *others):
    sent, others, count, bad = Sent(path), [ip_address(a).packed for a in others], 0, []
    for p in packets_of(got):
        if p[0] >> 4 == 6 and p[8:24] in others:
            continue
        for part in sent.parts(p):
            count += 1
            why = sent.strike(part)
            if why:
                bad.append(f"{why}: {part[:80].hex()}")
    print(f"{sent.count} sent, {count} came", *bad[:5], sep="\n")
    return bool(bad) or not count


if __name__ == "__main__":
    if sys.argv[1] == "run":
        Relay(*sys.argv[2:]).run()
    sys.exit({"tell": tell, "compare": compare}[sys.argv[1]](*sys.argv[2:]))

#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What a stranger or a hostile peer can send, for the smoke tests. Run inside a lab's namespace.

  _attack.py flood KIND ADDRESS PORT SECONDS [KEY [SOURCES]]   datagrams, as many as go
      KIND: noise | sizes | reserved | data | cookie | response | initiation | cookied | mixed
      SOURCES: an IPv4 network (10.66.0.0/16) whose addresses are forged as sources
  _attack.py strangers ADDRESS PORT COUNT KEY [SOURCES]        whole initiations, a key of its own each
  _attack.py probe ADDRESS PORT COUNT                          probes; prints how many answers came
  _attack.py replay IN OUT SECONDS                             what goes out of IN, again and disordered
  _attack.py inner INTERFACE SOURCE VICTIM OWN NODE            hostile packets into a tunnel
  _attack.py host INTERFACE SOURCE DESTINATION                 hostile packets of the host, GSO too
  _attack.py datagram INTERFACE SOURCE DESTINATION             one of the host, to port 4444
  _attack.py telemetry garbage|half|slow|churn SOCKET          bad clients
Each prints how many it sent.
"""
import ctypes, hashlib, hmac, ipaddress, itertools, os, random, socket, struct, sys, time
from base64 import b64decode

SIZES = {1: 148, 2: 92, 3: 64}


def mac1_key(key):
    return hashlib.blake2s(b"mac1----" + key).digest()


def macced(head, mac_key, mac2=bytes(16)):
    return head + hashlib.blake2s(head, key=mac_key, digest_size=16).digest() + mac2


def initiation(mac_key):
    return macced(struct.pack("<II", 1, random.getrandbits(32)) + os.urandom(108), mac_key)


def noise():
    return os.urandom(random.choice((0, 1, 4, 31, 32, 148, 500, 1400)))


def sizes():  # each type with a length that is not its own
    kind = random.randint(1, 4)
    right = SIZES.get(kind, 0)
    length = random.choice([n for n in (4, 15, 16, 31, right - 1, right + 1, 1472) if 4 <= n != right])
    if kind == 4:
        length = min(length, 31)
    return struct.pack("<I", kind) + os.urandom(length - 4)


def reserved():
    kind = random.randint(1, 4)
    return struct.pack("<I", kind | 1 << random.randint(8, 31)) + os.urandom(SIZES.get(kind, 96) - 4)


def data():
    return struct.pack("<IIQ", 4, random.getrandbits(32), random.getrandbits(64)) + os.urandom(16 * random.randint(1, 80))


def cookie():
    return struct.pack("<I", 3) + os.urandom(60)


def makers(kind, key):
    mac_key = mac1_key(key) if key else bytes(32)
    all_of = {
        "noise": noise, "sizes": sizes, "reserved": reserved, "data": data, "cookie": cookie,
        "response": lambda: macced(struct.pack("<I", 2) + os.urandom(56), mac_key),
        "initiation": lambda: initiation(mac_key),
    }
    return list(all_of.values()) if kind == "mixed" else [all_of[kind]]


def ipv4_header(src, dst, length):
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, length, 0, 0, 64, 17, 0, src, dst)


def flood_forged(messages, to, port, end, network):
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    net, dst, sent = ipaddress.ip_network(network), socket.inet_aton(to), 0
    for m in itertools.cycle(messages):
        src = net[1 + random.randrange(min(10000, net.num_addresses - 2))].packed
        udp = struct.pack("!HHHH", random.randint(1024, 65535), port, 8 + len(m), 0) + m
        try:
            raw.sendto(ipv4_header(src, dst, 20 + len(udp)) + udp, (to, 0))
            sent += 1
        except OSError:
            pass
        if sent % 64 == 0 and time.monotonic() > end:
            return sent


def plain_socket(to, port):
    s = socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET, socket.SOCK_DGRAM)
    s.connect((to, port))
    s.setblocking(False)
    return s


def flood_plain(messages, to, port, end):
    s, sent = plain_socket(to, port), 0
    for m in itertools.cycle(messages):
        try:
            s.send(m)
            sent += 1
        except OSError:
            time.sleep(0.0001)
        if sent % 64 == 0 and time.monotonic() > end:
            return sent


def open_cookie(sodium, key, reply, mac1):
    out, length = ctypes.create_string_buffer(16), ctypes.c_ulonglong()
    cookie_key = hashlib.blake2s(b"cookie--" + key).digest()
    if sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
            out, ctypes.byref(length), None, reply[32:64], ctypes.c_ulonglong(32), mac1,
            ctypes.c_ulonglong(16), reply[8:32], cookie_key):
        return None
    return out.raw


def flood_cookied(key, to, port, end):
    """One source that answers cookies: the dearest stranger."""
    sodium, s = ctypes.CDLL("libsodium.so.23"), plain_socket(to, port)
    mac_key, last, have, sent, known = mac1_key(key), {}, None, 0, 0
    while time.monotonic() < end:
        m = initiation(mac_key)
        if have:
            m = m[:132] + hashlib.blake2s(m[:132], key=have, digest_size=16).digest()
        last[m[4:8]] = m[116:132]
        try:
            s.send(m)
            sent += 1
            reply = s.recv(2048)
        except OSError:
            continue
        if len(reply) == 64 and reply[4:8] in last:
            got = open_cookie(sodium, key, reply, last[reply[4:8]])
            have, known = got or have, known + (got is not None)
            last.clear()
    print(f"{known} cookies")
    return sent


def flood(kind, to, port, seconds, key="", sources=""):
    key, end = b64decode(key), time.monotonic() + float(seconds)
    if kind == "cookied":
        return flood_cookied(key, to, int(port), end)
    make = makers(kind, key)
    messages = [random.choice(make)() for _ in range(4096)]
    if sources:
        return flood_forged(messages, to, int(port), end, sources)
    return flood_plain(messages, to, int(port), end)


# --- whole handshakes: paper, section 5.4.2

def kdf(chain, data, n):
    out, last = [], b""
    prk = hmac.digest(chain, data, "blake2s")
    for i in range(n):
        last = hmac.digest(prk, last + bytes([i + 1]), "blake2s")
        out.append(last)
    return out


class Noise:
    def __init__(self):
        self.sodium = ctypes.CDLL("libsodium.so.23")

    def dh(self, secret, public):
        out = ctypes.create_string_buffer(32)
        self.sodium.crypto_scalarmult(out, secret, public)
        return out.raw

    def pair(self):
        secret, public = os.urandom(32), ctypes.create_string_buffer(32)
        self.sodium.crypto_scalarmult_base(public, secret)
        return secret, public.raw

    def seal(self, key, text, ad, nonce=bytes(12)):
        out, length = ctypes.create_string_buffer(len(text) + 16), ctypes.c_ulonglong()
        self.sodium.crypto_aead_chacha20poly1305_ietf_encrypt(
            out, ctypes.byref(length), text, ctypes.c_ulonglong(len(text)), ad,
            ctypes.c_ulonglong(len(ad)), None, nonce, key)
        return out.raw

    def initiation(self, theirs):
        return self.initiation_of(self.pair(), theirs)[0]

    def initiation_of(self, own, theirs, label=b""):
        """The message, and what its answer is opened with: chain, hash, ephemeral secret. label: of those end to end."""
        mix = lambda h, data: hashlib.blake2s(h + data).digest()
        chain = hashlib.blake2s(b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s").digest()
        h = mix(chain, b"WireGuard v1 zx2c4 Jason@zx2c4.com")
        h = mix(mix(h, label) if label else h, theirs)
        (e, e_pub), (s, s_pub) = self.pair(), own
        (chain,), h = kdf(chain, e_pub, 1), mix(h, e_pub)
        chain, key = kdf(chain, self.dh(e, theirs), 2)
        static = self.seal(key, s_pub, h)
        h = mix(h, static)
        chain, key = kdf(chain, self.dh(s, theirs), 2)
        stamp = self.seal(key, struct.pack(">QI", (1 << 62) + 10 + int(time.time()), 0), h)
        message = struct.pack("<II", 1, random.getrandbits(32)) + e_pub + static + stamp
        return macced(message, mac1_key(theirs)), (chain, mix(h, stamp), e)


def strangers(to, port, count, key, sources=""):
    noise, end, sent = Noise(), time.monotonic(), 0
    s = None if sources else plain_socket(to, int(port))
    for _ in range(int(count)):
        m = noise.initiation(b64decode(key))
        if sources:
            flood_forged([m] * 64, to, int(port), end, sources)
        else:
            s.send(m)
        sent += 1
        time.sleep(0.005)
    return sent


def probe(to, port, count):
    s, answers = plain_socket(to, int(port)), 0
    for _ in range(int(count)):
        s.send(struct.pack(">I", 0x80 << 24) + os.urandom(32) + bytes(96))
    s.settimeout(1)
    try:
        while True:
            answers += len(s.recv(2048)) == 132
    except OSError:
        pass
    return answers


def replay(into, out, seconds):
    take = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    take.bind((into, 3))
    take.settimeout(0.2)
    put = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    put.bind((out, 0))
    end, held, sent, seen = time.monotonic() + float(seconds), [], 0, set()
    while time.monotonic() < end:
        try:
            frame, where = take.recvfrom(65535)
        except OSError:
            continue
        if where[2] != socket.PACKET_OUTGOING or frame in seen or not 60 < len(frame) <= 1514:
            continue
        if frame[12:14] == b"\x08\x00" and frame[23] == 17:  # the checksum is the other end's to finish: none
            frame = frame[:40] + bytes(2) + frame[42:]
        seen.add(frame)
        held.append(frame)
        if len(held) == 64:
            for again in random.choices(held, k=256):
                try:
                    put.send(again)
                    sent += 1
                except OSError:
                    pass
            held = random.sample(held, 16)
    return sent


def ip6(src, dst, payload, next_header=17, hops=64, length=None):
    return (struct.pack("!IHBB", 6 << 28, len(payload) if length is None else length, next_header, hops)
            + ipaddress.ip_address(src).packed + ipaddress.ip_address(dst).packed + payload)


def ip4(src, dst, payload, ttl=64, options=b"", fragment=0, proto=17, total=None):
    words = 5 + len(options) // 4
    head = struct.pack("!BBHHHBBH4s4s", 0x40 | words, 0, words * 4 + len(payload) if total is None else total, 1,
                       fragment, ttl, proto, 0, socket.inet_aton(src), socket.inet_aton(dst)) + options
    total16 = sum(struct.unpack(f"!{len(head) // 2}H", head))
    while total16 >> 16:
        total16 = (total16 & 0xffff) + (total16 >> 16)
    return head[:10] + struct.pack("!H", ~total16 & 0xffff) + head[12:] + payload


def hostile(src, victim, own, node):
    """src: what we may send from; victim: another's address; own: the node's; node: its /64, ::9."""
    udp = struct.pack("!HHHH", 9, 9, 24, 0) + bytes(16)
    bad_sources = [victim, own, node, "ff02::1", "::", "::1", "fe80::1", "::ffff:10.1.0.5", "2001:db8::1", "::10.1.0.5"]
    bad_targets = ["ff02::1", "ff0e::1", "fe80::1", "::1", "::", "::ffff:127.0.0.1", "::ffff:10.1.0.9"]
    for bad in bad_sources:
        yield ip6(bad, victim, udp)
        yield ip6(bad, own, udp)
    for bad in bad_targets:
        yield ip6(src, bad, udp)
    for hops in (0, 1):
        yield ip6(src, victim, udp, hops=hops)
        yield ip6(src, own, udp, hops=hops)
    for kind, extension in ((0, bytes(8)), (43, bytes((17, 0, 0, 255)) + bytes(4)), (44, bytes((17, 0, 255, 249)) + bytes(4)),
                            (60, bytes((60, 255)) + bytes(6)), (0, bytes((17, 0, 0xc2, 4)) + struct.pack("!I", 70000)),
                            (59, b""), (135, bytes(24)), (139, bytes(8))):
        for to in (victim, own):
            yield ip6(src, to, extension + udp, next_header=kind)
            yield ip6(src, to, extension + udp, next_header=kind, hops=1)
    for length in (0, 1, 25, 1400, 65535):
        yield ip6(src, victim, udp, length=length)
    for size in (0, 1, 1232, 1332, 1380, 1400):
        yield ip6(src, victim, bytes(size), next_header=59)
    for code, kind in itertools.product((0, 1, 4), (1, 2, 3, 4, 100, 137)):
        quote = ip6(victim, src, udp)
        yield ip6(src, victim, struct.pack("!BBHI", kind, code, 0, 1280) + quote, next_header=58, hops=1)
        yield ip6(src, own, struct.pack("!BBHI", kind, code, 0, 0) + quote, next_header=58)
    for a, b in (("10.1.0.5", "10.1.0.9"), ("127.0.0.1", "10.1.0.9"), ("10.1.0.5", "127.0.0.1"), ("224.0.0.1", "10.1.0.9"),
                 ("10.1.0.5", "224.0.0.1"), ("255.255.255.255", "10.1.0.9"), ("10.1.0.5", "255.255.255.255"),
                 ("0.0.0.0", "10.1.0.9"), ("10.1.0.5", "0.0.0.0"), ("169.254.0.1", "10.1.0.9"), ("10.1.0.5", "10.1.0.5")):
        yield ip4(a, b, udp)
        yield ip4(a, b, udp, options=b"\x83\x07\x04" + socket.inet_aton("10.1.0.7") + b"\x00")
        yield ip4(a, b, udp, ttl=1)
        yield ip4(a, b, udp, ttl=0, fragment=0x2000)
        yield ip4(a, b, udp, fragment=0x1fff)
    for total in (0, 19, 20, 1500, 65535):
        yield ip4("10.1.0.5", "10.1.0.9", udp, total=total)
    yield b"\x4f" + bytes(19)
    yield b"\x60"
    yield b"\x45" + bytes(40)


def into(interface):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind((interface, 0))
    return s


def put_all(s, packets):
    sent = 0
    for p in packets:
        try:
            s.send(p)
            sent += 1
        except OSError:
            pass
        if sent % 32 == 0:
            time.sleep(0.002)
    return sent


def inner(interface, src, victim, own, node, times="20"):
    s = into(interface)
    return sum(put_all(s, hostile(src, victim, own, node)) for _ in range(int(times)))


def vnet(flags, kind, header, size, start, offset):
    return struct.pack("<BBHHHH", flags, kind, header, size, start, offset)


def host(interface, src, dst):
    s = into(interface)
    sent = put_all(s, hostile(src, dst, src, src))
    s = into(interface)
    s.setsockopt(263, 15, 1)  # SOL_PACKET, PACKET_VNET_HDR
    tcp = struct.pack("!HHIIBBHHH", 9, 9, 1, 1, 0x50, 0x10, 100, 0, 0)
    udp = struct.pack("!HHHH", 9, 9, 0, 0)
    frames = []
    for kind, transport, proto in ((4, tcp, 6), (5, udp, 17), (1, tcp, 6), (3, udp, 17), (0x84, tcp, 6)):
        for size in (1, 8, 500, 1200, 1448, 9000, 65535):
            for length in (0, 1, 1400, 20000, 65000):
                p = ip6(src, dst, transport + bytes(length), next_header=proto, length=min(65535, len(transport) + length))
                for head in (40 + len(transport), 40, 0, 65535):
                    frames.append(vnet(1, kind, head, size, 40, 16 if proto == 6 else 6) + p)
    sent += put_all(s, frames)
    # from the kernel: solicitations and reports, as it sends them itself
    raw = into(interface)
    for kind in (133, 135, 143):
        sent += put_all(raw, [ip6("fe80::1", "ff02::16", struct.pack("!BBHI", kind, 0, 0, 0) + bytes(16), 58, 1)] * 50)
    return sent


def datagram(interface, src, dst):
    udp = struct.pack("!HHHH", 4444, 4444, 24, 0) + bytes(16)
    return put_all(into(interface), [ip6(src, dst, udp) if ":" in dst else ip4(src, dst, udp)])


def client(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 5, 0))
    s.connect(path)
    return s


def client_garbage(path):
    asked = 0
    for request in [os.urandom(100), b"\0", b"/", b"/help", b",", b"\n", b"/xylem/peers," + b"x" * 900, b"/xylem/peers,\xff\xfe",
                    b"A" * 1024, b"A" * 100000, b"/xylem/graph,%s%n"] * 30:
        with client(path) as s:
            s.recv(4096)
            s.send(request)
            asked += len(s.recv(1 << 21)) > 0
    return asked


def client_half(path):
    for _ in range(200):
        with client(path) as s:
            s.recv(4096)
            s.send(b"/xylem/drops")
            s.shutdown(socket.SHUT_WR)
            s.recv(1 << 21)
        with client(path) as s:
            s.send(b"/xylem/drops")
    return 400


def client_slow(path):
    all_of = [client(path) for _ in range(40)]
    sent = 0
    for s in all_of:
        try:
            while s.send(b"/xylem/drops", socket.MSG_DONTWAIT):
                sent += 1
        except OSError:
            pass
    time.sleep(0.5)
    return sent


def client_churn(path):
    end, n = time.monotonic() + 2, 0
    while time.monotonic() < end:
        client(path).close()
        n += 1
    return n


def telemetry(kind, path):
    return {"garbage": client_garbage, "half": client_half, "slow": client_slow, "churn": client_churn}[kind](path)


if __name__ == "__main__":
    print({"flood": flood, "strangers": strangers, "probe": probe, "replay": replay, "inner": inner, "host": host, "datagram": datagram, "telemetry": telemetry}[sys.argv[1]](*sys.argv[2:]), "sent")

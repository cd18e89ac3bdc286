#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Clients of xylem-web that no browser is.
#   odd HOST PORT                    odd requests: prints each that is not answered as it should be
#   slow HOST PORT N                 N that send a header line now and then, and N a body so: prints how many
#                                    are still there after 14 s, and how long an honest request took at most
#   crowd HOST PORT N [SOURCE...]    opens N connections, from each address of ours: prints how many are let in
#   events HOST PORT N SECONDS       N that listen: prints how many heard a tick, and all states that they heard
#   streams HOST PORT N SECONDS      opens N streams, and holds those that are let in: prints how many that are
#   flood HOST PORT N SECONDS PATH   N that ask again as soon as they are answered: prints how many answers came, and how
#                                    many of the N had one that is good
#   deaf HOST PORT N SECONDS [PATH]  N that never read: prints how many are not cut then
#   pages HOST PORT NAME             takes a list page by page: prints how many entries, and in how many seconds
#   burst HOST PORT N                N that ask at the same time: prints "sent", then how many got which status
import http.client, json, re, selectors, socket, sys, time, urllib.parse

HEAD = b'HTTP/1.1\r\nHost: 127.0.0.1\r\n'


def connect(host, port, rcvbuf=0, source=None):
    s = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET)
    if rcvbuf:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    s.settimeout(5)
    if source:
        s.bind((source, 0))
    s.connect((host, port))
    return s


def post(length, body, more=b''):
    return b'POST /api/v1/logout ' + HEAD + b'Content-Type: application/json\r\n' + length + more + b'\r\n' + body


# name, request, statuses that are right, whether the connection ends behind the answer
ODD = [
    ('plain', b'GET /api/v1/access ' + HEAD + b'\r\n', '200', False),
    ('HEAD', b'HEAD /api/v1/access ' + HEAD + b'\r\n', '200', False),
    ('two behind each other', (b'GET /api/v1/access ' + HEAD + b'\r\n') * 2, '200 200', False),
    ('absolute form', b'GET http://127.0.0.1/api/v1/access ' + HEAD + b'\r\n', '200', False),
    ('HTTP/1.0', b'GET /api/v1/access HTTP/1.0\r\n\r\n', '200', True),
    ('two lengths', post(b'Content-Length: 2\r\nContent-Length: 50\r\n', b'{}' + b'GET /api/v1/access ' + HEAD), '400', True),
    ('two lengths that agree', post(b'Content-Length: 2\r\nContent-Length: 2\r\n', b'{}'), '400', True),
    ('length and chunks', post(b'Content-Length: 2\r\n', b'0\r\n\r\n', b'Transfer-Encoding: chunked\r\n'), '400', True),
    ('chunks', post(b'Transfer-Encoding: chunked\r\n', b'2\r\n{}\r\n0\r\n\r\n'), '200', False),
    ('a negative length', post(b'Content-Length: -1\r\n', b'{}'), '400', True),
    ('a length with a sign', post(b'Content-Length: +2\r\n', b'{}'), '400', True),
    ('a length of 20 digits', post(b'Content-Length: 99999999999999999999\r\n', b'{}'), '413 400', True),
    ('a body too long', post(b'Content-Length: 65537\r\n', b'{"a":"' + b'x' * 65537), '413', True),
    ('chunks too long', post(b'Transfer-Encoding: chunked\r\n', b'11001\r\n' + b'x' * 0x11001 + b'\r\n0\r\n\r\n'), '413', True),
    ('a GET with a body', b'GET /api/v1/access ' + HEAD + b'Content-Length: 40\r\n\r\nGET /api/v1/node HTTP/1.1\r\nHost: x\r\n\r\n123', '400', True),
    ('no Host', b'GET /api/v1/access HTTP/1.1\r\n\r\n', '400', True),
    ('two Hosts', b'GET /api/v1/access ' + HEAD + b'Host: b\r\n\r\n', '400', True),
    ('a Host that is none', b'GET /api/v1/access HTTP/1.1\r\nHost: a b\r\n\r\n', '400', False),
    ("another's Host", b'GET /api/v1/access HTTP/1.1\r\nHost: evil.example\r\n\r\n', '421', False),
    ('a space before a colon', b'GET /api/v1/access ' + HEAD + b'A : x\r\n\r\n', '400', True),
    ('a space before that of a length', post(b'Content-Length : 2\r\n', b'{}'), '400', True),
    ('a tab before that of an encoding', post(b'Content-Length: 0\r\nTransfer-Encoding\t: chunked\r\n', b'0\r\n\r\n'), '400', True),
    ('a CR before a length', post(b'A: b\rContent-Length: 2\r\n', b'{}'), '400', True),
    ('an LF before a length', post(b'A: b\nContent-Length: 2\r\n', b'{}'), '400', True),
    ('a line that ends with LF', b'GET /api/v1/access ' + HEAD + b'A: b\n\r\n', '400', True),
    ('an empty one that does', b'GET /api/v1/access ' + HEAD + b'\n', '400', True),
    ('a request line that does', b'GET /api/v1/access HTTP/1.1\nHost: 127.0.0.1\r\n\r\n', '400', True),
    ('a length in a folded line', post(b'A: b\r\n Content-Length: 2\r\n', b'{}'), '400', True),
    ('a NUL in a length', post(b'Content-Length: 0\x005\r\n', b'') + b'GET /api/v1/access ' + HEAD + b'\r\n', '400', True),
    ('a NUL in its name', post(b'Content-Length\0: 2\r\n', b'{}'), '400', True),
    ('a NUL in an encoding', post(b'Transfer-Encoding: chunked\0x\r\n', b'0\r\n\r\n'), '400', True),
    ('a NUL in a value', b'GET /api/v1/access ' + HEAD + b'A: b\0c\r\nB: c\r\n\r\n', '400', True),
    ('a NUL in a target', b'GET /api/v1/access\0x ' + HEAD + b'\r\n', '400', True),
    ('a control character in a value', b'GET /api/v1/access ' + HEAD + b'A: b\x0b\r\n\r\n', '400', True),
    ('spaces and tabs that may be', b'GET /api/v1/access ' + HEAD + b'A:b\r\nB: \t c \t\r\nC:\r\n\r\n', '200', False),
    ('one behind chunks', post(b'Transfer-Encoding: chunked\r\n', b'2\n{}\n0\n\n') + b'GET /api/v1/access ' + HEAD + b'\r\n', '200', True),
    ("another's host before the path", b'GET http://evil.example/api/v1/access ' + HEAD + b'\r\n', '400', False),
    ('none there', b'GET http://x@127.0.0.1/api/v1/access ' + HEAD + b'\r\n', '400', False),
    ('an encoding that is none, of a PATCH', b'PATCH /api/v1/peers/b ' + HEAD + b'Transfer-Encoding: xchunked\r\n\r\n', '501', True),
    ('a body too long that waits', b'PATCH /api/v1/peers/b ' + HEAD + b'Content-Length: 99999\r\nExpect: 100-continue\r\n\r\n', '413', True),
    ('a NUL in the path', b'GET /api/v1/access%00x ' + HEAD + b'\r\n', '400', False),
    ('a path that leads up', b'GET /api/v1/%2e%2e/v1/access ' + HEAD + b'\r\n', '400', False),
    ('a long path', b'GET /' + b'a' * 3000 + b' ' + HEAD + b'\r\n', '414', False),
    ('a longer one', b'GET /' + b'a' * 40000 + b' ' + HEAD + b'\r\n', '414 431', True),
    ('a long header', b'GET /api/v1/access ' + HEAD + b'A: ' + b'b' * 20000 + b'\r\n\r\n', '431', True),
    ('many headers', b'GET /api/v1/access ' + HEAD + b''.join(b'H%d: y\r\n' % i for i in range(3000)) + b'\r\n', '431', True),
    ('another version', b'GET /api/v1/access HTTP/2.7\r\nHost: 127.0.0.1\r\n\r\n', '505', True),
    ('an encoding that is none', post(b'Transfer-Encoding: xchunked\r\n', b'2\r\n{}\r\n0\r\n\r\n'), '400 501', True),
    ('noise', bytes(range(256)) * 4, '400 505 none', True),
    ('no method', b'\r\n\r\n\r\n /\r\n\r\n', '400 505 none', True),
]


def ask(host, port, request, wait=2.0):
    s = connect(host, port)
    got, closed = b'', False
    try:
        s.sendall(request)
        s.settimeout(wait)
        while True:
            data = s.recv(65536)
            if not data:
                closed = True
                break
            got += data
            s.settimeout(0.3)
    except socket.timeout:
        pass
    except OSError:
        closed = True
    s.close()
    return [x.decode() for x in re.findall(rb'HTTP/1\.[01] (\d\d\d) ', got)], closed


def odd(host, port):
    for name, request, right, ends in ODD:
        statuses, closed = ask(host, port, request)
        wanted = right.split()
        # libmicrohttpd writes the head of an answer of its own twice, and ends the connection behind it
        good = statuses == wanted or (statuses or ['none'])[0] in wanted and len(set(statuses)) <= 1 and (closed or len(statuses) == 1)
        good = good and (len(set(wanted)) > 1 or len(statuses) >= len(wanted))
        if not good or (ends and not closed):
            print(f'{name}: {statuses} {"closed" if closed else "open"} instead of {right}{" and closed" if ends else ""}')
    print(f'tried: {len(ODD)}')


def alive(s):
    try:
        s.setblocking(False)
        return s.recv(4096, socket.MSG_PEEK) != b''
    except BlockingIOError:
        return True
    except OSError:
        return False


def slow(host, port, n):
    ones = [connect(host, port) for _ in range(2 * n)]
    for i, s in enumerate(ones):
        s.sendall(b'GET / HTTP/1.1\r\n' if i < n else post(b'Content-Length: 60000\r\n', b'{'))
    worst, until = 0.0, time.time() + 14
    while time.time() < until:
        for i, s in enumerate(ones):
            try:
                s.sendall(b'A: b\r\n' if i < n else b'x')
            except OSError:
                pass
        began = time.time()
        assert ask(host, port, b'GET /api/v1/access ' + HEAD + b'Connection: close\r\n\r\n')[0] == ['200']
        worst = max(worst, time.time() - began)
        time.sleep(0.5)
    print(sum(alive(s) for s in ones), round(worst * 1000))


def crowd(host, port, n, *sources):
    ones = []
    for i in range(n * max(1, len(sources))):
        try:
            ones.append(connect(host, port, source=sources[i // n] if sources else None))
        except OSError:
            pass
    time.sleep(0.5)
    print(sum(alive(s) for s in ones))


def events(host, port, n, seconds):
    poll = selectors.DefaultSelector()
    heard, states = {}, []
    for i in range(n):
        s = connect(host, port)
        s.sendall(b'GET /api/v1/events ' + HEAD + b'\r\n')
        s.setblocking(False)
        heard[s] = b''
        poll.register(s, selectors.EVENT_READ)
    until, ticks = time.time() + seconds, {}
    while time.time() < until:
        for key, _ in poll.select(0.2):
            s = key.fileobj
            try:
                data = s.recv(1 << 16)
            except OSError:
                data = b''
            if not data:
                poll.unregister(s)
                continue
            heard[s] = (heard[s] + data)[-4000:] if i != 0 else heard[s] + data
            ticks[s] = ticks.get(s, 0) + data.count(b'event: tick')
            if s is next(iter(heard)):
                states += [json.loads(x[6:])['daemon'] for x in data.split(b'\n') if x.startswith(b'data: {"daemon"')]
                print('states', *states, flush=True) if b'"daemon"' in data else None
    print('heard', sum(1 for v in ticks.values() if v))


def burst(host, port, n):
    ones, told = [connect(host, port) for _ in range(n)], {}
    for s in ones:
        s.sendall(b'GET /api/v1/access ' + HEAD + b'Cookie: xylem=abc\r\n\r\n')
    print('sent', flush=True)
    for s in ones:
        s.settimeout(10)
        try:
            status = s.recv(4096)[9:12].decode() or 'none'
        except OSError:
            status = 'none'
        told[status] = told.get(status, 0) + 1
    print(*(f'{k}:{v}' for k, v in sorted(told.items())))


def streams(host, port, n, seconds):
    ones = [connect(host, port) for _ in range(n)]
    for s in ones:
        s.sendall(b'GET /api/v1/events ' + HEAD + b'\r\n')
    print(sum(s.recv(4096)[9:12] == b'200' for s in ones), flush=True)
    time.sleep(seconds)


def flood(host, port, n, seconds, path='/api/v1/node'):
    poll, answers, good, until = selectors.DefaultSelector(), 0, set(), time.time() + seconds
    request = f'GET {path} '.encode() + HEAD + b'\r\n'
    for s in [connect(host, port) for _ in range(n)]:
        s.sendall(request)
        poll.register(s, selectors.EVENT_READ)
    print('asked', flush=True)
    while time.time() < until and poll.get_map():
        for key, _ in poll.select(0.2):
            try:
                data = key.fileobj.recv(1 << 16)
                if data.startswith(b'HTTP/1.1 '):
                    answers += 1
                    good |= {key.fileobj} if data[9:12] == b'200' else set()
                    key.fileobj.sendall(request)
            except OSError:
                data = b''
            if not data:
                poll.unregister(key.fileobj)
    print('answers', answers)
    print('served', len(good))


def deaf(host, port, n, seconds, path='/api/v1/events'):
    ones = []
    for _ in range(n):
        s = connect(host, port, 2048)
        s.sendall(f'GET {path} '.encode() + HEAD + b'\r\n')
        ones.append(s)
    time.sleep(seconds)
    left = 0
    for s in ones:  # what lies in the kernel is read, then the end comes, or it does not
        s.settimeout(1.0)
        try:
            while s.recv(1 << 16):
                pass
        except socket.timeout:
            left += 1
        except OSError:
            pass
    print(left)


def pages(host, port, name):
    c, cursor, n, began = http.client.HTTPConnection(host, port, timeout=20), '', 0, time.time()
    while cursor is not None:
        c.request('GET', f'/api/v1/{name}' + ('?cursor=' + urllib.parse.quote(cursor, safe='') if cursor else ''))
        r = c.getresponse()
        page = json.loads(r.read())
        assert r.status == 200, page
        n, cursor = n + len(page[name]), page['next']
    print(n, int(time.time() - began))


what, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
globals()[what](host, port, *[int(x) if x.isdigit() else x for x in sys.argv[4:]])

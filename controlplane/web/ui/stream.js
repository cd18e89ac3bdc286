// SPDX-License-Identifier: BSD-3-Clause
// The event stream, one connection for all tabs of a browser: HTTP/1.1 allows six to a host, and the seventh tab of
// a page that each hold one would not load. Tabs that are seen agree by BroadcastChannel who has it (the one with the
// lower id, where two think so); it repeats the events to the others and says each second that it is there. A
// tab that is hidden takes no part; who had the stream hands it over.

const BEAT = 1000, MISSED = 3500, STUCK = 12000;
const id = crypto.getRandomValues(new Uint32Array(2)).join('-');
const channel = 'BroadcastChannel' in window ? new BroadcastChannel('xylem') : null;

let role = 'off', source = null, timer = 0, beat = 0, retry = 0, fails = 0, heard = 0, deliver = () => {}, mayRead = () => true, check = () => {};
const last = {}; // of each kind, for a tab that comes later

function tell(kind, data) {
  channel?.postMessage({ from: id, kind, data });
}

function pass(kind, text) {
  last[kind] = text;
  tell('event', { kind, text });
  deliver(kind, text);
}

function link(ok, seconds) {
  pass('link', JSON.stringify({ ok, again: ok ? 0 : Date.now() + seconds * 1000 }));
}

function close() {
  clearTimeout(retry);
  source?.close();
  source = null;
}

function open() {
  close();
  heard = Date.now();
  source = new EventSource('/api/v1/events');
  source.onopen = () => {
    fails = 0;
    heard = Date.now();
    link(true, 0);
  };
  for (const kind of ['state', 'tick', 'log'])
    source.addEventListener(kind, (e) => {
      heard = Date.now();
      pass(kind, e.data);
    });
  source.onerror = lost;
}

// With a back-off of our own: EventSource gives up for good at any answer but 200.
async function lost() {
  close();
  const seconds = Math.min(15, 2 ** fails++) * (0.75 + Math.random() / 2);
  link(false, seconds);
  retry = setTimeout(async () => {
    await check();
    if (role === 'lead' && mayRead()) open();
    else if (role === 'lead') lost();
  }, seconds * 1000);
}

function lead() {
  role = 'lead';
  tell('beat');
  clearInterval(beat);
  beat = setInterval(() => {
    tell('beat');
    if (source && Date.now() - heard > STUCK) lost();
  }, BEAT);
  open();
}

function follow(ms) {
  clearTimeout(timer);
  timer = setTimeout(lead, ms);
}

function leave() {
  if (role === 'off') return;
  if (role === 'lead') tell('bye');
  clearTimeout(timer);
  clearInterval(beat);
  close();
  role = 'off';
}

function join() {
  if (role !== 'off' || document.hidden || !mayRead()) return;
  role = 'follow';
  fails = 0;
  if (!channel) return lead();
  tell('hello');
  follow(150 + Math.random() * 150);
}

function hear({ data: m }) {
  if (role === 'off' || m.from === id) return;
  if (role === 'lead') {
    if (m.kind === 'hello') for (const kind in last) tell('event', { kind, text: last[kind] });
    else if (m.kind === 'beat' && m.from < id) {
      clearInterval(beat);
      close();
      role = 'follow';
      follow(MISSED);
    } else if (m.kind === 'beat') tell('beat');
    return;
  }
  if (m.kind === 'bye') return follow(Math.random() * 250);
  if (m.kind === 'beat' || m.kind === 'event') follow(MISSED + Math.random() * 1000);
  if (m.kind === 'event') {
    last[m.data.kind] = m.data.text;
    deliver(m.data.kind, m.data.text);
  }
}

export function start(onevent, allowed, refreshAccess) {
  deliver = onevent;
  mayRead = allowed;
  check = refreshAccess;
  if (channel) channel.onmessage = hear;
  document.addEventListener('visibilitychange', () => (document.hidden ? leave() : join()));
  addEventListener('pagehide', leave);
  addEventListener('pageshow', join);
  addEventListener('online', () => role === 'lead' && !source && open());
  join();
}

export { leave as stop };

// Who we are has changed: the stream is another one.
export function restart() {
  leave();
  join();
}

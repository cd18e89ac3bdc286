// SPDX-License-Identifier: BSD-3-Clause
// What the event stream told last, and for so long before: bounded rings, one writer.
import { get } from './api.js';

const SAMPLES = 600, SPARK = 60, LINES = 1000, FORGET = 120;

export const live = {
  tick: null, // the last one
  at: 0, // when it came
  state: { daemon: null, why: null },
  link: { ok: false, again: 0 },
  t: [], rx: [], tx: [], // of all links: seconds, bits a second
  peers: new Map(), // name: { rx, tx, seen }
  busy: new Map(), // worker: loads
  drops: [], // packets a second
  log: [], // lines, oldest first
  logNext: 0,
};

const listeners = { tick: new Set(), state: new Set(), log: new Set() };
export function on(kind, f) {
  listeners[kind].add(f);
  return () => listeners[kind].delete(f);
}
function emit(kind, data) {
  for (const f of listeners[kind]) f(data);
}

function push(list, value, limit) {
  list.push(value);
  if (list.length > limit) list.splice(0, list.length - limit);
}

let serial = 0;
function take(tick) {
  serial++;
  live.tick = tick;
  live.at = Date.now();
  // A gap is drawn as one: what was not measured is not known.
  const now = tick.time / 1000, gap = live.t.length && now - live.t.at(-1) > 3;
  if (gap) for (const [list, v] of [[live.t, now - 1], [live.rx, null], [live.tx, null]]) push(list, v, SAMPLES);
  if (!live.t.length || now > live.t.at(-1)) {
    push(live.t, now, SAMPLES);
    push(live.rx, tick.rates?.rx_bps ?? null, SAMPLES);
    push(live.tx, tick.rates?.tx_bps ?? null, SAMPLES);
  }
  for (const row of tick.peers?.rows || []) {
    let p = live.peers.get(row.name);
    if (!p) live.peers.set(row.name, (p = { rx: [], tx: [], seen: 0 }));
    push(p.rx, row.rx_bps, SPARK);
    push(p.tx, row.tx_bps, SPARK);
    p.seen = serial;
    p.row = row;
  }
  for (const [name, p] of live.peers) if (serial - p.seen > FORGET) live.peers.delete(name);
  for (const w of tick.workers || []) {
    if (!live.busy.has(w.worker)) live.busy.set(w.worker, []);
    push(live.busy.get(w.worker), w.busy, SPARK * 2);
  }
  push(live.drops, (tick.drops || []).reduce((n, d) => n + (d.per_second || 0), 0), SPARK * 2);
}

// Lines come by the stream, and older ones when they are asked for; their numbers grow, over a restart as well. Listeners
// are told the new ones at the end, or null: some stand between others.
export function takeLines(reply) {
  const last = live.log.at(-1)?.seq ?? -1, known = new Set(live.log.map((l) => l.seq));
  const fresh = (reply.lines || []).filter((l) => !known.has(l.seq));
  if (!fresh.length) return;
  const behind = fresh.every((l) => l.seq > last);
  live.log.push(...fresh);
  if (!behind) live.log.sort((a, b) => a.seq - b.seq);
  if (live.log.length > LINES) live.log.splice(0, live.log.length - LINES);
  emit('log', behind ? fresh : null);
}

export function deliver(kind, text) {
  let data;
  try {
    data = JSON.parse(text);
  } catch {
    return;
  }
  if (kind === 'tick') {
    take(data);
    // A tick is the daemon's: it is up, whatever was said before.
    if (live.state.daemon !== 'up') {
      live.state = { daemon: 'up', why: null };
      emit('state');
    }
    emit('tick', data);
  } else if (kind === 'log') takeLines(data);
  else {
    live[kind] = data;
    emit('state');
  }
}

// The last minute of a peer that is in sight: what was before this page came is asked for once, few at a time.
const queue = [];
let asking = 0, asks = 0;
const removed = new Set();
export function past(name) {
  const p = live.peers.get(name);
  if (p && !p.asked && asks < 120 && !removed.has(name)) {
    p.asked = true;
    asks++;
    queue.push(name);
    next();
  }
  return p;
}
// It was removed here: the next tick may still have it.
export function gone(name) {
  removed.add(name);
  setTimeout(() => removed.delete(name), 5000);
  live.peers.delete(name);
  if (live.tick?.peers) live.tick.peers.rows = live.tick.peers.rows.filter((r) => r.name !== name);
}
async function next() {
  if (asking >= 3 || !queue.length) return;
  asking++;
  const name = queue.shift();
  const r = await get('/history', { peer: name }).catch(() => null), p = live.peers.get(name);
  const n = r?.rx_bps?.length || 0, room = p ? SPARK - p.rx.length : 0;
  if (room > 0 && n > p.rx.length)
    for (const [k, list] of [['rx', r.rx_bps], ['tx', r.tx_bps]]) p[k].unshift(...list.slice(0, n - p[k].length).slice(-room));
  asking--;
  next();
}

export async function seed() {
  const past = await get('/history').catch(() => null);
  if (!past?.rx_bps || live.t.length > past.rx_bps.length) return;
  const n = past.rx_bps.length, step = past.step_ms / 1000, end = past.end_ms / 1000;
  const first = live.t[0] ?? Infinity;
  const t = [], rx = [], tx = [];
  for (let i = 0; i < n; i++) {
    const at = end - (n - 1 - i) * step;
    if (at >= first - step / 2) break;
    t.push(at);
    rx.push(past.rx_bps[i]);
    tx.push(past.tx_bps[i]);
  }
  live.t = [...t, ...live.t];
  live.rx = [...rx, ...live.rx];
  live.tx = [...tx, ...live.tx];
}

export function forget() {
  live.tick = null;
  live.log.length = 0;
  live.peers.clear();
}

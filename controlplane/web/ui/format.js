// SPDX-License-Identifier: BSD-3-Clause
// Numbers as people read them. What is not known is a dash, never a zero.

export const NONE = '–';
const group = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const known = (n) => typeof n === 'number' && Number.isFinite(n);

function digits(n) {
  return n >= 100 ? 0 : n >= 10 ? 1 : 2;
}

function scaled(n, step, units) {
  let i = 0;
  while (Math.abs(n) >= step * 0.9995 && i < units.length - 1) {
    n /= step;
    i++;
  }
  return [i === 0 ? group.format(n) : n.toFixed(digits(Math.abs(n))), units[i]];
}

export const num = (n) => (known(n) ? group.format(n) : NONE);

// 12.4 of 12.4 Mbit/s; columns bear the unit.
export function mbit(bps) {
  if (!known(bps)) return NONE;
  const m = bps / 1e6;
  if (m === 0) return '0';
  if (m < 0.005) return '<0.01';
  return m < 10 ? m.toFixed(2) : m < 1000 ? m.toFixed(1) : group.format(m);
}

export const bitParts = (bps) => (known(bps) ? scaled(bps, 1000, ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s', 'Tbit/s']) : [NONE, '']);
export const bits = (bps) => bitParts(bps).join(' ').trim();
export const bytes = (n) => (known(n) ? scaled(n, 1000, ['B', 'kB', 'MB', 'GB', 'TB', 'PB']).join(' ') : NONE);
export const count = (n) => (known(n) ? scaled(n, 1000, ['', 'k', 'M', 'G', 'T']).join(' ').trim() : NONE);

export function perSecond(n) {
  if (!known(n)) return NONE;
  if (n === 0) return '0';
  return n < 10 ? n.toFixed(n < 0.1 ? 2 : 1) : count(n);
}

export function percent(x) {
  if (!known(x)) return NONE;
  const p = x * 100;
  return (p === 0 ? '0' : p < 0.1 ? '<0.1' : p < 10 ? p.toFixed(1) : p.toFixed(0)) + ' %';
}

export function time(us) {
  if (!known(us)) return NONE;
  if (us < 1000) return Math.round(us) + ' µs';
  const ms = us / 1000;
  return ms < 1000 ? ms.toFixed(digits(ms)) + ' ms' : (ms / 1000).toFixed(2) + ' s';
}

export function duration(sec) {
  if (!known(sec)) return NONE;
  sec = Math.floor(sec);
  const d = Math.floor(sec / 86400), h = Math.floor((sec % 86400) / 3600), m = Math.floor((sec % 3600) / 60), r = sec % 60;
  if (d) return d + ' d ' + h + ' h';
  if (h) return h + ' h ' + m + ' min';
  return m ? m + ' min ' + r + ' s' : r + ' s';
}

export const ago = (sec) => (!known(sec) ? 'never' : sec < 2 ? 'just now' : duration(sec) + ' ago');

export function clock(ms) {
  const t = new Date(ms);
  return [t.getHours(), t.getMinutes(), t.getSeconds()].map((n) => String(n).padStart(2, '0')).join(':');
}

// The middle of a long address or key left out; the whole is in title, and on the thing's own page.
export function shorten(text, keep = 22) {
  if (!text || text.length <= keep) return text || NONE;
  const tail = Math.floor((keep - 1) / 2);
  return text.slice(0, keep - 1 - tail) + '…' + text.slice(-tail);
}

// Any field of the API as text, by the ending of its name.
export function field(name, value) {
  if (value === null || value === undefined) return NONE;
  if (Array.isArray(value)) return value.length ? value.map((v) => (typeof v === 'object' ? JSON.stringify(v) : v)).join(', ') : 'none';
  if (typeof value === 'object') {
    const some = Object.entries(value).filter(([, v]) => v);
    return some.length ? some.map(([k, v]) => k + ' ' + num(v)).join(', ') : 'none';
  }
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value !== 'number') return value;
  if (name.endsWith('_us')) return time(value);
  if (name.endsWith('_bytes')) return bytes(value);
  if (['last_handshake', 'last_received', 'last', 'idle'].includes(name)) return ago(value);
  if (['uptime', 'session_age', 'age'].includes(name)) return duration(value);
  if (name === 'keepalive') return value ? value + ' s' : 'off';
  return num(value);
}

export const title = (name) => name.replace(/^tx_/, 'sent ').replace(/^rx_/, 'received ').replace(/_(us|bytes)$/, '').replace('rtt', 'round trip').replaceAll('_', ' ');

// Signs of a state: a class for its colour, a shape, and what it means.
const STATES = {
  up: ['ok', 'it is there and used'],
  used: ['ok', 'packets follow it'],
  'traffic off': ['off', 'it is there; routing leaves it alone, as asked'],
  idle: ['idle', 'nothing is carried, so no session is kept'],
  'no endpoint': ['idle', 'nobody knows where it is; it has to call'],
  handshake: ['wait', 'a handshake is on its way'],
  meeting: ['wait', 'it is looked for'],
  'not heard': ['wait', 'no word of routing yet'],
  lossy: ['bad', 'packets get lost'],
  'one way': ['bad', 'it does not hear us, or we not it'],
  silent: ['bad', 'it was there and says nothing'],
  left: ['idle', 'it said goodbye'],
  'no way': ['bad', 'this host has no route to its endpoint'],
  down: ['bad', 'it does not answer'],
  unresolved: ['bad', 'the name of its endpoint has no address'],
  'bad key': ['bad', 'its key is not the one of its address'],
};
export const stateOf = (state) => STATES[state] || ['idle', ''];

// SPDX-License-Identifier: BSD-3-Clause
// The HTTP API: reads, changes, who we are to it.

export class Problem extends Error {
  constructor(status, title, detail) {
    super(detail || title || 'HTTP ' + status);
    this.status = status;
    this.title = title;
  }
}

export const access = { scope: 'none', csrf: null, login: false, public: false, act: false, why_not: null, version: '', instance: '' };
const watchers = new Set();
export const onAccess = (f) => watchers.add(f);
function changed() {
  for (const f of watchers) f(access);
}

async function fetched(method, path, body, signal) {
  const headers = { Accept: 'application/json' };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (method !== 'GET' && access.csrf) headers['X-CSRF-Token'] = access.csrf;
  try {
    return await fetch('/api/v1' + path, { method, headers, signal, credentials: 'same-origin', body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Problem(0, 'no answer', 'xylem-web does not answer. Is it running, and is the way to it open?');
  }
}
const parsed = (text) => {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
};
async function refusal(reply, path) {
  const data = parsed(await reply.text());
  if (reply.status === 401 && path !== '/login' && access.scope !== 'none') {
    Object.assign(access, { scope: 'none', csrf: null, act: false, ended: true });
    changed();
  }
  return new Problem(reply.status, data?.title || reply.statusText, data?.detail);
}

async function ask(method, path, body) {
  const reply = await fetched(method, path, body);
  if (!reply.ok) throw await refusal(reply, path);
  const data = parsed(await reply.text());
  if (data === null && reply.status !== 204) throw new Problem(reply.status, 'no JSON', 'the answer to ' + path + ' is no JSON');
  return data;
}

// An answer that comes for a while, in pieces.
async function pieces(path, body, each, signal) {
  const reply = await fetched('POST', path, body, signal);
  if (!reply.ok) throw await refusal(reply, path);
  const reader = reply.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    each(value);
  }
}
export async function lines(path, body, each, signal) {
  const decoder = new TextDecoder();
  let rest = '';
  await pieces(path, body, (bytes) => {
    const all = (rest + decoder.decode(bytes, { stream: true })).split('\n');
    rest = all.pop();
    for (const line of all) if (parsed(line)) each(parsed(line));
  }, signal);
}
export async function bytesOf(path, body, each, signal) {
  const all = [];
  let n = 0;
  await pieces(path, body, (bytes) => {
    all.push(bytes);
    each((n += bytes.length));
  }, signal);
  return new Blob(all);
}

export function query(params) {
  const set = Object.entries(params || {}).filter(([, v]) => v !== null && v !== undefined && v !== '');
  return set.length ? '?' + new URLSearchParams(set) : '';
}
export const get = (path, params) => ask('GET', path + query(params));
export const send = (method, path, body) => ask(method, path, body === undefined ? {} : body);
export const of = (name) => encodeURIComponent(name);

export async function refresh() {
  const was = access.scope, now = await get('/access');
  Object.assign(access, now, { ended: was !== 'none' && now.scope === 'none' });
  changed();
  return access;
}
export async function login(password) {
  Object.assign(access, await send('POST', '/login', { password }), { ended: false });
  changed();
}
export async function logout() {
  await send('POST', '/logout');
  await refresh();
}

// A question that other nodes are asked: again until done, for so long; `each` sees what is there so far.
export async function untilDone(path, params, { each, alive, seconds = 20 }) {
  const end = Date.now() + seconds * 1000;
  let wait = 250;
  for (;;) {
    const reply = await get(path, params);
    if (!alive()) return null;
    each?.(reply);
    if (reply.done || Date.now() > end) return reply;
    await new Promise((r) => setTimeout(r, wait));
    wait = Math.min(wait * 1.5, 1500);
  }
}

// SPDX-License-Identifier: BSD-3-Clause
// What can be changed. Each asks first, in words: what happens, what stays, and how a terminal would say it. Who may
// change nothing is told why, by the same button.
import { h, s, icon, button, copyText, put, say } from './dom.js';
import { access, send, of } from './api.js';
import { gone } from './live.js';

let serial = 0;

// A dialog of the browser: it keeps the focus, Escape closes it, and focus goes back where it came from.
export function dialog(title, kids, { kind = '', onclose = null } = {}) {
  const id = 'dialog-' + ++serial;
  const x = button('close', () => d.close(), { kind: 'icon-only quiet', name: 'close' });
  const d = h('dialog' + (kind ? '.' + kind : ''), { 'aria-labelledby': id }, h('header', null, h('h2', { id }, title), x), h('div.body', null, kids));
  d.addEventListener('close', () => {
    d.remove();
    onclose?.();
  });
  d.addEventListener('click', (e) => e.target === d && d.close());
  document.body.append(d);
  d.showModal();
  return d;
}

export function refused() {
  dialog('This cannot be done from here', [
    h('p', null, access.why_not || 'You may read, and change nothing.'),
    access.login && access.scope !== 'act' ? h('div.buttons', null, button('Sign in', () => { document.querySelector('dialog[open]')?.close(); dispatchEvent(new Event('sign-in')); }, { kind: 'primary' })) : null,
  ]);
}

export const may = () => access.scope === 'act' && access.act;

// A button of an action; where it may not be done it has a lock, and says why.
export function act(label, run, options = {}) {
  const b = button(label, () => (may() ? run() : refused()), options);
  b.classList.add('act');
  b.lock = h('span.lock', null, icon('lock'), h('span.off', null, ' (not allowed)'));
  b.append(b.lock);
  return b;
}

// confirm({ title, happens: [], command, yes, run, fields, danger, done }): asks, does it, says how it went. working(n): what
// stands on the button meanwhile.
export function confirm({ title, happens, command = null, yes, run, fields = [], danger = false, done = null, after = null, working = null, onclose = null }) {
  const wrong = h('p.wrong', { role: 'alert', hidden: true });
  const go = h('button.' + (danger ? 'danger' : 'primary'), { type: 'submit' }, h('span', null, yes));
  const cancel = button('Cancel', () => d.close()), line = h('code');
  const tell = () => command && line.replaceChildren(typeof command === 'function' ? command(values()) : command);
  const inputs = fields.map(input);
  function values() {
    return Object.fromEntries(inputs.map((f) => [f.name, f.read()]));
  }
  const form = h('form', { novalidate: true }, h('ul.happens', null, happens.map((t) => h('li', null, t))), inputs.map((f) => f.el), command ? h('p.same', null, h('span.dim', null, 'The same in a terminal: '), line) : null, wrong, h('div.buttons', null, cancel, go));
  const d = dialog(title, form, { onclose });
  form.addEventListener('input', tell);
  tell();
  (inputs.length ? inputs[0].control : danger ? cancel : go).focus();
  form.addEventListener('submit', async (e) => {
    e.preventDefault();
    const missing = inputs.find((f) => f.problem());
    if (missing) {
      wrong.textContent = missing.problem();
      wrong.hidden = false;
      missing.control.focus();
      return;
    }
    go.disabled = true;
    wrong.hidden = true;
    try {
      const reply = await run(values(), working && ((n) => put(go.firstChild, working(n))));
      d.close();
      if (done) say(done + kept(reply));
      after?.(reply);
    } catch (err) {
      wrong.textContent = err.message;
      wrong.hidden = false;
      go.disabled = false;
      put(go.firstChild, yes);
    }
  });
}

function kept(reply) {
  if (reply?.kept === true) return '; a restart keeps it';
  if (reply?.kept === false) return '; lost at a restart' + (reply.why ? ': ' + reply.why : '');
  return '';
}

function input({ name, label, hint, value = '', type = 'text', need = false, check = null, options = null, mono = false, map = (v) => v }) {
  const id = 'field-' + ++serial;
  const control = options
    ? h('select', { id }, options.map(([v, t]) => h('option', { value: v, selected: v === value }, t)))
    : h('input' + (mono ? '.mono' : ''), { id, type, value, autocomplete: 'off', spellcheck: 'false', autocapitalize: 'off', 'aria-describedby': hint ? id + '-hint' : null, required: need, inputmode: type === 'number' ? 'numeric' : null });
  return {
    name, control,
    el: h('div.field', null, h('label', { for: id }, label, need ? null : h('span.dim', null, ' optional')), control, hint ? h('p.hint', { id: id + '-hint' }, hint) : null),
    read: () => map(control.value.trim()),
    problem() {
      const v = control.value.trim();
      if (!v) return need ? label + ': write something here' : null;
      return check?.(v) || null;
    },
  };
}

const aKey = (v) => (/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/.test(v) ? null : 'Key: this is no WireGuard key; one has 44 characters and ends in =');
const aName = (v) => (/^[A-Za-z0-9._-]{1,32}$/.test(v) ? null : 'Name: 1 to 32 of A-Z a-z 0-9 . _ -');
export const aNumber = (label, lo, hi) => (v) => (/^\d+$/.test(v) && +v >= lo && +v <= hi ? null : `${label}: a number from ${lo} to ${hi}`);
export const number = (v) => (v === '' ? undefined : +v);
const text = (v) => v || undefined;
const list = (v) => (v ? v.split(/[\s,]+/).filter(Boolean) : undefined);
export const quote = (name) => (/^[\w.:-]+$/.test(name) ? name : "'" + name.replaceAll("'", "'\\''") + "'");

export function traffic(peer, on) {
  confirm({
    title: on ? `Put traffic on ${peer} again?` : `Take traffic off ${peer}?`,
    happens: on ? [`Routing takes part with ${peer} again: packets go over it where it is the best way.`] : [`The link to ${peer} stays up, and packets leave it for other ways, in both directions.`, 'What has no other way does not arrive; a leaf is reached no more.', 'It stays off until it is put on again.'],
    command: `xylem set peer ${quote(peer)} traffic ${on ? 'on' : 'off'}`,
    yes: on ? 'Traffic on' : 'Traffic off', danger: !on,
    run: () => send('PATCH', '/peers/' + of(peer), { traffic: on ? 'on' : 'off' }),
    done: `traffic of ${peer} is ${on ? 'on' : 'off'}`,
  });
}

export function cost(peer, now) {
  confirm({
    title: `Cost of the link to ${peer}`,
    happens: ['What the link adds to the metric of routes over it: ways that cost less in sum are preferred.', 'Packets move to other ways where those are cheaper then; nothing is lost.'],
    fields: [{ name: 'cost', label: 'Cost', hint: '1 to 65534; empty: what the config says', value: now ? String(now) : '', check: aNumber('Cost', 1, 65534), map: (v) => (v === '' ? 'default' : +v) }],
    command: (v) => `xylem set peer ${quote(peer)} cost ${v.cost}`,
    yes: 'Set the cost',
    run: (v) => send('PATCH', '/peers/' + of(peer), { cost: v.cost }),
    done: `the cost of ${peer} is set`,
  });
}

export function reset(peer) {
  confirm({
    title: `Reset the session with ${peer}?`,
    happens: [`The session with ${peer} ends, and a handshake begins another: packets on their way may get lost for about a second.`, 'Its settings, routes and cost stay.'],
    command: `xylem peer reset ${quote(peer)}`, yes: 'Reset', danger: true,
    run: () => send('POST', '/peers/' + of(peer) + '/reset'),
    done: `the session with ${peer} was reset`,
  });
}

export function remove(peer, leaf) {
  confirm({
    title: `Remove ${leaf ? 'leaf' : 'peer'} ${peer}?`,
    happens: [`The link ends at once, and all that goes over ${peer} goes other ways, or not at all.`, leaf ? 'The device can no longer connect; its config is of no use then.' : 'If it calls again it is a stranger, and is refused where peering is closed.', 'What stands in the config file is not removed from here: take it out there, and reload.'],
    command: `xylem ${leaf ? 'leaf' : 'peer'} remove ${quote(peer)}`, yes: 'Remove', danger: true,
    run: () => send('DELETE', (leaf ? '/leaves/' : '/peers/') + of(peer)),
    done: `${peer} is removed`,
    after: () => { gone(peer); if (location.hash.startsWith('#/peers/')) location.hash = '#/peers'; },
  });
}

export function addPeer() {
  confirm({
    title: 'Add a peer',
    happens: ['A node of the mesh, known by its key. A handshake begins at once where an endpoint is given; else it has to call.', 'The other side needs the key of this node in its config, too.'],
    fields: [
      { name: 'name', label: 'Name', need: true, check: aName },
      { name: 'key', label: 'Key', need: true, mono: true, check: aKey, hint: 'public, as `xylem pubkey` says it there' },
      { name: 'endpoints', label: 'Endpoints', mono: true, map: list, hint: 'host:port, [IPv6]:port; several with commas' },
      { name: 'preshared_key', label: 'Preshared key', mono: true, map: text, check: aKey },
      { name: 'keepalive', label: 'Keepalive, seconds', type: 'number', map: number, check: aNumber('Keepalive', 0, 65535) },
      { name: 'cost', label: 'Cost', type: 'number', map: number, check: aNumber('Cost', 1, 65534) },
    ],
    command: (v) => `xylem peer add ${quote(v.name || 'NAME')} --key ${v.key || 'KEY'}${(v.endpoints || []).map((e) => ' --endpoint ' + e).join('')}`,
    yes: 'Add the peer',
    run: (v) => send('POST', '/peers', v).then((reply) => ({ ...reply, asked: v.name })),
    done: 'the peer is added',
    after: (reply) => (location.hash = '#/peers/' + of(reply.asked)),
  });
}

export function addLeaf() {
  confirm({
    title: 'Add a leaf',
    happens: ['A device with plain WireGuard (a phone, a laptop) that reaches the mesh through this node.', 'Where you give no key, one is made. Its secret key is shown once, and kept nowhere.'],
    fields: [
      { name: 'name', label: 'Name', need: true, check: aName },
      { name: 'endpoint', label: 'Endpoint of this node', map: text, hint: 'what the device calls: host:port; empty: an address of this host' },
      { name: 'addresses', label: 'Addresses', mono: true, map: list, hint: 'empty: one of this node’s own /64' },
      { name: 'public_key', label: 'Public key', mono: true, map: text, check: aKey, hint: 'of a device that made its own' },
    ],
    command: (v) => `xylem leaf add ${quote(v.name || 'NAME')}${v.endpoint ? ' --endpoint ' + v.endpoint : ''}${v.public_key ? ' --public-key ' + v.public_key : ''}`,
    yes: 'Add the leaf',
    run: (v) => send('POST', '/leaves', v).then((reply) => ({ ...reply, asked: v.name })),
    done: 'the leaf is added',
    after: leafConfig,
  });
}

// Rows of modules as one path: a picture that any screen and printer shows sharp.
export function qr(rows) {
  const quiet = 4, n = rows.length + 2 * quiet;
  let d = '';
  rows.forEach((row, y) => {
    for (const run of row.matchAll(/1+/g)) d += `M${run.index + quiet} ${y + quiet}h${run[0].length}v1h-${run[0].length}z`;
  });
  return s('svg', { viewBox: `0 0 ${n} ${n}`, class: 'qr', role: 'img', 'aria-label': 'QR code of the config', 'shape-rendering': 'crispEdges' }, s('rect', { width: n, height: n, class: 'qr-light' }), s('path', { d, class: 'qr-dark' }));
}

function leafConfig(reply) {
  const name = reply.asked;
  const config = reply.config || '';
  const file = name.replace(/[^\w-]+/g, '-').slice(0, 15) + '.conf';
  dialog(`${name} is added`, [
    reply.note ? h('p.wrong', null, reply.note) : null,
    h('p', null, /PrivateKey/.test(config) ? 'The device’s config, with its secret key: it is shown this once. Take it now.' : 'The device’s config. Its own secret key goes into its first section.'),
    h('div.leaf', null, reply.qr?.length ? h('figure', null, qr(reply.qr), h('figcaption', null, 'WireGuard on a phone: add a tunnel, scan')) : null, h('pre', { tabindex: '0', 'aria-label': 'config' }, config)),
    h('div.buttons', null, button('Copy', async () => say((await copyText(config)) ? 'config copied' : 'mark the text and copy it'), { name: 'copy' }), button('Download ' + file, () => download(file, config), { name: 'down', kind: 'primary' })),
  ], { kind: 'broad' });
}

export function download(name, content) {
  const a = h('a', { href: URL.createObjectURL(new Blob([content], { type: 'application/octet-stream' })), download: name });
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 1000);
}

export function drain(on) {
  confirm({
    title: on ? 'Drain this node?' : 'Take part again?',
    happens: on ? ['All neighbours are told to send others’ traffic other ways; this node stays up and reachable.', 'Wait until the rates are near zero, then the host can be serviced.', 'What has no way but this node does not arrive.'] : ['Neighbours are told that this node carries others’ traffic again.'],
    command: on ? 'xylem drain' : 'xylem drain off', yes: on ? 'Drain' : 'Take part again', danger: on,
    run: () => send('POST', '/drain', { drained: on }),
    done: on ? 'neighbours are told to go other ways' : 'neighbours are told that it takes part again',
  });
}

export function reload() {
  confirm({
    title: 'Reload the config?',
    happens: ['The config file is read anew. If anything in it is wrong, it is refused as a whole, and what is in force stays.', 'Peers that it does not change keep their sessions.'],
    command: 'xylem reload', yes: 'Reload',
    run: async () => {
      const reply = await send('POST', '/reload');
      if (reply.refused?.length) throw new Error('It is refused, and what is in force stays:\n' + reply.refused.join('\n'));
      return reply;
    },
    done: 'the config is taken',
    after: (reply) => reply?.warnings?.length && dialog('The config is taken, with a word', h('ul', null, reply.warnings.map((w) => h('li', null, w)))),
  });
}

export function logLevel(subsystems) {
  confirm({
    title: 'Level of the log',
    happens: ['The daemon logs more or less from now on; debug says a lot.'],
    fields: [
      { name: 'level', label: 'Level', need: true, value: 'info', options: [['error', 'error'], ['warn', 'warn'], ['info', 'info'], ['debug', 'debug'], ['default', 'as configured']] },
      { name: 'subsystem', label: 'Part', value: '', map: text, options: [['', 'all parts'], ...subsystems.map((n) => [n, n])] },
    ],
    yes: 'Set the level',
    run: (v) => send('POST', '/log-level', v),
    done: 'the level is set',
  });
}

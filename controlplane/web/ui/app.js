// SPDX-License-Identifier: BSD-3-Clause
// The frame: who we are, which view, what the stream says, keys.
import { h, s, icon, put, button, refill, attr, show, keep, say } from './dom.js';
import { duration, clock } from './format.js';
import { access, onAccess, refresh, login, logout, of } from './api.js';
import * as stream from './stream.js';
import { live, on, deliver, seed, forget } from './live.js';
import { repaint } from './chart.js';
import { dialog } from './actions.js';
import * as overview from './overview.js';
import * as peers from './peers.js';
import * as routes from './routes.js';
import * as drops from './drops.js';
import * as workers from './workers.js';
import * as log from './log.js';
import * as mesh from './mesh.js';
import { sessions, gateways, config } from './lists.js';

// private: what the public listener does not have.
const VIEWS = [
  { id: 'overview', name: 'Overview', key: 'o', make: overview.view },
  { id: 'peers', name: 'Peers', key: 'p', make: peers.view, one: peers.one },
  { id: 'sessions', name: 'Sessions', key: 's', make: sessions },
  { id: 'routes', name: 'Routes', key: 'r', make: routes.view },
  { id: 'mesh', name: 'Mesh', key: 'm', make: mesh.view, private: true },
  { id: 'gateways', name: 'Gateways', key: 'g', make: gateways },
  { id: 'workers', name: 'Workers', key: 'w', make: workers.view },
  { id: 'drops', name: 'Drops', key: 'd', make: (a) => drops.view(a), one: (n, a) => drops.view(a, n), private: true },
  { id: 'log', name: 'Log', key: 'l', make: log.view, private: true },
  { id: 'config', name: 'Config', key: 'c', make: config, private: true },
];

let current = null, shown = '', badge = '';
const root = document.documentElement;

// --- theme: the system's, unless one was chosen

const theme = keep.get('theme');
if (theme === 'light' || theme === 'dark') root.dataset.theme = theme;
function setTheme(t) {
  if (t) root.dataset.theme = t;
  else delete root.dataset.theme;
  keep.set('theme', t);
  repaint();
  dispatchEvent(new Event('repaint'));
}
const dark = matchMedia('(prefers-color-scheme: dark)');
dark.addEventListener('change', () => { repaint(); dispatchEvent(new Event('repaint')); });
function nextTheme() {
  const now = root.dataset.theme || '';
  const next = now === '' ? (dark.matches ? 'light' : 'dark') : now === 'dark' && !dark.matches ? '' : now === 'light' && dark.matches ? '' : now === 'dark' ? 'light' : 'dark';
  setTheme(next || null);
  say('theme: ' + (next || 'as the system’s'));
}

// --- the frame

const nav = h('nav', { 'aria-label': 'views', id: 'nav' });
const links = new Map();
for (const v of VIEWS) {
  const sign = h('span.badge', { hidden: true });
  const a = h('a', { href: '#/' + v.id }, icon(v.id), h('span', null, v.name), sign);
  a.sign = sign;
  links.set(v.id, a);
  nav.append(a);
}
const logo = () => s('svg', { viewBox: '0 0 32 32', class: 'logo', 'aria-hidden': 'true' }, s('rect', { width: 32, height: 32, rx: 8 }), s('path', { d: 'M10 7v18M16 7v6M16 17v8M22 7v18M10 15h6M16 19h6' }));
const nodeName = h('span.nodename'), nodeSub = h('span.dim'), pill = h('span.pill', null, h('i.mark', { 'aria-hidden': 'true' }), h('span'));
const finder = h('input', { type: 'search', placeholder: 'Find anything', 'aria-label': 'find a view, peer, node or address', autocomplete: 'off', spellcheck: 'false', role: 'combobox', 'aria-expanded': 'false', 'aria-controls': 'found', 'aria-autocomplete': 'list' });
const foundList = h('ul.found', { id: 'found', role: 'listbox', 'aria-label': 'found', hidden: true });
const signButton = button('Sign in', () => (access.scope === 'act' && access.login ? out() : showLogin()), { kind: 'quiet' });
const menuButton = button('views', () => menu(nav.dataset.open === undefined), { kind: 'icon-only quiet menu', name: 'menu' });
menuButton.setAttribute('aria-expanded', 'false');
menuButton.setAttribute('aria-controls', 'nav');
const head = h('header.top', null, menuButton, h('a.brand', { href: '#/overview', 'aria-label': 'Xylem, overview' }, logo(), h('span.wordmark', null, 'Xylem')), h('div.who', null, nodeName, nodeSub), pill,
  h('div.find', null, icon('search'), finder, h('kbd', { 'aria-hidden': 'true' }, 'Ctrl K'), foundList),
  button('theme: light, dark or the system’s', nextTheme, { kind: 'icon-only quiet', name: 'theme' }));
const keysButton = button('Keys', help, { kind: 'quiet keys' });
keysButton.append(h('kbd', { 'aria-hidden': 'true' }, '?'));
nav.append(h('div.navfoot', null, keysButton, signButton));
const banner = h('div.banner', { role: 'alert', hidden: true });
const title = h('h1', { tabindex: '-1' });
const place = h('div');
const main = h('main', { id: 'main', tabindex: '-1' }, title, place);
const foot = h('footer', null, h('span'), h('span'));
const app = document.getElementById('app');

function menu(open) {
  if (open) nav.dataset.open = '';
  else delete nav.dataset.open;
  menuButton.setAttribute('aria-expanded', String(open));
}

// --- views

function route() {
  if (location.hash === '#main') return main.focus();
  const [path, query] = location.hash.replace(/^#\/?/, '').split('?');
  const [id, ...rest] = path.split('/');
  const args = new URLSearchParams(query || '');
  const v = VIEWS.find((x) => x.id === id) || VIEWS[0];
  const key = location.hash;
  if (current && shown === key) return;
  const first = !current;
  shown = key;
  current?.destroy?.();
  menu(false);
  let sub = null;
  try {
    sub = rest.length && rest[0] ? decodeURIComponent(rest.join('/')) : null;
  } catch {
    sub = null;
  }
  for (const [n, a] of links) attr(a, 'aria-current', n === v.id ? 'page' : null);
  if (access.public && v.private) {
    current = { el: h('div.empty', null, h('p', null, 'This page is not public.'), h('p.dim', null, 'It is there where you sign in.')) };
  } else current = sub && v.one ? v.one(sub, args) : v.make(args);
  put(title, current.title || v.name);
  document.title = (current.title ? current.title + ' · ' : '') + v.name + ' · ' + (access.instance || 'Xylem');
  place.replaceChildren(current.el);
  scrollTo(0, 0);
  if (!first) title.focus({ preventScroll: true });
  if (live.tick) current.tick?.(live.tick);
}

// --- what the stream says

function status() {
  const word = pill.lastChild, stale = live.tick && Date.now() - live.at > 5000;
  let kind = 'wait', text = 'connecting', say1 = null;
  const old = live.tick ? ' What is shown is of ' + clock(live.at) + '.' : '';
  if (!live.link.ok && live.link.again) {
    const left = Math.max(0, Math.round((live.link.again - Date.now()) / 1000));
    kind = 'bad';
    text = 'connection lost';
    say1 = ['Connection to xylem-web lost.', (left ? ' Trying again in ' + left + ' s.' : ' Trying again …') + old, ' Packets are not touched by this: the daemon goes on without it.'];
  } else if (live.state.daemon === 'down') {
    kind = 'bad';
    text = 'daemon away';
    say1 = ['The daemon does not answer.', (live.state.why ? ' ' + live.state.why + '.' : '') + old, ' It is asked again each second; all comes back by itself. systemctl status xylem tells more.'];
  } else if (stale) {
    kind = 'wait';
    text = 'no news';
    say1 = ['No news for ' + Math.round((Date.now() - live.at) / 1000) + ' s.', old, ''];
  } else if (live.tick) {
    kind = 'ok';
    text = 'live';
  }
  pill.className = 'pill is-' + kind;
  put(word, text);
  root.classList.toggle('stale', !!live.tick && kind !== 'ok');
  show(banner, !!say1);
  if (say1) {
    // Read out once; the seconds that count down are not.
    if (banner.said !== say1[0]) {
      banner.said = say1[0];
      refill(banner, icon('bad'), h('b', null, say1[0]), h('span', { 'aria-live': 'off' }), h('span.dim', null, say1[2]));
    }
    put(banner.children[2], say1[1]);
  } else banner.said = null;
}

function tick(t) {
  const n = t.node || {};
  put(nodeName, n.name || access.instance);
  put(nodeSub, n.uptime === undefined ? '' : 'up ' + duration(n.uptime));
  const warnings = (n.warnings?.length || 0) + (n.waiting_for?.length || 0);
  sign('overview', warnings ? String(warnings) : '', warnings === 1 ? 'one warning' : warnings + ' warnings');
  const off = t.peers ? t.peers.total - t.peers.up : 0;
  sign('peers', off ? String(off) : '', off + ' not up');
  const errors = (n.warnings || []).length;
  if (badge !== (errors ? '▲ ' : '')) badge = errors ? '▲ ' : '';
  if (current?.title === undefined || badge) document.title = badge + document.title.replace(/^▲ /, '');
  put(foot.firstChild, 'xylem ' + (n.version || ''));
  put(foot.lastChild, access.version && access.version !== n.version ? 'xylem-web ' + access.version : '');
  current?.tick?.(t);
  status();
}
function sign(id, text, words) {
  const b = links.get(id).sign;
  put(b, text);
  b.hidden = !text;
  attr(b, 'aria-label', text ? words : null);
}

// --- who we are

function showLogin() {
  stream.restart();
  const wrong = h('p.wrong', { role: 'alert', hidden: true });
  const field = h('input', { id: 'password', type: 'password', autocomplete: 'current-password', required: true });
  const go = h('button.primary', { type: 'submit' }, h('span', null, 'Sign in'));
  const form = h('form', null, h('div.field', null, h('label', { for: 'password' }, 'Password of this node'), field), wrong, go);
  form.addEventListener('submit', async (e) => {
    e.preventDefault();
    go.disabled = true;
    wrong.hidden = true;
    try {
      await login(field.value);
      begin();
    } catch (err) {
      field.value = '';
      field.focus();
      wrong.textContent = err.status === 401 || err.status === 403 ? err.message || 'The password is wrong.' : err.message;
      wrong.hidden = false;
    }
    go.disabled = false;
  });
  current?.destroy?.();
  current = null;
  shown = '';
  document.title = 'Sign in · Xylem';
  refill(app, h('main.login', { id: 'main' }, h('div.card', null, logo(), h('h1', null, access.instance ? 'Xylem · ' + access.instance : 'Xylem'), access.ended ? h('p.dim', { role: 'status' }, 'Your session has ended. Sign in again.') : null,
    access.login ? form : h('div', null, h('p', null, 'This page wants a password, and none is set.'), h('p.dim', null, 'Make one with ', h('code', null, 'xylem-web --password'), ', put the line that it prints into web.conf, and start xylem-web again.')),
    access.scope !== 'none' ? button('Back', begin, { kind: 'quiet' }) : null)));
  if (access.login) field.focus();
}
async function out() {
  stream.stop(); // it would be cut
  await logout().catch(() => {});
  access.ended = false;
  forget();
  stream.restart();
  access.scope === 'none' ? showLogin() : begin();
}

function begin() {
  if (access.scope === 'none') return showLogin();
  if (!head.isConnected) refill(app, head, nav, h('div.content', null, banner, main, foot));
  put(signButton.querySelector('span'), access.scope === 'act' && access.login ? 'Sign out' : 'Sign in');
  signButton.hidden = access.public || !access.login;
  root.classList.toggle('read-only', !(access.scope === 'act' && access.act));
  for (const v of VIEWS) links.get(v.id).hidden = access.public && !!v.private;
  put(nodeName, access.instance);
  stream.restart();
  seed();
  current?.destroy?.();
  current = null;
  shown = '';
  route();
  status();
}

// --- find: views, peers, addresses

let hits = [], at = 0;
function search() {
  const q = finder.value.trim().toLowerCase();
  hits = [];
  if (q) {
    for (const v of VIEWS) if (v.name.toLowerCase().startsWith(q) && !(access.public && v.private)) hits.push([v.id, v.name, 'view', '#/' + v.id]);
    for (const [n, p] of live.peers) if (hits.length < 9 && (n + ' ' + (p.row?.endpoint || '') + ' ' + (p.row?.address || '')).toLowerCase().includes(q)) hits.push(['peers', n, p.row?.state || '', '#/peers/' + of(n)]);
    if (/^[0-9a-f:./]{3,}$/.test(q) && /[:.]/.test(q)) hits.push(['routes', 'where packets to ' + q + ' go', 'route', '#/routes?to=' + of(q)]);
    else if (!hits.some((x) => x[1].toLowerCase() === q)) {
      hits.push(['peers', 'peer ' + finder.value.trim(), 'open', '#/peers/' + of(finder.value.trim())]);
      hits.push(['routes', 'where ' + finder.value.trim() + ' is', 'asks the mesh', '#/routes?to=' + of(finder.value.trim())]);
    }
  }
  at = 0;
  drawHits();
}
function drawHits() {
  foundList.hidden = !hits.length;
  finder.setAttribute('aria-expanded', String(!!hits.length));
  attr(finder, 'aria-activedescendant', hits.length ? 'hit-' + at : null);
  refill(foundList, hits.map(([ic, text, more, href], i) => {
    const li = h('li', { id: 'hit-' + i, role: 'option', 'aria-selected': String(i === at) }, icon(ic), h('span.name', null, text), h('span.dim', null, more));
    li.addEventListener('pointerdown', (e) => { e.preventDefault(); go(href); });
    return li;
  }));
}
function go(href) {
  finder.value = '';
  search();
  finder.blur();
  location.hash = href;
}
finder.addEventListener('input', search);
finder.addEventListener('blur', () => { hits = []; drawHits(); });
finder.addEventListener('keydown', (e) => {
  if (e.key === 'ArrowDown' || e.key === 'ArrowUp') {
    at = (at + (e.key === 'ArrowDown' ? 1 : hits.length - 1)) % Math.max(1, hits.length);
    drawHits();
  } else if (e.key === 'Enter' && hits[at]) go(hits[at][3]);
  else if (e.key === 'Escape') { finder.value = ''; search(); finder.blur(); }
  else return;
  e.preventDefault();
});

// --- keys

let after = 0;
function help() {
  const single = h('input', { type: 'checkbox', id: 'single' });
  single.checked = keep.get('keys') !== 'off';
  single.addEventListener('change', () => keep.set('keys', single.checked ? null : 'off'));
  const row = (keys, text) => [h('dt', null, keys.map((k) => h('kbd', null, k))), h('dd', null, text)];
  dialog('Keys', [
    h('dl.keylist', null, row(['/'], 'filter or look up in this view'), row(['Ctrl', 'K'], 'find anything: views, peers, addresses'), row(['j'], 'next row'), row(['k'], 'row before'), row(['Enter'], 'open it'), row(['t'], 'light, dark, or as the system'), row(['?'], 'this list'), row(['Esc'], 'close, or empty a filter'),
      VIEWS.map((v) => row(['g', v.key], v.name))),
    h('p', null, h('label.check', null, single, ' keys of a single letter work'))]);
}
addEventListener('keydown', (e) => {
  if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === 'k' && head.isConnected) {
    finder.focus();
    return e.preventDefault();
  }
  if (e.ctrlKey || e.metaKey || e.altKey || !head.isConnected || document.querySelector('dialog[open]')) return;
  if (e.target.matches?.('input,textarea,select')) {
    if (e.key === 'Escape') e.target.blur();
    return;
  }
  if (keep.get('keys') === 'off' && e.key !== 'Escape') return;
  if (Date.now() < after) {
    after = 0;
    const v = VIEWS.find((x) => x.key === e.key);
    if (v) location.hash = '#/' + v.id;
    return;
  }
  if (e.key === '/') (place.querySelector('[data-slash]') || finder).focus();
  else if (e.key === '?') help();
  else if (e.key === 'g') after = Date.now() + 1500;
  else if (e.key === 't') nextTheme();
  else if (e.key === 'j') current?.move?.(1);
  else if (e.key === 'k') current?.move?.(-1);
  else if (e.key === 'Escape') menu(false);
  else return;
  e.preventDefault();
});

// --- the start

addEventListener('hashchange', () => head.isConnected && route());
addEventListener('sign-in', showLogin);
onAccess(() => access.ended && head.isConnected && showLogin());
on('tick', tick);
on('state', () => { status(); if (live.state.daemon === 'up') current?.state?.(); });
setInterval(() => head.isConnected && status(), 1000);

async function start() {
  for (let wait = 1000; ; wait = Math.min(wait * 2, 15000)) {
    try {
      await refresh();
      break;
    } catch (err) {
      refill(app, h('main.login', { id: 'main' }, h('div.card', null, logo(), h('h1', null, 'Xylem'), h('p', { role: 'alert' }, err.message), h('p.dim', null, 'Trying again …'))));
      await new Promise((r) => setTimeout(r, wait));
    }
  }
  stream.start(deliver, () => access.scope !== 'none', () => refresh().catch(() => {}));
  begin();
}
start();

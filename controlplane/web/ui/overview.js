// SPDX-License-Identifier: BSD-3-Clause
// The first page: what needs somebody first, in words; then how much, then who and what this node is.
import { h, icon, put, panel, copyable, refill, show } from './dom.js';
import { bitParts, bits, bytes, count, duration, mbit, num, percent, perSecond, time, NONE } from './format.js';
import { access, get, of } from './api.js';
import { live, past } from './live.js';
import { traffic, spark } from './chart.js';
import { stat, bar, facts, every, command, stateMark, given } from './bits.js';
import { act, drain, reload } from './actions.js';

export const name = 'Overview';

export function view() {
  let told = '', findings = null, config = null, routing = null;
  const attention = h('div.attention', { 'aria-live': 'polite' });
  const stats = {
    rx: stat('In'), tx: stat('Out'), peers: stat('Peers up', '#/peers'), sessions: stat('Sessions', '#/sessions'),
    routes: stat('Routes', '#/routes'), drops: stat('Drops', '#/drops'), load: stat('Busiest worker', '#/workers'), lag: stat('Control late'),
  };
  const peersBar = bar('peers up'), routesBar = bar('room for routes that is taken'), loadBar = bar('load of the busiest worker');
  stats.peers.extra.append(peersBar.el);
  stats.routes.extra.append(routesBar.el);
  stats.load.extra.append(loadBar.el);
  const chart = traffic('Traffic of all links', () => live);
  const dropSpark = spark(120, 24);
  stats.drops.extra.append(dropSpark.el);
  const busiest = h('div.list'), identity = h('div'), versions = h('div'), way = h('div'), losing = h('div.list'), workers = h('div.list');
  const toDrain = act('Drain', () => drain(true)), ofDrain = act('End drain', () => drain(false));
  const el = h('div.view', null,
    attention,
    h('div.stats', null, Object.values(stats).filter((x) => !(access.public && x === stats.drops)).map((x) => x.el)),
    h('div.grid', null,
      panel('Traffic', { id: 'ov-traffic', wide: true, note: 'all links, bits a second' }, chart.el),
      panel('Busiest peers', { id: 'ov-busy', note: 'Mbit/s', actions: h('a', { href: '#/peers' }, 'all peers') }, busiest),
      access.public ? null : panel('Drops by reason', { id: 'ov-drops', note: 'packets a second', actions: h('a', { href: '#/drops' }, 'all drops') }, losing),
      panel('Workers', { id: 'ov-workers', note: 'load of the last second', actions: h('a', { href: '#/workers' }, 'in detail') }, workers),
      panel('Routing', { id: 'ov-routing', actions: access.public ? null : h('a', { href: '#/mesh' }, 'the mesh') }, way),
      panel('This node', { id: 'ov-id', note: 'what others name it by' }, identity),
      panel('Running', { id: 'ov-run', actions: [toDrain, ofDrain, act('Reload', () => reload())] }, versions)));

  function attend(node) {
    const items = [], drained = (node?.warnings || []).some((w) => /^drained/.test(w));
    show(toDrain, !drained);
    show(ofDrain, drained);
    if (config?.refused) items.push({ level: 'fault', about: 'config', cause: 'what stands in the config file now is not in force: ' + config.refused, remedy: 'correct it, then reload; until then the old one is in force', command: 'xylem reload' });
    for (const f of findings || []) items.push(f);
    const covered = new Set((findings || []).map((f) => f.about));
    for (const w of node?.warnings || []) {
      const of = /^peer (\S+)/.exec(w)?.[1];
      if (!of || !covered.has(of)) items.push({ level: 'warning', about: '', cause: w, ...advice(w) });
    }
    for (const w of node?.waiting_for || []) items.push({ level: 'warning', about: '', cause: 'waiting for ' + w, remedy: 'it goes on by itself as soon as that is there' });
    const key = JSON.stringify(items) + !!node;
    if (key === told) return;
    told = key;
    const grave = items.filter((i) => i.level !== 'note'), notes = items.filter((i) => i.level === 'note');
    refill(attention,
      h('h2.off', null, 'What needs you'),
      grave.map(item),
      !node ? null : grave.length ? null : h('p.calm', null, icon('check'), h('span', null, node.warnings === undefined ? 'This page has no warnings: they are for those who may sign in.' : 'Nothing needs you. No warnings, no faults.')),
      notes.length ? h('details.notes', null, h('summary', null, notes.length === 1 ? '1 note' : notes.length + ' notes', h('span.dim', null, ' worth knowing, nothing broken')), notes.map(item)) : null);
  }
  function item(i) {
    const kind = i.level === 'fault' ? 'bad' : i.level === 'note' ? 'note' : 'warn';
    return h('article.finding.is-' + kind, null, icon(kind),
      h('div', null,
        h('p.cause', null, h('b', null, { bad: 'Fault', warn: 'Warning', note: 'Note' }[kind], i.about ? ' · ' + i.about : ''), ' ', i.cause),
        i.remedy ? h('p.remedy', null, h('span.dim', null, 'What to do: '), i.remedy) : null,
        i.evidence?.length ? h('details', null, h('summary', null, 'what speaks for it'), h('ul', null, i.evidence.map((e) => h('li', null, e)))) : null),
      i.command ? command(i.command) : null);
  }
  function advice(w) {
    if (/drained/.test(w)) return { remedy: 'End drain, below, when the work is done', command: 'xylem drain off' };
    return { command: 'xylem diagnose' };
  }

  let idKey = '';
  function about(n) {
    const key = JSON.stringify([n.address, n.public_key, n.ed25519_key, n.name, n.prefix]);
    if (key !== idKey) {
      idKey = key;
      refill(identity, facts([
        ['name', n.name], ['address', copyable(n.address, 'the address')], ['prefix', copyable(n.prefix, 'the prefix')],
        ['public key', copyable(n.public_key, 'the public key'), 'X25519: what peers name it by'], ['signs with', copyable(n.ed25519_key, 'the signing key'), 'Ed25519']]));
    }
    refill(versions, facts([
      ['version', n.version], ['up', duration(n.uptime)], given(n, 'interface', ['interface', (n.interface || 'none') + (n.mtu ? ', MTU ' + n.mtu : '')]),
      given(n, 'rss_bytes', ['memory', bytes(n.rss_bytes) + ' of the process']), given(n, 'memory', ['packets lie in', n.memory]), ['peering', n.peering],
      given(n, 'policy', ['host policy', n.policy]), given(n, 'refused_packets', ['refused by it', num(n.refused_packets)]), given(n, 'exit', ['exit', n.exit || 'none']), given(n, 'sandbox', ['sandbox', n.sandbox]),
      given(n, 'reloads', ['config reloads', num(n.reloads) + (n.reloads_refused ? ', refused: ' + n.reloads_refused : '')])]));
  }

  // Lists of a few rows, whose elements stay.
  const lists = new Map();
  function rows(host, items, make, none) {
    let pool = lists.get(host);
    if (!pool) lists.set(host, (pool = { rows: [], none: h('p.dim.none', null, none) }));
    while (pool.rows.length < items.length) pool.rows.push(make());
    const want = items.length ? pool.rows.slice(0, items.length).map((r) => r.el) : [pool.none];
    if (want.length !== host.children.length || want.some((e, i) => host.children[i] !== e)) host.replaceChildren(...want);
    items.forEach((x, i) => pool.rows[i].update(x));
  }
  function peerRow() {
    const state = stateMark(), label = h('span.name'), curve = spark(72, 20), rate = h('span.rates');
    const row = h('a.row', null, state.el, label, curve.el, rate);
    return { el: row, update(p) {
      state.update(p.state);
      state.el.classList.add('mark-only');
      put(label, p.name);
      row.title = p.trouble || p.name;
      row.href = '#/peers/' + of(p.name);
      curve.update(past(p.name));
      put(rate, mbit(p.rx_bps) + ' in, ' + mbit(p.tx_bps) + ' out');
    } };
  }
  function dropRow() {
    const label = h('span.name'), rate = h('span.rates'), b = bar('share of all drops of this second');
    const row = h('a.row', { href: '#/drops' }, label, b.el, rate);
    return { el: row, update(d) { put(label, d.reason); row.title = d.meaning; row.href = '#/drops/' + of(d.reason); b.set(d.share); put(rate, perSecond(d.per_second) + ' /s, ' + count(d.packets) + ' in all'); } };
  }
  function workerRow() {
    const label = h('span.name'), b = bar('load'), rate = h('span.rates');
    const row = h('div.row', null, label, b.el, rate);
    return { el: row, update(w) { put(label, 'worker ' + w.worker + (w.cpu >= 0 ? ' · CPU ' + w.cpu : '')); b.set(w.busy, w.alive === false ? 'bad' : w.busy > 0.9 ? 'warn' : ''); put(rate, w.alive === false ? 'stuck' : percent(w.busy) + ', ' + count(w.pps) + ' packets/s'); } };
  }

  const stops = [
    every(30000, async () => {
      if (access.public) return;
      const [d, c] = await Promise.all([get('/diagnosis').catch(() => null), get('/config').catch(() => null)]);
      findings = Array.isArray(d) ? d : d?.findings || d?.causes || null;
      config = c;
      attend(live.tick?.node);
    }),
    every(10000, async () => {
      routing = await get('/routing').catch(() => null);
      if (!routing) return;
      const r = routing;
      refill(way, facts([
        ['state', r.starting ? 'starting: nothing is announced yet' : 'announces, and uses what is announced'], ['neighbours', num(r.neighbours)],
        ['prefixes', num(r.reachable) + ' reachable of ' + num(r.prefixes) + ' known'], ['routes', num(r.routes) + ' of ' + num(r.origins) + ' nodes'],
        ['signatures', num(r.signatures_verified) + ' verified' + (r.signatures_waiting ? ', ' + num(r.signatures_waiting) + ' wait' : '')],
        given(r, 'routes_refused', ['refused', num(r.routes_refused) + (r.not_accepted ? '; not accepted: ' + r.not_accepted : '')]), given(r, 'memory_bytes', ['memory', bytes(r.memory_bytes)]), ['router id', copyable(r.router_id, 'the router id')]]));
    }),
  ];

  return {
    el,
    tick(t) {
      const n = t.node || {}, r = t.rates || {};
      attend(n);
      stats.rx.set(...bitParts(r.rx_bps), perSecond(r.rx_pps) + ' packets/s');
      stats.tx.set(...bitParts(r.tx_bps), perSecond(r.tx_pps) + ' packets/s');
      const total = t.peers?.total ?? n.peers, up = t.peers?.up ?? n.peers_up;
      stats.peers.set(num(up), 'of ' + num(total), total > up ? num(total - up) + ' not up' : total ? 'all of them' : 'none configured');
      peersBar.set(total ? up / total : 0);
      stats.sessions.set(num(n.sessions), '', num(n.far_nodes) + ' end to end');
      stats.routes.set(count(n.routes), '', 'room for ' + count(n.route_limit));
      routesBar.set(n.routes / n.route_limit, n.routes > n.route_limit * 0.9 ? 'warn' : '');
      const lost = (t.drops || []).reduce((s, d) => s + (d.per_second || 0), 0);
      stats.drops.set(perSecond(lost), '/s', t.drops?.length ? t.drops.length + (t.drops.length === 1 ? ' reason' : ' reasons') + ' so far' : 'none so far');
      dropSpark.single(live.drops, 10);
      const top = (t.workers || []).reduce((a, b) => (!a || b.busy > a.busy ? b : a), null);
      stats.load.set(top ? (top.busy * 100).toFixed(top.busy < 0.1 ? 1 : 0) : NONE, '%', (t.workers || []).length + ((t.workers || []).length === 1 ? ' worker' : ' workers'));
      loadBar.set(top?.busy, top?.busy > 0.9 ? 'warn' : '');
      const lag = time(n.loop_lag_p99_us).split(' ');
      stats.lag.set(lag[0], lag[1], 'most ' + time(n.loop_lag_max_us) + ', last minute', n.loop_lag_p99_us > 50000 ? 'warn' : '');
      chart.update();
      const byRate = (t.peers?.rows || []).slice().sort((a, b) => (b.rx_bps || 0) + (b.tx_bps || 0) - (a.rx_bps || 0) - (a.tx_bps || 0)).slice(0, 8);
      rows(busiest, byRate, peerRow, 'No peers yet. Add one on the Peers page, or in the config.');
      const worst = (t.drops || []).map((d) => ({ ...d, share: lost ? d.per_second / lost : 0 })).sort((a, b) => b.per_second - a.per_second || b.packets - a.packets).slice(0, 6);
      rows(losing, worst, dropRow, 'Nothing was dropped since the start.');
      rows(workers, (t.workers || []).slice(0, 16), workerRow, 'No workers.');
      if (n.address) about(n);
    },
    state() {},
    destroy() {
      stops.forEach((f) => f());
      chart.destroy();
    },
  };
}

// SPDX-License-Identifier: BSD-3-Clause
// Peers: those of the stream at once (those in trouble, then by rate), the others page by page as they come into sight
// or are searched for.
import { h, put, panel, refill, copyable, icon, attr } from './dom.js';
import { mbit, bytes, time, percent, ago, num, shorten, stateOf, duration, field, title } from './format.js';
import { get, of } from './api.js';
import { live, past } from './live.js';
import { table, filterBox } from './table.js';
import { traffic as chartOf, spark } from './chart.js';
import { stateMark, pages, every, facts, failed, chips, note, stat, given } from './bits.js';
import * as actions from './actions.js';
import * as tools from './tools.js';

export const name = 'Peers';

function linkCell(td) {
  const a = h('a.name'), tag = h('span.tag'), state = h('span.narrow');
  td.append(a, tag, state);
  return (r) => {
    put(a, r.name);
    attr(a, 'href', '#/peers/' + of(r.name));
    a.title = r.name;
    put(tag, r.kind === 'leaf' ? 'leaf' : r.peering && r.peering !== 'configured' ? r.peering : '');
    tag.hidden = !tag.textContent;
    put(state, r.state === 'up' ? '' : r.state);
  };
}
const stateCell = (td) => {
  const m = stateMark();
  td.append(m.el);
  return (r) => {
    m.update(r.state);
    if (r.trouble) m.el.title = r.trouble;
  };
};
const code = (read, room) => (td) => {
  const c = h('code');
  td.append(c);
  return (r) => {
    const v = read(r);
    put(c, shorten(v, room()));
    c.title = v || '';
  };
};
const GRAVE = { bad: 0, wait: 1, ok: 2, off: 3, idle: 4 };

export function view() {
  let only = 'all', words = '', scanning = false, over = false;
  const known = new Map(); // rows by name
  const rest = pages('/peers', 'peers');
  const t = table({
    name: 'peers', key: (r) => r.name, href: (r) => '#/peers/' + of(r.name),
    sort: { key: 'state', desc: false },
    cols: [
      { key: 'state', label: 'State', width: 'var(--w-state)', sort: (r) => GRAVE[stateOf(r.state)[0]] * 1e15 - (r.rx_bps || 0) - (r.tx_bps || 0), cell: stateCell, find: (r) => r.state + ' ' + (r.trouble || '') },
      { key: 'name', label: 'Name', sort: (r) => r.name, cell: linkCell, find: (r) => r.name + ' ' + r.kind },
      { key: 'endpoint', label: 'Endpoint', from: 900, width: 'var(--w-endpoint)', sort: (r) => r.endpoint, cell: code((r) => r.endpoint, () => (innerWidth < 1700 ? 25 : 42)), find: (r) => r.endpoint || '' },
      { key: 'address', label: 'Address', from: 1700, width: '13rem', sort: (r) => r.address, cell: code((r) => r.address, () => 25), find: (r) => r.address + ' ' + (r.key || '') },
      { key: 'rtt', label: 'RTT', hint: 'round trip, as routing measures it', num: true, from: 600, width: '4.9rem', sort: (r) => r.rtt_us, text: (r) => time(r.rtt_us) },
      { key: 'loss', label: 'Loss', num: true, from: 1280, width: '4.2rem', desc: true, sort: (r) => r.loss, text: (r) => percent(r.loss) },
      { key: 'rx', label: 'In', hint: 'Mbit/s', num: true, width: 'var(--w-rate)', desc: true, sort: (r) => r.rx_bps, text: (r) => mbit(r.rx_bps) },
      { key: 'tx', label: 'Out', hint: 'Mbit/s', num: true, width: 'var(--w-rate)', desc: true, sort: (r) => r.tx_bps, text: (r) => mbit(r.tx_bps) },
      { key: 'history', label: 'Last minute', from: 768, width: '7rem', cell: (td) => { const c = spark(110, 26); td.append(c.el); return (r) => c.update(past(r.name)); } },
      { key: 'sum', label: 'In all', hint: 'both directions', num: true, from: 1500, width: '6rem', desc: true, sort: (r) => (r.rx_bytes || 0) + (r.tx_bytes || 0), text: (r) => bytes((r.rx_bytes || 0) + (r.tx_bytes || 0)) },
      { key: 'heard', label: 'Heard', num: true, from: 1280, width: '6.3rem', sort: (r) => r.last_received, text: (r) => ago(r.last_received) },
      { key: 'cost', label: 'Cost', hint: 'of the link, to routing', num: true, from: 1500, width: '4.5rem', desc: true, sort: (r) => r.cost, text: (r) => num(r.cost) },
      { key: 'mtu', label: 'MTU', num: true, from: 1700, width: '4.5rem', sort: (r) => r.mtu, text: (r) => num(r.mtu) },
    ],
    none: (all, w) => (w || only !== 'all' ? [rest.done || !live.tick?.peers?.cut ? 'No peer fits.' : 'No peer fits so far; the others are looked through …', 'A name, a state, an address, an endpoint, or a key.'] : live.tick ? ['This node has no peers.', 'Add one here, or in the config: peers = ( { name = …; key = …; endpoint = …; } );'] : ['Waiting for the first numbers …']),
    end: more,
  });
  const sum = h('span.count', { role: 'status' });
  const fits = () => (only === 'all' ? null : (r) => (only === 'up' ? stateOf(r.state)[0] === 'ok' : only === 'leaf' ? r.kind === 'leaf' : stateOf(r.state)[0] !== 'ok'));
  const box = filterBox('Filter peers', (v) => { words = v; t.filter(v, fits()); leap(); scan(); });
  const el = h('div.view', null,
    h('div.toolbar', null, box, chips('which peers', [['all', 'All'], ['up', 'Up'], ['down', 'Not up'], ['leaf', 'Leaves']], 'all', (v) => { only = v; t.filter(words, fits()); scan(); }), sum,
      h('div.buttons', null, actions.act('Check all', () => tools.check()), actions.act('Add a peer', actions.addPeer, { name: 'plus' }), actions.act('Add a leaf', actions.addLeaf, { name: 'plus' }))),
    h('p.unitline', { 'aria-hidden': 'true' }, 'In and out in Mbit/s'), t.el);

  function merge() {
    for (const r of live.tick?.peers?.rows || []) known.set(r.name, r);
    t.set([...known.values()]);
    if (!live.tick) return put(sum, num(known.size) + ' loaded');
    const total = live.tick.peers?.total ?? known.size;
    put(sum, t.count() === known.size && known.size >= total ? num(total) + (total === 1 ? ' peer' : ' peers') : num(t.count()) + ' shown, ' + num(Math.min(known.size, total)) + ' of ' + num(total) + ' loaded');
  }
  async function more() {
    if (over || rest.done || !(live.tick?.peers?.cut ?? false)) return;
    const from = rest.rows.length;
    await rest.next();
    for (const r of rest.rows.slice(from)) if (!known.has(r.name)) known.set(r.name, r);
    merge();
  }
  // The list is by name, and a cursor a name to go on behind: those that begin so are there at once.
  let timer = 0;
  function leap() {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const text = words.trim(), last = text.charCodeAt(text.length - 1);
      if (over || !live.tick?.peers?.cut || text.length < 2 || last < 34 || last > 126) return;
      const page = await get('/peers', { cursor: text.slice(0, -1) + String.fromCharCode(last - 1) + '~' }).catch(() => null);
      for (const r of page?.peers || []) if (!known.has(r.name)) known.set(r.name, r);
      if (page && !over) merge();
    }, 200);
  }
  // Who filters wants all that fit: the other pages come, one after the other.
  async function scan() {
    if (scanning) return;
    scanning = true;
    while (!over && (words || only !== 'all') && live.tick?.peers?.cut && !rest.done) {
      await more();
      await new Promise((r) => setTimeout(r, 20));
    }
    scanning = false;
    t.redraw();
  }
  // Before the first numbers come: the first page, so that there is something to read.
  if (!live.tick)
    get('/peers').then((page) => {
      if (over || live.tick) return;
      for (const r of page.peers || []) known.set(r.name, r);
      merge();
    }, () => {});
  return {
    el,
    tick(tick) {
      // Who is gone from a list that is whole is gone.
      if (!tick.peers?.cut) {
        const names = new Set((tick.peers?.rows || []).map((r) => r.name));
        for (const n of known.keys()) if (!names.has(n)) known.delete(n);
      }
      merge();
    },
    move: t.move,
    destroy() {
      over = true;
      t.destroy();
    },
  };
}

// One peer.
export function one(peerName) {
  let peer = null, near = null, gone = { t: [], rx: [], tx: [] }, before = null, over = false;
  const mark = stateMark(), trouble = h('div'), groups = h('div.masonry'), chart = chartOf('Traffic of ' + peerName, () => gone, 220), off = actions.act('Traffic off', () => actions.traffic(peerName, peer?.state === 'traffic off'));
  const stats = { rx: stat('In'), tx: stat('Out'), rtt: stat('Round trip'), loss: stat('Loss'), heard: stat('Last heard'), routes: stat('Routes over it', '#/routes?peer=' + of(peerName)) };
  const removeButton = actions.act('Remove', () => actions.remove(peerName, peer?.kind === 'leaf'), { kind: 'quiet-danger' });
  const el = h('div.view', null,
    h('div.toolbar', null, h('a.back', { href: '#/peers' }, icon('back'), 'Peers'), mark.el, h('div.buttons', null, off, actions.act('Cost', () => actions.cost(peerName, near?.cost)), actions.act('Reset', () => actions.reset(peerName)), actions.act('Ping', () => tools.ping(peerName)), actions.act('Check', () => tools.check(peerName)), actions.act('Capture', () => tools.capture({ peer: peerName })), removeButton)),
    trouble, h('div.stats', null, Object.values(stats).map((x) => x.el)),
    panel('Traffic', { id: 'peer-traffic', wide: true }, chart.el), groups);

  function draw() {
    mark.update(peer.state);
    put(off.querySelector('span'), peer.state === 'traffic off' ? 'Traffic on' : 'Traffic off');
    const said = peer.trouble || near?.trouble;
    if (trouble.said !== said) {
      trouble.said = said;
      refill(trouble, said ? h('article.finding.is-warn', null, icon('warn'), h('div', null, h('p.cause', null, said), h('p.remedy', null, h('span.dim', null, 'More: '), 'xylem diagnose ' + actions.quote(peerName)))) : null);
    }
    const dl = (o, names) => facts(names.filter((n) => o && o[n] !== undefined).map((n) => [title(n), field(n, o[n])]));
    refill(groups,
      panel('Who it is', { id: 'peer-who' }, facts([['name', peer.name], ['kind', peer.kind], ['peering', peer.peering], ['key', copyable(peer.key, 'the key')], ['address', peer.address ? copyable(peer.address, 'the address') : '–'], near?.node ? ['calls itself', near.node] : null, given(peer, 'allowed', ['allowed', field('allowed', peer.allowed)])])),
      panel('Where it is', { id: 'peer-where' }, facts([given(peer, 'endpoint', ['endpoint', peer.endpoint ? copyable(peer.endpoint, 'the endpoint') : '–']), given(peer, 'endpoints', ['configured', field('endpoints', peer.endpoints)]), peer.unresolved ? ['without address', peer.unresolved] : null, ['last received', ago(peer.last_received)], given(peer, 'keepalive', ['keepalive', field('keepalive', peer.keepalive)]), ['MTU', num(peer.mtu) + (peer.mtu_from ? ', by ' + peer.mtu_from : '')], given(peer, 'unfragmented', ['whole up to', num(peer.unfragmented)]), given(peer, 'fragments', ['fragments', field('', peer.fragments)]), given(peer, 'path_limit', ['limit of the path', num(peer.path_limit)])])),
      panel('Session', { id: 'peer-session' }, facts([['received', bytes(peer.rx_bytes) + ', ' + num(peer.rx_packets) + ' packets'], ['sent', bytes(peer.tx_bytes) + ', ' + num(peer.tx_packets) + ' packets'], ['sessions', num(peer.sessions)], ['age', duration(peer.session_age)], ['last handshake', ago(peer.last_handshake)], ['handshakes begun', num(peer.handshakes_sent)], ['without an answer', num(peer.handshakes_failed)], given(peer, 'clock_apart', ['clock apart', peer.clock_apart === null ? '–' : peer.clock_apart + ' s'])])),
      near ? panel('Routing with it', { id: 'peer-routing', actions: h('a', { href: '#/routes?peer=' + of(peerName) }, 'its routes') }, hellos(near.hellos), dl(near, ['state', 'cost', 'rx_cost', 'tx_cost', 'rtt_us', 'routes', 'origins', 'waiting', 'losses', 'losses_lately', 'silences', 'resent', 'refused', 'reflected'])) : panel('Routing with it', { id: 'peer-routing' }, note('No routing is spoken with it.')));
  }
  function hellos(bitsText) {
    const bits = parseInt(bitsText || '0', 16);
    const heard = Array.from({ length: 16 }, (_, i) => (bits >> i) & 1);
    return h('div.hellos', { role: 'img', 'aria-label': heard.reduce((a, b) => a + b, 0) + ' of the last 16 hellos heard' }, heard.map((b) => h('i' + (b ? '.yes' : ''))), h('span.dim', null, 'last 16 hellos'));
  }
  let errors = 0;
  const stops = [every(2000, async () => {
    try {
      const [p, n, routes] = await Promise.all([get('/peers/' + of(peerName)), get('/neighbours', { peer: peerName }).catch(() => null), get('/routes', { peer: peerName, count: 'true' }).catch(() => null)]);
      if (over) return;
      errors = 0;
      peer = p.peers ? p.peers[0] : p;
      near = n?.neighbours?.find((x) => x.peer === peerName) || null;
      stats.routes.set(num(routes?.count), '', 'that packets follow');
      const now = Date.now() / 1000;
      const inStream = live.tick?.peers?.rows?.find((r) => r.name === peerName);
      if (!inStream && before) add(now, (8 * (peer.rx_bytes - before.rx)) / (now - before.at), (8 * (peer.tx_bytes - before.tx)) / (now - before.at));
      before = { at: now, rx: peer.rx_bytes, tx: peer.tx_bytes };
      if (!inStream) numbers(null);
      draw();
    } catch (err) {
      if (over || (peer && ++errors < 3)) return;
      refill(groups, failed(err.status === 404 ? new Error('There is no peer ' + peerName + ' (any more).') : err));
    }
  })];
  function add(at, rx, tx) {
    gone.t.push(at);
    gone.rx.push(rx === undefined ? null : Math.max(0, rx));
    gone.tx.push(tx === undefined ? null : Math.max(0, tx));
    if (gone.t.length > 600) for (const k of ['t', 'rx', 'tx']) gone[k].shift();
    chart.update();
  }
  function numbers(row) {
    const i = gone.t.length - 1, rx = row ? row.rx_bps : gone.rx[i], tx = row ? row.tx_bps : gone.tx[i];
    stats.rx.set(mbit(rx), 'Mbit/s', bytes(peer?.rx_bytes) + ' in all');
    stats.tx.set(mbit(tx), 'Mbit/s', bytes(peer?.tx_bytes) + ' in all');
    const rtt = time(row?.rtt_us ?? near?.rtt_us).split(' ');
    stats.rtt.set(rtt[0], rtt[1] || '', 'as routing measures it');
    stats.loss.set(percent(row?.loss), '', 'of the last hellos');
    stats.heard.set(ago(row?.last_received ?? peer?.last_received), '', peer?.state || '');
  }
  // Asked once, when the other side is known to know it.
  let told = false;
  const history = () => get('/history', { peer: peerName }).then((past0) => {
    if (over || !past0?.rx_bps) return;
    const n = past0.rx_bps.length, old = { t: [], rx: past0.rx_bps.slice(), tx: past0.tx_bps.slice() };
    for (let i = 0; i < n; i++) old.t.push((past0.end_ms - (n - 1 - i) * past0.step_ms) / 1000);
    const first = gone.t[0] ?? Infinity, keep = old.t.filter((x) => x < first).length;
    gone = { t: [...old.t.slice(0, keep), ...gone.t], rx: [...old.rx.slice(0, keep), ...gone.rx], tx: [...old.tx.slice(0, keep), ...gone.tx] };
    chart.update();
  }).catch(() => {});
  return {
    el, title: peerName,
    tick(t) {
      const row = t.peers?.rows?.find((r) => r.name === peerName);
      if (!told && (row || (t.peers?.cut && peer))) {
        told = true;
        history();
      }
      if (!row) return;
      const at = t.time / 1000;
      if (!gone.t.length || at > gone.t.at(-1)) add(at, row.rx_bps, row.tx_bps);
      numbers(row);
    },
    destroy() {
      over = true;
      stops.forEach((f) => f());
      chart.destroy();
    },
  };
}

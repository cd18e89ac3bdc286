// SPDX-License-Identifier: BSD-3-Clause
// Sessions, gateways, and what was changed at run time: lists that are asked for.
import { h, put, panel, refill, copyable, icon, attr } from './dom.js';
import { ago, bytes, duration, num, shorten, NONE } from './format.js';
import { get, of } from './api.js';
import { table, filterBox } from './table.js';
import { pages, every, facts, failed, stateMark, chips } from './bits.js';
import * as actions from './actions.js';

export function mono(read, room) {
  return (td) => {
    const c = h('code');
    td.append(c);
    return (r) => {
      const v = read(r);
      put(c, room ? shorten(v, room) : v || NONE);
      c.title = v || '';
    };
  };
}
export function peerLink(read) {
  return (td) => {
    const a = h('a.name');
    td.append(a);
    return (r) => {
      const n = read(r);
      put(a, n || NONE);
      attr(a, 'href', n ? '#/peers/' + of(n) : null);
      a.title = n || '';
    };
  };
}
const state = (td) => {
  const m = stateMark();
  td.append(m.el);
  return (r) => m.update(r.state);
};

// A list by cursor, asked anew each so many milliseconds as long as it is one page.
export function listView({ path, member, table: t, ms = 5000, tools = [], params = {}, what }) {
  let over = false, list = pages(path, member, params);
  const sum = h('span.count', { role: 'status' }), problem = h('div');
  const el = h('div.view', null, h('div.toolbar', null, tools, sum), problem, t.el);
  function draw() {
    if (list.error) refill(problem, failed(list.error, () => reset(params)));
    else problem.replaceChildren();
    t.set(list.rows);
    put(sum, num(t.count()) + (t.count() !== list.rows.length ? ' of ' + num(list.rows.length) : '') + (list.done ? ' ' : '+ ') + what);
  }
  async function more() {
    if (over || list.done) return;
    const mine = list;
    await mine.next();
    if (!over && mine === list) draw();
  }
  async function reset(next) {
    params = next;
    list = pages(path, member, params);
    await more();
  }
  const stop = every(ms, async () => {
    if (list.rows.length && !list.done) return;
    const fresh = pages(path, member, params), was = list;
    await fresh.next();
    if (over || was !== list) return;
    if (fresh.error && list.rows.length) return;
    list = fresh;
    draw();
  });
  return { el, more, reset, draw, move: t.move, get list() { return list; }, destroy() { over = true; stop(); t.destroy(); } };
}

export function sessions() {
  let only = 'all', words = '', view = null;
  const fits = () => (only === 'all' ? null : (r) => r.kind === only);
  const t = table({
    name: 'sessions', key: (r) => r.kind + r.peer + r.index + r.use + r.key, hold: false,
    cols: [
      { key: 'state', label: 'State', width: 'var(--w-state)', sort: (r) => r.state, cell: state, find: (r) => r.state },
      { key: 'peer', label: 'With', sort: (r) => r.peer, cell: (td) => { const a = h('a.name'), c = h('span.name'); td.append(a, c); return (r) => { const link = r.kind === 'link'; a.hidden = !link; c.hidden = link; put(link ? a : c, r.peer.length > 34 ? shorten(r.peer, 34) : r.peer); if (link) attr(a, 'href', '#/peers/' + of(r.peer)); td.title = r.peer; }; }, find: (r) => r.peer + ' ' + (r.address || '') + ' ' + (r.key || '') },
      { key: 'kind', label: 'Kind', from: 600, width: '6.4rem', sort: (r) => r.kind, text: (r) => r.kind },
      { key: 'use', label: 'Use', from: 900, width: '5.5rem', sort: (r) => r.use, text: (r) => r.use || NONE },
      { key: 'path', label: 'Over', hint: 'end to end: the peer that it leads over', from: 900, width: '7rem', sort: (r) => r.path, cell: peerLink((r) => r.path), find: (r) => r.path || '' },
      { key: 'age', label: 'Age', num: true, width: '6.5rem', sort: (r) => r.age, text: (r) => duration(r.age) },
      { key: 'idle', label: 'Carried', num: true, from: 1500, width: '7rem', sort: (r) => r.idle, text: (r) => ago(r.idle) },
      { key: 'rx', label: 'Opened', num: true, from: 600, width: '6rem', desc: true, sort: (r) => r.rx_bytes, text: (r) => bytes(r.rx_bytes) },
      { key: 'tx', label: 'Sealed', num: true, from: 600, width: '6rem', desc: true, sort: (r) => r.tx_bytes, text: (r) => bytes(r.tx_bytes) },
      { key: 'owner', label: 'Worker', num: true, from: 1280, width: '5rem', sort: (r) => r.owner, text: (r) => num(r.owner) },
      { key: 'role', label: 'Role', from: 1500, width: '6rem', sort: (r) => r.role, text: (r) => r.role || NONE },
      { key: 'index', label: 'Index', from: 1700, width: '6.5rem', cell: mono((r) => r.index), find: (r) => r.index || '' },
      { key: 'key', label: 'Key', from: 1500, width: '13rem', cell: mono((r) => r.key, 22), find: (r) => r.key || '' },
    ],
    none: (all, w) => (w || all ? ['No session fits.'] : ['No sessions.', 'One begins with the first handshake of a peer, or the first packet to a node end to end.']),
    end: () => view?.more(),
  });
  view = listView({ path: '/sessions', member: 'sessions', table: t, what: 'sessions', tools: [filterBox('Filter sessions', (v) => { words = v; t.filter(words, fits()); view.draw(); }), chips('which sessions', [['all', 'All'], ['link', 'Links'], ['end to end', 'End to end']], 'all', (v) => { only = v; t.filter(words, fits()); view.draw(); })] });
  return view;
}

export function gateways() {
  let view = null;
  const t = table({
    name: 'gateways', key: (r) => r.prefix + r.key, hold: false, sort: { key: 'prefix', desc: false },
    cols: [
      { key: 'prefix', label: 'Network', width: '26%', sort: (r) => r.prefix, cell: mono((r) => r.prefix), find: (r) => r.prefix },
      { key: 'gateway', label: 'Gateway', sort: (r) => r.gateway, cell: (td) => { const c = h('span.name'); td.append(c); return (r) => { put(c, r.gateway); c.title = r.gateway + '\n' + r.key; }; }, find: (r) => r.gateway + ' ' + r.key },
      { key: 'used', label: 'Used', width: '5.5rem', sort: (r) => (r.used ? 0 : 1), cell: (td) => { const m = stateMark(); td.append(m.el); return (r) => { m.update(r.used ? 'used' : 'not used'); m.el.title = r.why_not || 'our packets take it'; }; } },
      { key: 'why', label: 'Why not', from: 900, width: '26%', sort: (r) => r.why_not, cell: (td) => { const c = h('span'); td.append(c); return (r) => { put(c, r.why_not || ''); c.title = r.why_not || ''; }; }, find: (r) => r.why_not || '' },
      { key: 'via', label: 'Over', from: 600, width: '8rem', sort: (r) => r.via, cell: peerLink((r) => r.via), find: (r) => r.via || '' },
      { key: 'metric', label: 'Metric', num: true, width: '5rem', sort: (r) => r.metric, text: (r) => num(r.metric) },
      { key: 'age', label: 'Said', num: true, from: 1100, width: '7rem', sort: (r) => r.age, text: (r) => ago(r.age) },
    ],
    none: (all) => (all ? ['No gateway fits.'] : ['No gateway is known.', 'A node that announces a network outside the mesh (announce = [ "10.0.0.0/24" ]) is one; routing.accept says whom this node believes.']),
    end: () => view?.more(),
  });
  view = listView({ path: '/gateways', member: 'gateways', table: t, what: 'networks', tools: [filterBox('Filter gateways', (v) => { t.filter(v); view.draw(); })] });
  return view;
}

export function config() {
  const body = h('div.view');
  const stop = every(5000, async () => {
    try {
      const [c, policy] = await Promise.all([get('/config'), get('/policy').catch(() => null)]);
      refill(body,
        c.refused ? h('article.finding.is-bad', null, icon('bad'), h('div', null, h('p.cause', null, h('b', null, 'Not in force'), ' What stands in the config now is not in force: ' + c.refused), h('p.remedy', null, h('span.dim', null, 'What to do: '), 'correct it, then reload; until then the old one is in force'))) : null,
        c.unkept ? h('article.finding.is-warn', null, icon('warn'), h('div', null, h('p.cause', null, 'What was changed at run time is lost at a restart: ' + c.unkept))) : null,
        panel('Changed at run time', { id: 'cfg-changed', wide: true, note: c.changed.length ? 'where it differs from the file; xylem config write puts it there' : null, actions: actions.act('Reload', actions.reload) },
          c.changed.length ? h('div.scroll', { tabindex: '0', role: 'region', 'aria-label': 'changes' }, h('table.plain.stack', null, h('thead', null, h('tr', null, ['Setting', 'In the file', 'Set at run time', 'In force'].map((x) => h('th', { scope: 'col' }, x)))),
            h('tbody', null, c.changed.map((x) => h('tr', null, h('th', { scope: 'row' }, x.setting), h('td', { 'data-label': 'In the file' }, x.file ?? 'not there'), h('td', { 'data-label': 'Set at run time' }, x.run_time ?? NONE), h('td', { 'data-label': 'In force' }, x.effective ?? 'no such peer in the config'))))))
            : h('div.empty', null, h('p', null, 'Nothing. What is in force is what the config says.'))),
        h('div.grid', null,
          panel('Files', { id: 'cfg-files' }, facts([['config', c.file ? copyable(c.file, 'the path') : 'none'], ['changed at run time', c.run_time ? copyable(c.run_time, 'the path') : 'not kept']])),
          policy ? panel('What the mesh may reach of this host', { id: 'cfg-policy', wide: policy.rules.length > 0, note: policy.policy }, policy.rules.length ? h('div.scroll', { tabindex: '0', role: 'region', 'aria-label': 'rules' }, h('table.plain', null, h('thead', null, h('tr', null, ['What', 'From', 'Does', 'Packets'].map((x, i) => h('th' + (i === 3 ? '.num' : ''), { scope: 'col' }, x)))), h('tbody', null, policy.rules.map((r) => h('tr', null, h('td', null, r.what), h('td', null, r.from), h('td', null, r.does), h('td.num', null, num(r.packets))))))) : h('p.dim', null, policy.policy === 'deny' ? 'Nothing: no rule lets anything in.' : 'No rules.')) : null));
    } catch (err) {
      if (!body.firstChild) refill(body, failed(err));
    }
  });
  return { el: body, destroy: stop };
}

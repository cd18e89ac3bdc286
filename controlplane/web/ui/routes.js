// SPDX-License-Identifier: BSD-3-Clause
// Routes: where packets to an address go, and why; and all that are in force, page by page.
import { h, icon, put, panel, refill } from './dom.js';
import { num, ago, shorten, time, NONE } from './format.js';
import { access, get, untilDone } from './api.js';
import { table } from './table.js';
import { failed } from './bits.js';
import { listView, mono, peerLink } from './lists.js';

export const name = 'Routes';

export function view(args) {
  let over = false, asked = 0, list = null;
  const params = { peer: args.get('peer') || '', within: args.get('within') || '' };
  const input = h('input.mono', { id: 'where', type: 'text', placeholder: 'address, prefix or name', autocomplete: 'off', spellcheck: 'false', autocapitalize: 'off', 'data-slash': '' });
  const answer = h('div.answer', { 'aria-live': 'polite' });
  const form = h('form.lookup', { role: 'search' }, h('label', { for: 'where' }, 'Where do packets go to'), input, h('button.primary', { type: 'submit' }, h('span', null, 'Look up')));
  form.addEventListener('submit', (e) => {
    e.preventDefault();
    const v = input.value.trim();
    if (v) look(v);
  });

  async function look(what) {
    const mine = ++asked, alive = () => !over && mine === asked;
    refill(answer, h('p.dim', null, 'Asking …'));
    try {
      let target = what;
      if (!/[:.]/.test(what) && !access.public) {
        const who = await untilDone('/name', { name: what }, { alive });
        if (!alive()) return;
        if (!who?.address) throw new Error(who?.kind ? what + ' has no address that packets go to' : 'Nobody here knows ' + what + '. Write an address, or look at the mesh.');
        target = who.address;
      }
      const r = await get('/route', { prefix: target });
      if (!alive()) return;
      const hops = h('div');
      refill(answer, why(target, r), hops);
      if (!access.public && !target.includes('/') && target.includes(':')) await path(target, hops, alive);
    } catch (err) {
      if (alive()) refill(answer, failed(err));
    }
  }

  function why(target, r) {
    const best = r.routes?.find((x) => x.in_force) || r.routes?.[0];
    const lead = !r.match ? h('p.cause', null, h('b', null, 'No route'), ' Packets to ' + target + ' are dropped here.')
      : h('p.cause', null, h('b', null, best?.peers?.length ? 'By ' + best.peers.join(', ') : best?.kind === 'host' ? 'To this host' : best?.kind === 'reject' ? 'Rejected' : 'In force'), ' Packets follow ', h('code', null, r.match), best ? ', ' + words(best) : '', '.');
    return h('div', null, h('article.finding.is-' + (r.match ? 'ok' : 'warn'), null, icon(r.match ? 'check' : 'warn'), h('div', null, lead, r.inside ? h('p.remedy', null, 'A longer one in force lies in it: ', h('code', null, r.inside)) : null)),
      section('What each source wants', ['Source', 'Next hop', 'Whose', ''], (r.routes || []).map((x) => [x.source, x.peers?.join(', ') || x.kind, x.node || shorten(x.node_address, 26), x.in_force ? 'in force' : 'not in force'])),
      section('What each neighbour says', ['Neighbour', 'What becomes of it', 'Metric', 'Its own', 'Age'], (r.babel || []).map((x) => [x.peer || 'this node', x.state + (x.held_ms ? ', held for ' + num(x.held_ms) + ' ms' : '') + (x.feasible ? '' : ', may lead back here'), x.metric === null ? 'retracted' : num(x.metric), num(x.refmetric), ago(x.age)])),
      section('Known, and not followed', ['Prefix', 'By', 'Metric', 'Why not'], (r.unused || []).map((x) => [x.prefix, x.peer || 'this node', x.metric === null ? NONE : num(x.metric), x.why_not])),
      section('Not told of it', ['Neighbour', 'Why'], (r.not_announced || []).map((x) => [x.peer, x.reason])));
  }
  const words = (x) => ({ static: 'which the config says', own: 'which is ours', leaf: 'a leaf of this node', announced: 'which we announce', learned: 'learned by routing', peer: 'the peer itself' })[x.source] || x.source;
  function section(title, heads, rows) {
    if (!rows.length) return null;
    return h('div.why', null, h('h3', null, title), h('div.scroll', { tabindex: '0', role: 'region', 'aria-label': title }, h('table.plain', null, h('thead', null, h('tr', null, heads.map((x) => h('th', { scope: 'col' }, x || h('span.off', null, 'in force'))))), h('tbody', null, rows.map((r) => h('tr', null, r.map((c) => h('td', null, c))))))));
  }

  async function path(address, host, alive) {
    const ol = h('ol.hops'), end = h('p.dim', null, 'Nodes on the way are asked …');
    refill(host, h('h3', null, 'The nodes on the way'), ol, end);
    const r = await untilDone('/path', { address }, { alive, each: (p) => {
      refill(ol, (p.hops || []).map((x) => h('li', null, h('span.hop', null, x.hop), h('span.name', null, x.name || x.peer || 'no name known'), h('code.dim', { title: x.address }, shorten(x.address, 26)), h('span.num', null, x.state === 'answered' ? time(x.rtt_us) : x.state), x.after_gap ? h('span.dim', null, 'there may be others before it') : null)));
    } });
    if (alive()) put(end, { reached: 'It was reached.', 'no route': 'There the way ends: no route.', 'no answer': 'No answer after that.', loop: 'It goes in a circle.', 'too long': 'It is too long to follow.' }[r?.end] || 'No answer in time.');
  }

  const t = table({
    name: 'routes in force', key: (r) => r.prefix, hold: false,
    cols: [
      { key: 'prefix', label: 'Prefix', width: 'var(--w-prefix)', cell: (td) => { const b = h('button.link', { type: 'button' }, h('code')); let now = ''; b.addEventListener('click', () => { input.value = now; look(now); scrollTo({ top: 0 }); }); td.append(b); return (r) => { now = r.prefix; put(b.firstChild, r.prefix); b.title = 'why ' + r.prefix; }; } },
      { key: 'peer', label: 'Next hop', cell: (td) => { const link = peerLink((r) => r.peers?.[0] || r.peer)(td), more = h('span.dim'); td.append(more); return (r) => { link(r); put(more, r.peers?.length > 1 ? ' +' + (r.peers.length - 1) : !r.peer && !r.peers?.length ? r.kind : ''); td.firstChild.hidden = !r.peer && !r.peers?.length; td.title = (r.peers || []).join(', '); }; } },
      { key: 'source', label: 'Source', from: 600, width: '6.5rem', text: (r) => r.source },
      { key: 'metric', label: 'Metric', num: true, from: 600, width: '5rem', text: (r) => (r.metric === undefined ? NONE : r.metric === null ? 'retracted' : num(r.metric)) },
      { key: 'node', label: 'Whose', from: 900, width: '20%', cell: (td) => { const c = h('span.name'); td.append(c); return (r) => { put(c, r.node || shorten(r.node_address, 26)); c.title = [r.node, r.node_address, r.origin].filter(Boolean).join('\n'); }; } },
      { key: 'age', label: 'Said', num: true, from: 1100, width: '7rem', text: (r) => (r.age === undefined ? NONE : ago(r.age)) },
      { key: 'origin', label: 'Signed by', from: 1500, width: '14rem', cell: mono((r) => r.origin, 24) },
    ],
    none: () => [params.peer || params.within ? 'No route fits.' : 'No routes.', params.peer || params.within ? 'Take the filter away to see all.' : 'They come with the first peer that is up.'],
    end: () => list?.more(),
  });
  const within = h('input.filter.mono', { type: 'search', placeholder: 'within a prefix', 'aria-label': 'routes within a prefix', value: params.within, spellcheck: 'false', autocapitalize: 'off' });
  const by = h('input.filter', { type: 'search', placeholder: 'over a peer', 'aria-label': 'routes over a peer', value: params.peer, spellcheck: 'false', autocapitalize: 'off' });
  let timer = 0;
  for (const [i, k] of [[within, 'within'], [by, 'peer']])
    i.addEventListener('input', () => {
      params[k] = i.value.trim();
      clearTimeout(timer);
      timer = setTimeout(() => {
        list.reset({ ...params });
        total();
      }, 300);
    });
  list = listView({ path: '/routes', member: 'routes', params: { ...params }, table: t, ms: 10000, what: 'loaded', tools: [h('h2.toolhead', null, 'Routes in force'), access.public ? null : h('label.filterbox', null, icon('search'), within), h('label.filterbox', null, icon('search'), by)] });
  const all = h('span.count');
  list.el.querySelector('.count').before(all);
  // Many are counted piece by piece.
  let counts = 0;
  async function total() {
    const mine = ++counts, asks = { ...params, count: 'true' };
    let n = 0, cursor = null;
    put(all, '');
    do {
      const r = await get('/routes', { ...asks, cursor }).catch(() => null);
      if (over || mine !== counts) return;
      if (!r || r.count === null) return put(all, '');
      n += r.count;
      cursor = r.next;
      put(all, num(n) + (cursor ? '+' : '') + ' in all,');
    } while (cursor);
  }
  total();
  const el = h('div.view', null, access.public ? null : panel('Look up', { id: 'lookup', wide: true, note: 'and why it is so' }, form, answer), list.el);
  if (args.get('to')) {
    input.value = args.get('to');
    look(input.value);
  }
  return { el, move: t.move, destroy() { over = true; list.destroy(); } };
}

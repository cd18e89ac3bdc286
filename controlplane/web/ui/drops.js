// SPDX-License-Identifier: BSD-3-Clause
// Drops: reason, meaning, rate, and whose they were.
import { h, put, panel, refill } from './dom.js';
import { num, perSecond, ago, count } from './format.js';
import { get } from './api.js';
import { live } from './live.js';
import { spark } from './chart.js';
import { table, filterBox } from './table.js';
import { every, failed, bar, chips } from './bits.js';
import { dialog, act } from './actions.js';
import { capture } from './tools.js';

export const name = 'Drops';

export function view(args, reason) {
  let all = [], kernel = [], only = 'some', words = '', opened = null;
  const history = spark(600, 44), now = h('b'), sum = h('span.dim');
  const rates = new Map();
  const t = table({
    name: 'drops by reason', key: (r) => r.reason, sort: { key: 'rate', desc: true },
    cols: [
      { key: 'reason', label: 'Reason', width: 'var(--w-reason)', sort: (r) => r.reason, cell: (td) => { const b = h('button.link', { type: 'button' }); let r0 = ''; b.addEventListener('click', () => open(r0)); td.append(b); return (r) => { r0 = r.reason; put(b, r.reason); b.title = r.meaning + '\nwhose were they?'; }; }, find: (r) => r.reason },
      { key: 'meaning', label: 'Meaning', from: 600, cell: (td) => { const c = h('span'); td.append(c); return (r) => { put(c, r.meaning); c.title = r.meaning; }; }, find: (r) => r.meaning },
      { key: 'share', label: 'Share now', from: 900, width: '9rem', cell: (td) => { const b = bar('share of all drops of this second'); td.append(b.el); return (r) => b.set(r.share); } },
      { key: 'rate', label: 'Each second', num: true, width: '7rem', desc: true, sort: (r) => r.rate * 1e12 + r.packets, text: (r) => perSecond(r.rate) },
      { key: 'packets', label: 'In all', num: true, width: '6.5rem', desc: true, sort: (r) => r.packets, text: (r) => num(r.packets) },
    ],
    none: (n, w) => (w ? ['No reason fits.'] : live.tick ? ['Nothing was dropped since the start.', 'Every packet that came went on, or ended here as meant.'] : ['Waiting for the first numbers …']),
  });
  const kernelBox = h('div');
  const el = h('div.view', null,
    panel('All drops', { id: 'drops-all', wide: true, note: 'packets a second, the last two minutes' }, h('div.curve', null, h('p.big', null, now, ' ', sum), history.el)),
    h('div.toolbar', null, filterBox('Filter reasons', (v) => { words = v; t.filter(words); }), chips('which reasons', [['some', 'Those there were'], ['all', 'All reasons']], 'some', (v) => { only = v; merge(); })),
    t.el, kernelBox);

  function merge() {
    const from = only === 'all' ? all : all.filter((d) => d.packets);
    let total = 0;
    for (const d of rates.values()) total += d.per_second || 0;
    const names = new Set(from.map((d) => d.reason));
    const rows = [...from, ...[...rates.values()].filter((d) => !names.has(d.reason))].map((d) => {
      const r = rates.get(d.reason);
      return { reason: d.reason, meaning: d.meaning, packets: Math.max(d.packets, r?.packets || 0), rate: r?.per_second || 0, share: total ? (r?.per_second || 0) / total : 0 };
    });
    t.set(rows);
    history.single(live.drops, 10);
    put(now, perSecond(total) + ' /s');
    put(sum, num(rows.reduce((n, r) => n + r.packets, 0)) + ' since the start');
  }
  function drawKernel() {
    const some = kernel.filter((k) => k.packets);
    refill(kernelBox, panel('Dropped by the kernel or a card', { id: 'drops-kernel', wide: true, note: 'before a worker saw them, or behind it' }, some.length ? h('div.scroll', { tabindex: '0', role: 'region', 'aria-label': 'kernel drops' }, h('table.plain', null, h('thead', null, h('tr', null, h('th', { scope: 'col' }, 'Place'), h('th', { scope: 'col' }, 'Meaning'), h('th.num', { scope: 'col' }, 'Packets'))), h('tbody', null, some.map((k) => h('tr', null, h('th', { scope: 'row' }, k.place + ' ', h('span.dim', null, k.counter)), h('td', null, k.meaning), h('td.num', null, num(k.packets))))))) : h('p.dim', null, 'None.')));
  }
  async function open(which) {
    const body = h('div', null, h('p.dim', null, 'Asking …'));
    if (opened) return;
    opened = dialog('Dropped: ' + which, body, { kind: 'broad', onclose: () => { opened = null; if (reason) location.hash = '#/drops'; } });
    try {
      const d = await get('/drop', { reason: which });
      const nodeOf = (a, n) => (a ? [h('code', null, a), n ? h('span.dim', null, ' ' + n) : null] : h('span.dim', null, '–'));
      refill(body, h('p', null, d.meaning), h('p.big', null, h('b', null, num(d.packets)), ' ', h('span.dim', null, 'packets since the start')),
        d.owners?.length ? [h('h3', null, 'Whose they were'), h('div.scroll', { tabindex: '0', role: 'region', 'aria-label': 'owners' }, h('table.plain.stack', null, h('thead', null, h('tr', null, ['Who brought them, or could not be sent them', 'Packets', 'Last', 'From', 'To'].map((x) => h('th', { scope: 'col' }, x)))),
          h('tbody', null, d.owners.map((o) => h('tr', null, h('th', { scope: 'row' }, o.peer, o.certain ? null : h('span.dim', null, ' (anybody may say so)')), h('td', { 'data-label': 'Packets' }, num(o.packets)), h('td', { 'data-label': 'Last' }, ago(o.last)), h('td', { 'data-label': 'From' }, nodeOf(o.source, o.source_node)), h('td', { 'data-label': 'To' }, nodeOf(o.destination, o.destination_node)))))))] : h('p.dim', null, d.packets ? 'Whose they were is not kept for this reason.' : 'None so far.'),
        d.more ? h('p.dim', null, num(d.more) + ' more are not listed') : null, d.others ? h('p.dim', null, count(d.others) + ' packets are of nobody in the table: there was no room, or he is gone') : null,
        h('div.buttons', null, act('Capture', () => { opened?.close(); capture({ drop: which }); })));
    } catch (err) {
      refill(body, failed(err));
    }
  }
  const stop = every(4000, async () => {
    const r = await get('/drops');
    all = r.drops || [];
    kernel = r.kernel || [];
    merge();
    drawKernel();
  });
  if (reason) open(reason);
  return {
    el, move: t.move,
    tick(tick) {
      rates.clear();
      for (const d of tick.drops || []) rates.set(d.reason, d);
      merge();
    },
    destroy() { stop(); t.destroy(); opened?.close(); },
  };
}

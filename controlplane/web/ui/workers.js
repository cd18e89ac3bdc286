// SPDX-License-Identifier: BSD-3-Clause
// Workers: how busy each is, that no packet is unaccounted for, and what each node of the graph costs.
import { h, put, panel, refill, icon } from './dom.js';
import { num, count, percent, bytes, perSecond } from './format.js';
import { access, get } from './api.js';
import { live } from './live.js';
import { spark } from './chart.js';
import { bar, every, facts, failed } from './bits.js';

export const name = 'Workers';

const CAME = [['rx', 'from ports'], ['host_rx', 'from this host'], ['ring_in', 'other threads'], ['generated', 'made here'], ['split', 'by cutting']];
const WENT = [['tx', 'to ports'], ['host_tx', 'to this host'], ['ring_out', 'other workers'], ['punted', 'control plane'], ['consumed', 'ended here'], ['merged', 'by joining'], ['drops', 'dropped'], ['held', 'held now']];

function card(worker) {
  const load = h('b'), sub = h('span.dim'), b = bar('load of worker ' + worker), curve = spark(280, 40), balance = h('p.balance');
  const cells = new Map();
  const side = (title, terms) => h('div', null, h('h3', null, title), h('dl.ledger', null, terms.map(([k, label]) => { const dd = h('dd'); cells.set(k, dd); return [h('dt', null, label), dd]; })));
  const el = panel('Worker ' + worker, { id: 'worker-' + worker }, h('p.big', null, load, ' ', sub), b.el, curve.el, h('div.ledgers', null, side('Came in', CAME), side('Went', WENT)), balance);
  return {
    el,
    update(w) {
      put(load, w.alive === false ? 'stuck' : percent(w.busy));
      put(sub, count(w.pps) + ' packets/s' + (w.cpu >= 0 ? ' · CPU ' + w.cpu : ' · not pinned'));
      b.set(w.busy, w.alive === false ? 'bad' : w.busy > 0.9 ? 'warn' : '');
      curve.single(live.busy.get(w.worker) || [], 1);
      for (const [k, dd] of cells) put(dd, num(w[k]));
      // What is on its way between two threads while it is counted: nothing is missing.
      const ok = w.balance === 0;
      if (balance.was !== ok || !ok) {
        balance.was = ok;
        refill(balance, icon(ok ? 'check' : 'note'), h('span', null, ok ? 'Every packet is accounted for' : num(Math.abs(w.balance)) + ' packets on their way while this was counted; 0 at a quiet moment'));
        balance.className = 'balance ' + (ok ? 'is-ok' : 'is-note');
      }
    },
  };
}

export function view() {
  const cards = new Map(), host = h('div.grid.broadcells'), graph = h('div.bars'), ports = h('div');
  const el = h('div.view', null, host,
    panel('What a packet costs in each node of the graph', { id: 'graph', wide: true, note: 'cycles per packet, all workers, last second' }, graph),
    ports);
  const rows = new Map();
  function drawGraph(list) {
    const sorted = list.filter((g) => g.packets > 0).sort((a, b) => b.cycles_per_packet - a.cycles_per_packet);
    const most = Math.max(1, ...sorted.map((g) => g.cycles_per_packet));
    const all = sorted.reduce((n, g) => n + g.cycles_per_packet * (g.pps || 0), 0);
    for (const [k, r] of rows) if (!sorted.some((g) => g.node === k)) { r.el.remove(); rows.delete(k); }
    if (!sorted.length) return refill(graph, h('p.dim', null, 'No packets in the last second.'));
    if (!rows.size) graph.replaceChildren(h('div.barhead', { 'aria-hidden': 'true' }, h('span', null, 'Node'), h('span'), h('span.num', null, 'Cycles'), h('span.num', null, 'Packets/s'), h('span.num', null, 'Of the work')));
    sorted.forEach((g, i) => {
      let r = rows.get(g.node);
      if (!r) {
        const label = h('code', null, g.node), b = bar('cycles per packet of ' + g.node), cycles = h('span.num'), pps = h('span.num'), share = h('span.num');
        rows.set(g.node, (r = { el: h('div.barrow', null, label, b.el, cycles, pps, share), b, cycles, pps, share }));
      }
      r.b.set(g.cycles_per_packet / most);
      put(r.cycles, num(g.cycles_per_packet));
      put(r.pps, perSecond(g.pps));
      put(r.share, all ? percent((g.cycles_per_packet * (g.pps || 0)) / all) : '–');
      const at = graph.children[i + 1];
      if (at !== r.el && !graph.matches(':hover')) graph.insertBefore(r.el, at || null);
      else if (!r.el.isConnected) graph.append(r.el);
    });
  }
  const stop = every(5000, async () => {
    if (access.public) return;
    try {
      const p = await get('/ports');
      refill(ports, h('div.grid', null,
        p.ports.map((x) => panel('Port ' + x.port, { id: 'port-' + x.port, note: x.driver + (x.interface ? ' ' + x.interface : '') + (x.mode ? ', ' + x.mode : '') }, x.note ? h('p.dim', null, x.note) : null, facts([['listens at', '[' + x.address + ']:' + x.udp_port], ['queues', num(x.queues)], ['received', num(x.rx_packets) + ' packets, ' + bytes(x.rx_bytes)], ['sent', num(x.tx_packets) + ' packets, ' + bytes(x.tx_bytes)], ['missed', num(x.rx_missed)], ['not taken', num(x.tx_errors)], ['in fragments', num(x.rx_fragmented) + ' received, ' + num(x.tx_fragmented) + ' sent']]))),
        p.hosts.map((x) => panel('Host interface', { id: 'host-if', note: x.host }, facts([['MTU', num(x.mtu)], ['queues', num(x.queues)], ['from this host', num(x.rx_packets) + ' packets, ' + bytes(x.rx_bytes)], ['to this host', num(x.tx_packets) + ' packets, ' + bytes(x.tx_bytes)], ['missed', num(x.rx_missed)], ['not taken', num(x.tx_errors)]])))));
    } catch (err) {
      if (err.status !== 403 && err.status !== 404 && !ports.firstChild) refill(ports, failed(err));
    }
  });
  return {
    el,
    tick(t) {
      for (const w of t.workers || []) {
        let c = cards.get(w.worker);
        if (!c) {
          cards.set(w.worker, (c = card(w.worker)));
          host.append(c.el);
        }
        c.update(w);
      }
      drawGraph(t.graph || []);
    },
    destroy: stop,
  };
}

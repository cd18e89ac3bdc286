// SPDX-License-Identifier: BSD-3-Clause
// What sends packets or takes them: ping, check, capture. Each goes on while its dialog is open, and is over when that is
// closed.
import { h, put, refill, button, say } from './dom.js';
import { percent, num, bytes } from './format.js';
import { lines, bytesOf, send } from './api.js';
import { failed } from './bits.js';
import { dialog, confirm, download, quote, aNumber, number } from './actions.js';

const file = (what) => 'xylem-' + what.replace(/[^\w.-]+/g, '-').slice(0, 40) + '.pcapng';
const ms = (v) => (v === null || v === undefined ? '–' : v.toFixed(v < 10 ? 2 : 1) + ' ms');

export function ping(to) {
  const head = h('p', null, 'Asking for the way …'), list = h('div.said', { role: 'log', 'aria-label': 'answers', tabindex: '0' }), sum = h('p.dim', { role: 'status' });
  const again = button('Ping again', run);
  let stop = null, open = true, from = to;
  const d = dialog('Ping ' + to, [head, list, sum, h('p.same', null, h('span.dim', null, 'The same in a terminal: '), h('code', null, 'xylem ping ' + quote(to))), h('div.buttons', null, again)], { onclose: () => { open = false; stop?.abort(); } });
  function line(x) {
    if (x.way) {
      from = x.address;
      put(head, `${x.name} (${x.address}), ${x.way}`);
      if (x.warning) list.append(h('p.is-bad', null, x.warning));
    } else if (x.sum) {
      const s = x.sum;
      put(sum, `${s.received} of ${s.sent} came back, ${percent(s.loss)} lost` + (s.received ? `; ${ms(s.rtt_min_ms)} to ${ms(s.rtt_max_ms)}, ${ms(s.rtt_avg_ms)} on average` : ''));
    } else list.append(h('p' + (x.answer ? '' : '.is-bad'), null, x.answer ? [h('b.num', null, ms(x.ms)), h('span.dim', null, `no. ${x.seq}, hop limit ${x.hops}${x.from.includes(from) ? '' : ', from ' + x.from}${x.twice ? ', a second time' : ''}`)] : x.text));
    list.lastChild?.scrollIntoView({ block: 'nearest' });
  }
  async function run() {
    stop = new AbortController();
    again.disabled = true;
    list.replaceChildren();
    put(sum, '');
    try {
      await lines('/ping', { to, count: 5, interval_ms: 500 }, line, stop.signal);
    } catch (err) {
      if (open) refill(list, failed(err));
    }
    again.disabled = false;
  }
  run();
  return d;
}

// Of one peer, or of all.
export function check(peer = null) {
  const body = h('div', { role: 'status' }, h('p.dim', null, 'Sending to ' + (peer || 'each peer') + ', for some seconds …'));
  dialog(peer ? 'Check ' + peer : 'Check all peers', body, { kind: 'broad' });
  const word = (v) => v ?? '–';
  const row = (r) => h('tr', null, h('th', { scope: 'row' }, r.peer), [['Reached', h('span.' + (r.reached ? 'yes' : 'no'), null, r.reached ? 'yes' : 'no')], ['MTU', num(r.mtu)], ['Proven', word(r.proven)], ['Round trip', ms(r.rtt_ms)], ['Loss', percent(r.loss)], ['Clock', r.clock_apart === null ? '–' : r.clock_apart + ' s'], ['NAT', word(r.nat)]].map(([t, v]) => h('td', { 'data-label': t }, v)));
  send('POST', '/netcheck', peer ? { peer } : {}).then((reply) => {
    const noted = reply.peers.filter((r) => r.notes.length);
    refill(body,
      h('div.scroll', { tabindex: '0', role: 'region', 'aria-label': 'what was found' }, h('table.plain.stack', null, h('thead', null, h('tr', null, ['Peer', 'Reached', 'MTU', 'Proven', 'Round trip', 'Loss', 'Clock', 'NAT'].map((t) => h('th', { scope: 'col' }, t)))), h('tbody', null, reply.peers.map(row)))),
      noted.map((r) => [h('h3', null, r.peer), h('ul.happens', null, r.notes.map((n) => h('li', null, n)))]),
      reply.more ? h('p.dim', null, num(reply.more) + ' peers more: check one on its page') : null);
  }, (err) => refill(body, failed(err)));
}

// of: { peer } or { drop }
export function capture(of) {
  const what = of.peer || of.drop, off = new AbortController();
  confirm({
    title: 'Capture ' + (of.peer ? 'packets of ' + of.peer : 'what is dropped as ' + of.drop),
    happens: ['Packets are copied on their way, with all that is in them, into a file that Wireshark and tcpdump read.', 'It ends with so many packets or seconds, or when this is closed; one at a time on a node.'],
    fields: [
      ...(of.peer ? [{ name: 'places', label: 'Where', need: true, value: 'opened', options: [['opened', 'inside the link, and dropped'], ['sealed', 'as datagrams of the underlay'], ['drops', 'dropped alone']], map: (v) => (v === 'opened' ? ['opened', 'drops'] : [v]) }] : []),
      { name: 'seconds', label: 'Seconds', value: '10', type: 'number', map: number, check: aNumber('Seconds', 1, 300) },
      { name: 'packets', label: 'Packets', value: '10000', type: 'number', map: number, check: aNumber('Packets', 1, 100000) },
    ],
    command: (v) => `xylem capture ${of.peer ? quote(of.peer) : 'drop ' + quote(of.drop)}${of.peer ? v.places.map((p) => ' --' + p).join('') : ''} -c ${v.packets || 10000} -w ${file(what)}`,
    yes: 'Capture', working: (n) => 'Capturing, ' + bytes(n) + ' …',
    run: async (v, working) => {
      const blob = await bytesOf('/capture', { ...of, ...v }, working, off.signal);
      download(file(what), blob);
      return { size: blob.size };
    },
    after: (reply) => say(bytes(reply.size) + ' were captured, into ' + file(what)),
    onclose: () => off.abort(),
  });
}

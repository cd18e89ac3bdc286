// SPDX-License-Identifier: BSD-3-Clause
// The daemon's log, as it is written.
import { h, put, button, icon, refill } from './dom.js';
import { num } from './format.js';
import { get } from './api.js';
import { live, on, takeLines } from './live.js';
import { filterBox } from './table.js';
import { chips, failed } from './bits.js';
import { act, logLevel, download } from './actions.js';

export const name = 'Log';
const RANK = { error: 0, warn: 1, warning: 1, info: 2, debug: 3 };
const SHOWN = 1000;

export function view() {
  let least = 'debug', words = '', paused = false, over = false;
  const list = h('div.log', { tabindex: '0', role: 'log', 'aria-label': 'log of the daemon', 'aria-live': 'off' });
  const sum = h('span.count', { role: 'status' }), blank = h('div');
  const pause = button('Pause', () => {
    paused = !paused;
    put(pause.querySelector('span'), paused ? 'Go on' : 'Pause');
    pause.querySelector('svg').replaceWith(icon(paused ? 'play' : 'pause'));
    pause.setAttribute('aria-pressed', String(paused));
    if (!paused) all();
    words2();
  }, { name: 'pause', pressed: false });
  const el = h('div.view', null,
    h('div.toolbar', null, filterBox('Filter lines', (v) => { words = v.toLowerCase(); all(); }), chips('least level', [['debug', 'All'], ['info', 'Info'], ['warn', 'Warnings'], ['error', 'Errors']], 'debug', (v) => { least = v; all(); }), sum,
      h('div.buttons', null, pause, button('Save', () => download('xylem.log', live.log.filter(fits).map((l) => [l.time, l.level + ':', l.subsystem + ':', l.text].join(' ')).join('\n') + '\n'), { name: 'down' }), act('Level', () => logLevel([...new Set(live.log.map((l) => l.subsystem))].sort())))),
    blank, list);
  const fits = (l) => (RANK[l.level] ?? 2) <= RANK[least] && (!words || (l.text + ' ' + l.subsystem + ' ' + l.level).toLowerCase().includes(words));
  function line(l) {
    const t = new Date(l.time);
    const at = Number.isNaN(+t) ? l.time : t.toLocaleTimeString('en-GB') + '.' + String(t.getMilliseconds()).padStart(3, '0');
    return h('p.level-' + (RANK[l.level] === undefined ? 'info' : l.level), null, h('time', { datetime: l.time, title: l.time }, at), h('span.level', null, l.level), h('span.part', null, l.subsystem), h('span.text', null, l.text));
  }
  const atEnd = () => list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  function add(lines) {
    if (paused) return words2();
    if (!lines) return all();
    const stay = !atEnd();
    const fresh = lines.filter(fits);
    list.append(...fresh.map(line));
    while (list.children.length > SHOWN) list.firstChild.remove();
    if (!stay) list.scrollTop = list.scrollHeight;
    words2();
  }
  function all() {
    refill(list, live.log.filter(fits).slice(-SHOWN).map(line));
    list.scrollTop = list.scrollHeight;
    words2();
  }
  function words2() {
    put(sum, num(list.children.length) + ' of ' + num(live.log.length) + ' lines' + (paused ? ', paused' : ''));
    list.hidden = !list.children.length;
    if (list.children.length || blank.error) {
      if (!blank.error) blank.replaceChildren();
    } else refill(blank, h('div.empty', null, h('p', null, live.log.length ? 'No line fits.' : 'No lines yet.'), h('p.dim', null, live.log.length ? '' : 'What the daemon logs from now on comes here at once.')));
  }
  const stop = on('log', add);
  async function before() { // what the daemon still has, in pages
    let cursor = null;
    do {
      const r = await get('/log', { cursor });
      if (over) return;
      takeLines(r);
      cursor = r.next;
    } while (cursor);
    all();
  }
  before().catch((err) => {
    if (over) return;
    blank.error = true;
    refill(blank, failed(err));
  });
  all();
  requestAnimationFrame(() => { list.scrollTop = list.scrollHeight; });
  return { el, destroy() { over = true; stop(); } };
}

// SPDX-License-Identifier: BSD-3-Clause
// Small parts that views share.
import { h, icon, put, copyable, button } from './dom.js';
import { stateOf, field, title } from './format.js';
import { get } from './api.js';
import { live } from './live.js';

// A state: shape, word, colour. Without colour it says the same.
export function stateMark() {
  const mark = h('i.mark', { 'aria-hidden': 'true' }), word = h('span');
  const el = h('span.state', null, mark, word);
  return {
    el,
    update(state) {
      const [kind, why] = stateOf(state);
      el.className = 'state is-' + kind;
      put(word, state || '–');
      el.title = why;
    },
  };
}

// Fields of an object as a list: [[field, label?]] in groups.
export function facts(pairs) {
  return h('dl.facts', null, pairs.filter(Boolean).map(([label, value, hint]) => [h('dt', { title: hint }, label), h('dd', null, value instanceof Node ? value : String(value))]));
}

// Not told, as on the public address, is not none: then there is no such row.
export const given = (object, key, row) => (object?.[key] === undefined ? null : row);

export function fieldsOf(object, names) {
  return facts(names.filter((n) => object && n in object).map((n) => [title(n), field(n, object[n])]));
}

// A number that stands alone, with its unit and a line beneath.
export function stat(label, href = null) {
  const value = h('b'), unit = h('span.unit'), sub = h('span.sub'), extra = h('div.extra');
  const el = h((href ? 'a' : 'div') + '.stat', { href }, h('span.label', null, label), h('span.value', null, value, ' ', unit), extra, sub);
  return { el, extra, set(v, u, t, kind = '') { put(value, v); put(unit, u); put(sub, t); el.dataset.kind = kind; } };
}

// A bar: how much of a whole, from 0 to 1.
export function bar(label) {
  const i = h('i'), el = h('div.bar', { role: 'meter', 'aria-label': label, 'aria-valuemin': '0', 'aria-valuemax': '100' }, i);
  return {
    el,
    set(x, kind = '') {
      const p = Math.max(0, Math.min(100, (x || 0) * 100));
      i.style.width = p.toFixed(1) + '%';
      el.setAttribute('aria-valuenow', Math.round(p));
      el.dataset.kind = kind;
    },
  };
}

export function command(text) {
  return h('span.command', null, copyable(text, 'the command'));
}

export function failed(err, again = null) {
  return h('div.empty.failed', { role: 'status' }, icon('bad'), h('p', null, err.message), again ? button('Try again', again) : null);
}

// Pages of a list by its cursor: what came so far, and the next.
export function pages(path, member, params = {}) {
  const self = {
    rows: [], done: false, busy: false, error: null,
    async next() {
      if (self.done || self.busy) return false;
      self.busy = true;
      try {
        const reply = await get(path, { ...params, cursor: self.cursor });
        self.rows.push(...(reply[member] || []));
        self.first ??= reply;
        self.cursor = reply.next;
        self.done = !reply.next;
        self.error = null;
      } catch (err) {
        self.error = err;
        self.done = true;
      } finally {
        self.busy = false;
      }
      return true;
    },
  };
  return self;
}

// Runs f now and each so many milliseconds while the view is there and seen, and the daemon answers; never twice at a
// time.
export function every(ms, f) {
  let timer = 0, over = false, first = true;
  async function turn() {
    if (over) return;
    if (first || (!document.hidden && live.state.daemon !== 'down' && (live.link.ok || !live.link.again))) await f().catch(() => {});
    first = false;
    if (!over) timer = setTimeout(turn, ms);
  }
  turn();
  return () => {
    over = true;
    clearTimeout(timer);
  };
}

export function note(text, kind = 'note') {
  const el = h('p.hintline', null, icon(kind), h('span', null, text));
  return el;
}

export function chips(label, options, chosen, onchange) {
  const buttons = options.map(([value, text]) => {
    const b = button(text, () => {
      for (const o of buttons) o.setAttribute('aria-pressed', String(o === b));
      onchange(value);
    }, { kind: 'chip', pressed: value === chosen });
    return b;
  });
  return h('div.chips', { role: 'group', 'aria-label': label }, buttons);
}

// SPDX-License-Identifier: BSD-3-Clause
// A table of any length, which scrolls with the page: the rows in sight are there, the others are two spacers. Rows
// keep their elements while they are in sight, so focus and marked text stay where they are. The order is not
// changed under a pointer or focus that is in the table.
import { h, icon, put, attr } from './dom.js';

const ROW = 36, OVER = 12;

// cols: [{ key, label, hint, num, from (least width of the page), width, sort (row => value), desc, cell (td) => (row) => void }]
// Cells with `text(row)` hold text alone. key(row): what a row is. href(row): where it leads.
export function table({ name, cols, key, href = null, none, sort = null, end = null, hold = true }) {
  let rows = [], shown = [], order = sort, words = '', test = null, pending = false, cursor = -1, asked = false;
  const live = new Map(), spare = [];
  // One cell alone: one that spans hidden columns would bring them back, empty.
  const top = h('tr.spacer', { 'aria-hidden': 'true' }, h('td'));
  const bottom = h('tr.spacer', { 'aria-hidden': 'true' }, h('td'));
  const body = h('tbody', null, top, bottom);
  const heads = cols.map(head);
  const grid = h('table.data', { 'aria-label': name }, h('colgroup', null, cols.map(colgroup)), h('thead', null, h('tr', null, heads)), body);
  const blank = h('div.empty', { hidden: true });
  const el = h('div.table', null, grid, blank);

  function classes(col) {
    return (col.num ? '.num' : '') + (col.from ? '.from-' + col.from : '') + (col.cls ? '.' + col.cls : '');
  }
  function colgroup(col) {
    const c = h('col' + (col.from ? '.from-' + col.from : ''));
    if (col.width) c.style.width = col.width;
    return c;
  }
  function head(col) {
    const th = h('th' + classes(col), { scope: 'col', title: col.hint });
    if (!col.sort) th.append(col.label ? h('span', null, col.label) : h('span.off', null, col.hidden || col.key));
    else {
      const b = h('button.sort', { type: 'button' }, h('span', null, col.label), h('span.arrow', { 'aria-hidden': 'true' }));
      b.addEventListener('click', () => {
        const same = order && order.key === col.key;
        order = { key: col.key, desc: same ? !order.desc : !!col.desc };
        arrange(true);
      });
      th.append(b);
    }
    return th;
  }

  function arrange(force) {
    if (hold && !force && shown.length && (grid.matches(':hover') || grid.contains(document.activeElement))) {
      // Values change in place; places do not.
      const by = new Map(rows.map((r) => [key(r), r]));
      const was = new Set();
      shown = shown.map((r) => { was.add(key(r)); return by.get(key(r)); }).filter(Boolean);
      for (const r of rows) if (!was.has(key(r)) && fits(r)) shown.push(r);
      return draw();
    }
    shown = test || words ? rows.filter(fits) : rows.slice();
    const col = order && cols.find((c) => c.key === order.key);
    if (col) {
      const value = new Map(shown.map((r) => [r, col.sort(r)]));
      shown.sort((a, b) => compare(value.get(a), value.get(b)) * (order.desc ? -1 : 1));
    }
    cols.forEach((c, i) => {
      const mine = col === c;
      attr(heads[i], 'aria-sort', mine ? (order.desc ? 'descending' : 'ascending') : null);
      const arrow = heads[i].querySelector('.arrow');
      if (arrow) put(arrow, mine ? (order.desc ? '↓' : '↑') : '');
    });
    draw();
  }
  function fits(row) {
    return (!test || test(row)) && (!words || haystack(row).includes(words));
  }
  function haystack(row) {
    return cols.map((c) => (c.find ? c.find(row) : c.text ? c.text(row) : '')).join(' ').toLowerCase();
  }

  function make() {
    const tr = h('tr');
    tr.update = cols.map((col) => {
      const td = h('td' + classes(col));
      tr.append(td);
      return col.cell ? col.cell(td) : (row) => put(td, col.text(row));
    });
    tr.addEventListener('click', (e) => {
      if (!tr.href || e.target.closest('a,button,input,label') || String(getSelection()).length) return;
      location.hash = tr.href;
    });
    return tr;
  }

  // What is in sight, and a little more.
  function draw() {
    pending = false;
    const box = body.getBoundingClientRect();
    const first = Math.max(0, Math.floor(-box.top / ROW) - OVER);
    const past = Math.min(shown.length, Math.ceil((innerHeight - box.top) / ROW) + OVER);
    const wanted = new Set();
    for (let i = first; i < past; i++) wanted.add(key(shown[i]));
    for (const [k, tr] of live) if (!wanted.has(k)) drop(k, tr);
    let before = top;
    for (let i = first; i < past; i++) {
      const row = shown[i], k = key(row);
      let tr = live.get(k);
      if (!tr) live.set(k, (tr = spare.pop() || make()));
      tr.index = i;
      tr.href = href?.(row);
      tr.classList.toggle('leads', !!tr.href);
      attr(tr, 'aria-rowindex', i + 2);
      if (before.nextSibling !== tr) before.after(tr);
      for (const update of tr.update) update(row);
      before = tr;
    }
    height(top, first * ROW);
    height(bottom, Math.max(0, shown.length - past) * ROW);
    attr(grid, 'aria-rowcount', shown.length + 1);
    grid.hidden = !shown.length;
    blank.hidden = !!shown.length;
    if (!shown.length) {
      const [say, more] = none(rows.length, words);
      if (blank.said !== say) {
        blank.said = say;
        blank.replaceChildren(h('p', null, say), more ? h('p.dim', null, more) : '');
      }
    }
    if (end && past >= shown.length && !asked) {
      asked = true;
      Promise.resolve(end()).finally(() => (asked = false));
    }
  }
  function drop(k, tr) {
    live.delete(k);
    tr.remove();
    spare.push(tr);
  }
  function height(tr, px) {
    const td = tr.firstChild;
    if (td.px === px) return;
    td.px = px;
    td.style.height = px + 'px';
    tr.hidden = !px;
  }
  function soon() {
    if (pending) return;
    pending = true;
    requestAnimationFrame(draw);
  }
  addEventListener('scroll', soon, { passive: true });
  addEventListener('resize', soon);

  return {
    el,
    set(list) {
      rows = list;
      arrange(false);
    },
    redraw: soon,
    filter(text, f = test) {
      words = text.trim().toLowerCase();
      test = f;
      arrange(true);
    },
    count: () => shown.length,
    // j and k
    move(by) {
      const links = [...body.querySelectorAll('tr:not(.spacer)')];
      const at = links.findIndex((tr) => tr.contains(document.activeElement));
      cursor = at < 0 ? (by > 0 ? 0 : links.length - 1) : at + by;
      links[cursor]?.querySelector('a,button')?.focus();
      links[cursor]?.scrollIntoView({ block: 'nearest' });
    },
    destroy() {
      removeEventListener('scroll', soon);
      removeEventListener('resize', soon);
    },
  };
}

function compare(a, b) {
  const na = a === null || a === undefined, nb = b === null || b === undefined;
  if (na || nb) return na === nb ? 0 : na ? 1 : -1;
  return typeof a === 'string' ? a.localeCompare(b, 'en', { numeric: true }) : a - b;
}

// What stands above a table: a field that filters it, and words on how many there are.
export function filterBox(label, oninput) {
  const input = h('input.filter', { type: 'search', placeholder: label, 'aria-label': label, autocomplete: 'off', spellcheck: 'false', 'data-slash': '' });
  input.addEventListener('input', () => oninput(input.value));
  input.addEventListener('keydown', (e) => {
    if (e.key === 'Escape' && input.value) {
      input.value = '';
      oninput('');
      e.stopPropagation();
    }
  });
  return h('label.filterbox', null, icon('search'), input, h('kbd', { 'aria-hidden': 'true' }, '/'));
}

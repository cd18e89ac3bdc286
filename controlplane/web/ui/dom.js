// SPDX-License-Identifier: BSD-3-Clause
// Elements are made here, and nowhere by text that is parsed: what comes from the network becomes text nodes alone.
// No style attribute is ever written (the content security policy forbids it); widths and the like go by el.style.

const SVG = 'http://www.w3.org/2000/svg';

function fill(el, kids) {
  for (const kid of kids.flat(Infinity)) {
    if (kid === null || kid === undefined || kid === false) continue;
    el.append(kid instanceof Node ? kid : String(kid));
  }
  return el;
}

function assign(el, props) {
  for (const [name, value] of Object.entries(props || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) el.addEventListener(name.slice(2), value);
    else el.setAttribute(name, value === true ? '' : value);
  }
}

// h('div.a.b', {attribute, onclick}, child, [children], 'text')
export function h(tag, props, ...kids) {
  const [name, ...classes] = tag.split('.');
  const el = document.createElement(name || 'div');
  if (classes.length) el.className = classes.join(' ');
  if (props instanceof Node || Array.isArray(props) || typeof props !== 'object') kids.unshift(props);
  else assign(el, props);
  return fill(el, kids);
}

export function s(tag, props, ...kids) {
  const el = document.createElementNS(SVG, tag);
  assign(el, props);
  return fill(el, kids);
}

// The text of an element that holds nothing but text; the page is touched only where it changes.
export function put(el, text) {
  text = text === null || text === undefined ? '' : String(text);
  if (el.shown !== text) {
    el.shown = text;
    el.textContent = text;
  }
}

export function attr(el, name, value) {
  if (value === null || value === undefined || value === false) {
    if (el.hasAttribute(name)) el.removeAttribute(name);
  } else if (el.getAttribute(name) !== String(value)) el.setAttribute(name, String(value));
}

export function show(el, yes) {
  if (el.hidden === yes) el.hidden = !yes;
}

export function refill(el, ...kids) {
  el.replaceChildren();
  return fill(el, kids);
}

const PATHS = {
  overview: 'M2 9h5V2H2zM9 14h5V7H9zM2 14h5v-3H2zM9 5h5V2H9z',
  peers: 'M4 6a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM12 6a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM8 14a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM6 4h4M5 5.8l2 4.4M11 5.8l-2 4.4',
  sessions: 'M4 7V5a4 4 0 0 1 8 0v2M3 7h10v7H3zM8 10v1.5',
  routes: 'M3 13h4a2 2 0 0 0 2-2V5a2 2 0 0 1 2-2h2M11 1l2.5 2L11 5',
  mesh: 'M8 2.5l5 3v5l-5 3-5-3v-5zM8 8l5-2.5M8 8v5.5M8 8L3 5.5',
  gateways: 'M2 14V6l6-4 6 4v8M6 14V9h4v5',
  workers: 'M4 4h8v8H4zM6 1.5V4M10 1.5V4M6 12v2.5M10 12v2.5M1.5 6H4M1.5 10H4M12 6h2.5M12 10h2.5',
  drops: 'M8 2s4.5 5 4.5 8a4.5 4.5 0 0 1-9 0C3.5 7 8 2 8 2z',
  log: 'M3 3h10M3 6.3h7M3 9.6h10M3 13h5',
  config: 'M2 4.5h7M12 4.5h2M2 11.5h2M7 11.5h7M10.5 3v3M5.5 10v3',
  copy: 'M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3',
  check: 'M3 8.5l3.5 3.5L13 4.5',
  warn: 'M8 2l6.5 11.5h-13zM8 6.5v3.2M8 11.6v.2',
  bad: 'M5.3 1.8h5.4l3.5 3.5v5.4l-3.5 3.5H5.3l-3.5-3.5V5.3zM8 4.8v4M8 11v.2',
  note: 'M8 14.2A6.2 6.2 0 1 0 8 1.8a6.2 6.2 0 0 0 0 12.4zM8 7.3v4M8 4.8V5',
  lock: 'M5 7V5a3 3 0 0 1 6 0v2M3.5 7h9v6.5h-9z',
  menu: 'M2 4h12M2 8h12M2 12h12',
  search: 'M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM10.8 10.8L14 14',
  theme: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 2v12M8 5l4.8-.6M8 8h6M8 11l4.8.6',
  plus: 'M8 3v10M3 8h10',
  minus: 'M3 8h10',
  fit: 'M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4',
  down: 'M8 2v9M4 7.5L8 11.5l4-4M2.5 14h11',
  pause: 'M5 3v10M11 3v10',
  play: 'M4.5 3l8 5-8 5z',
  close: 'M3.5 3.5l9 9M12.5 3.5l-9 9',
  back: 'M10 3L5 8l5 5',
};

export function icon(name) {
  return s('svg', { viewBox: '0 0 16 16', class: 'icon', 'aria-hidden': 'true', focusable: 'false' }, s('path', { d: PATHS[name] || '' }));
}

// A button: words, or an icon with a name for who does not see it.
export function button(label, onclick, { kind = '', name = null, title = null, pressed = null } = {}) {
  const b = h('button' + (kind ? '.' + kind.split(' ').join('.') : ''), { type: 'button', onclick, title: title || (name ? label : null) });
  if (name) b.append(icon(name));
  if (name && kind.includes('icon-only')) b.setAttribute('aria-label', label);
  else b.append(h('span', null, label));
  if (pressed !== null) b.setAttribute('aria-pressed', String(pressed));
  return b;
}

// A long text (key, address) with a button that copies it. It breaks anywhere; nothing overflows.
export function copyable(text, what) {
  const b = h('button.copy', { type: 'button', 'aria-label': 'copy ' + what, title: 'copy ' + what }, icon('copy'));
  b.addEventListener('click', async () => {
    const done = await copyText(text);
    b.replaceChildren(icon(done ? 'check' : 'close'));
    say(done ? what + ' copied' : 'this browser does not let a page copy; mark the text instead');
    setTimeout(() => b.replaceChildren(icon('copy')), 1200);
  });
  return h('span.copyable', null, h('code', null, text), b);
}

export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Pages that came without TLS have no clipboard: the old way.
    const area = h('textarea.off', { 'aria-hidden': 'true', tabindex: '-1' });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    return done;
  }
}

// A line for who listens, and for a moment for who looks.
export function say(text, kind = '') {
  const host = document.getElementById('toasts');
  const toast = h('div.toast' + (kind ? '.' + kind : ''), null, icon(kind === 'bad' ? 'bad' : 'check'), h('span', null, text));
  host.append(toast);
  while (host.children.length > 3) host.firstChild.remove();
  setTimeout(() => toast.remove(), kind === 'bad' ? 12000 : 5000);
}

export function panel(title, { actions = null, id = null, note = null, wide = false, level = 'h2' } = {}, ...kids) {
  return h('section.panel' + (wide ? '.wide' : ''), { 'aria-labelledby': id }, h('header', null, h(level, { id }, title), note ? h('span.note', null, note) : null, actions ? h('div.actions', null, actions) : null), ...kids);
}

export function empty(words, more) {
  return h('div.empty', null, h('p', null, words), more ? h('p.dim', null, more) : null);
}

// What a page's script may keep; a browser that forbids it changes nothing but that.
export const keep = {
  get(name) {
    try {
      return localStorage.getItem('xylem.' + name);
    } catch {
      return null;
    }
  },
  set(name, value) {
    try {
      if (value === null) localStorage.removeItem('xylem.' + name);
      else localStorage.setItem('xylem.' + name, value);
    } catch {
      // nothing is lost but the choice
    }
  },
};

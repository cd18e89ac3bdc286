// SPDX-License-Identifier: BSD-3-Clause
// What is looked at on every page, in the browser: nothing wider than the window, every control has a name, text has
// contrast, headings are in order. Returns what is wrong, in words.
export function look() {
  const bad = [];
  const wide = document.documentElement.clientWidth;
  const name = (e) => e.tagName.toLowerCase() + (typeof e.className === 'string' && e.className ? '.' + e.className.trim().replace(/\s+/g, '.') : '') + ' "' + (e.textContent || '').trim().slice(0, 30) + '"';
  const seen = (e) => {
    if (e.closest('[hidden],.off') || !e.getClientRects().length) return false;
    const c = getComputedStyle(e);
    return c.visibility !== 'hidden' && c.display !== 'none';
  };

  // What a box cuts off, or lets scroll, ends where the box does.
  function clipped(e) {
    for (let p = e.parentElement; p && p !== document.body; p = p.parentElement)
      if (getComputedStyle(p).overflowX !== 'visible' && p.getBoundingClientRect().right <= wide + 1) return true;
    return false;
  }
  if (document.documentElement.scrollWidth > wide) bad.push('the page is ' + document.documentElement.scrollWidth + ' wide in a window of ' + wide);
  for (const e of document.querySelectorAll('body *')) {
    const r = e.getBoundingClientRect();
    if (r.width && r.right > wide + 1 && !clipped(e) && seen(e) && !e.closest('nav,.skip,svg')) bad.push(name(e) + ' ends at ' + Math.round(r.right) + ' of ' + wide);
  }

  // A row is as wide as its table.
  for (const grid of document.querySelectorAll('table.data')) {
    const cells = [...(grid.querySelector('tbody tr:not(.spacer)')?.cells || [])].filter(seen), end = cells.at(-1)?.getBoundingClientRect().right;
    if (end && grid.getBoundingClientRect().right - end > 2) bad.push('rows of "' + grid.getAttribute('aria-label') + '" end at ' + Math.round(end) + ', their table at ' + Math.round(grid.getBoundingClientRect().right));
  }

  const text = (e) => (e.getAttribute('aria-label') || (e.getAttribute('aria-labelledby') || '').split(/\s+/).map((id) => document.getElementById(id)?.textContent || '').join(' ') || (e.id && document.querySelector('label[for="' + CSS.escape(e.id) + '"]')?.textContent) || e.closest('label')?.textContent || (e.matches('input') ? '' : e.textContent) || e.title || '').trim();
  for (const e of document.querySelectorAll('a[href],button,input,select,textarea,canvas,summary,dialog,table.data,[role=img],[role=meter],[role=region],[role=group],[tabindex="0"]'))
    if (seen(e) && !text(e) && !(e.tagName === 'CANVAS' && e.closest('[role=img]'))) bad.push(name(e) + ' has no name');
  const ids = new Set();
  for (const e of document.querySelectorAll('[id]')) {
    if (ids.has(e.id)) bad.push('two have the id ' + e.id);
    ids.add(e.id);
  }
  if (document.querySelectorAll('h1').length !== 1) bad.push(document.querySelectorAll('h1').length + ' h1');
  let level = 0;
  for (const e of document.querySelectorAll('h1,h2,h3,h4')) {
    const n = +e.tagName[1];
    if (!e.closest('dialog') && n > level + 1 && level) bad.push(name(e) + ' comes after h' + level);
    level = n;
  }

  const parse = (c) => {
    const m = /^rgba?\(([\d.]+), ([\d.]+), ([\d.]+)(?:, ([\d.]+))?\)$/.exec(c);
    return m ? [+m[1], +m[2], +m[3], m[4] === undefined ? 1 : +m[4]] : [0, 0, 0, 0];
  };
  const over = (a, b) => [0, 1, 2].map((i) => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const light = (c) => c.slice(0, 3).map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0);
  function behind(e) {
    const stack = [];
    for (let p = e; p; p = p.parentElement) {
      const c = parse(getComputedStyle(p).backgroundColor);
      if (c[3]) stack.push(c);
      if (c[3] === 1) break;
    }
    return stack.reverse().reduce((b, c) => over(c, b), [255, 255, 255, 1]);
  }
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), told = new Set();
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !seen(e) || e.closest('svg,:disabled,noscript')) continue;
    const s = getComputedStyle(e), back = behind(e), ink = over(parse(s.color), back);
    const [a, b] = [light(ink), light(back)].sort((x, y) => y - x), ratio = (a + 0.05) / (b + 0.05);
    const big = parseFloat(s.fontSize) >= 24 || (parseFloat(s.fontSize) >= 18.66 && +s.fontWeight >= 700);
    const key = e.className + s.color + back;
    if (ratio < (big ? 3 : 4.5) && !told.has(key)) {
      told.add(key);
      bad.push(name(e) + ' has a contrast of ' + ratio.toFixed(2));
    }
  }
  return bad;
}

// SPDX-License-Identifier: BSD-3-Clause
// The mesh: a map on a canvas, and the same as a list. What is chosen in one is chosen in the other.
import { forceSimulation, forceLink, forceManyBody, forceX, forceY, forceCollide } from 'd3-force';
import { h, put, panel, refill, button, copyable, attr } from './dom.js';
import { num, time, shorten } from './format.js';
import { untilDone, of } from './api.js';
import { colour } from './chart.js';
import { facts, failed, stateMark } from './bits.js';
import { filterBox } from './table.js';

export const name = 'Mesh';
const MOST = 3000;

export function view() {
  let over = false, nodes = [], links = [], sim = null, chosen = null, hover = null, k = 1, ox = 0, oy = 0, w = 0, hgt = 0, touched = false, asking = false, words = '';
  const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
  const canvas = h('canvas', { tabindex: '0', role: 'img', 'aria-label': 'map of the mesh; the list beside it has the same' });
  const ctx = canvas.getContext('2d');
  const status = h('span.count', { role: 'status' }), detail = h('div.detail'), list = h('ul.tree'), holder = h('div.map', null, canvas, h('div.maptools', null, button('nearer', () => zoom(1.4), { kind: 'icon-only', name: 'plus' }), button('farther', () => zoom(1 / 1.4), { kind: 'icon-only', name: 'minus' }), button('all in sight', () => { touched = false; fit(); draw(); }, { kind: 'icon-only', name: 'fit' })));
  const again = button('Ask again', ask);
  const el = h('div.view', null, h('div.toolbar', null, filterBox('Find a node', (v) => { words = v.trim().toLowerCase(); draw(); drawList(); }), status, h('div.buttons', null, again)),
    h('div.meshgrid', null, panel('Map', { id: 'mesh-map', note: 'dashed: links beside the tree; choose a node for cost and round trip' }, holder, detail), panel('List', { id: 'mesh-list', note: 'a node, below who told of it' }, list)));

  const label = (n) => short(n.name || n.peer) || (n.depth === 0 ? 'this node' : shorten(n.address, 15));
  const short = (t) => (t && t.length > 24 ? t.slice(0, 23) + '…' : t);
  const found = (n) => words && (label(n) + ' ' + n.address + ' ' + (n.peer || '')).toLowerCase().includes(words);

  async function ask() {
    if (asking) return;
    asking = true;
    again.disabled = true;
    put(status, 'Asking the mesh …');
    try {
      const all = { nodes: [], links: [] };
      let r = await untilDone('/tree', {}, { alive: () => !over, seconds: 40, each: (x) => !x.done && put(status, 'Asking: ' + num(x.answered) + ' of ' + num(x.found) + ' answered …') });
      for (let pages = 0; r && pages < 200; pages++) {
        all.nodes.push(...(r.nodes || []));
        all.links.push(...(r.links || []));
        if (!r.next || over || all.nodes.length > MOST) break;
        r = await untilDone('/tree', { cursor: r.next }, { alive: () => !over });
      }
      if (over || !r) return;
      take(all, r);
    } catch (err) {
      if (!over && !nodes.length) refill(detail, failed(err, ask));
      if (!over) put(status, '');
    }
    asking = false;
    again.disabled = false;
  }

  function take(all, r) {
    const old = new Map(nodes.map((n) => [n.address, n]));
    nodes = inTree(all.nodes.slice(0, MOST)).map((n) => { const o = old.get(n.address); return Object.assign({}, n, o ? { x: o.x, y: o.y } : {}); });
    const by = new Map(nodes.map((n) => [n.address, n]));
    // Both ends tell of a link: it is one, and may cost another way back.
    const pairs = new Map();
    for (const l of all.links) {
      if (!by.has(l.from) || !by.has(l.to)) continue;
      const pair = [l.from, l.to].sort().join(), other = pairs.get(pair);
      if (other) other.back = l.cost;
      else pairs.set(pair, { ...l, back: l.cost, source: by.get(l.from), target: by.get(l.to) });
    }
    links = [...pairs.values()];
    for (const n of nodes) n.near = [];
    for (const l of links) { l.source.near.push([l.target, l]); l.target.near.push([l.source, l]); }
    const silent = nodes.filter((n) => n.state === 'silent').length;
    put(status, num(nodes.length) + (nodes.length === 1 ? ' node, ' : ' nodes, ') + num(links.length) + (links.length === 1 ? ' link' : ' links') + (silent ? ', ' + silent + ' silent' : '') + (r.cut || all.nodes.length > MOST ? '; there are more' : ''));
    chosen = chosen && by.get(chosen.address);
    // Where they begin: in rings by distance, so that the first picture is a map already.
    const rings = new Map();
    for (const n of nodes) {
      if (n.x !== undefined) continue;
      const ring = rings.get(n.depth) || [];
      ring.push(n);
      rings.set(n.depth, ring);
    }
    for (const [d, ring] of rings) ring.forEach((n, i) => { const a = (i / ring.length) * 2 * Math.PI + d; n.x = Math.cos(a) * d * 90; n.y = Math.sin(a) * d * 90; });
    if (nodes[0] && nodes[0].depth === 0) { nodes[0].fx = 0; nodes[0].fy = 0; }
    const far = nodes.length > 300;
    sim?.stop();
    sim = forceSimulation(nodes).force('link', forceLink(links).distance((l) => 70 + Math.min(60, Math.sqrt(l.cost || 96) * 2)).strength(0.5)).force('charge', forceManyBody().strength(far ? -90 : -520).distanceMax(700)).force('x', forceX(0).strength(0.03)).force('y', forceY(0).strength(0.05)).force('collide', forceCollide(far ? 10 : 26)).stop();
    // The first picture is settled; motion is for what is moved by hand.
    sim.tick(far ? 120 : 260);
    if (!calm) sim.on('tick', () => { if (!touched) fit(); draw(); });
    size();
    drawList();
    pick(chosen);
  }

  // They come by distance; in a list each stands below who told of it.
  function inTree(flat) {
    const below = new Map(), out = [];
    for (const n of flat) below.set(n.parent, [...(below.get(n.parent) || []), n]);
    const todo = flat.length ? [flat[0]] : [], seen = new Set();
    while (todo.length) {
      const n = todo.pop();
      if (seen.has(n)) continue;
      seen.add(n);
      out.push(n);
      todo.push(...(below.get(n.address) || []).slice().reverse());
    }
    return [...out, ...flat.filter((n) => !seen.has(n))];
  }
  const costOf = (l) => (l.cost === null ? '' : l.back === null || l.back === l.cost ? String(l.cost) : l.cost + '/' + l.back);

  function size() {
    w = holder.clientWidth;
    hgt = holder.clientHeight;
    const r = devicePixelRatio || 1;
    canvas.width = w * r;
    canvas.height = hgt * r;
    ctx.setTransform(r, 0, 0, r, 0, 0);
    if (!touched) fit();
    draw();
  }
  function fit() {
    if (!nodes.length || !w) return;
    const xs = nodes.map((n) => n.x), ys = nodes.map((n) => n.y);
    const x0 = Math.min(...xs), x1 = Math.max(...xs), y0 = Math.min(...ys), y1 = Math.max(...ys);
    k = Math.min(1.6, (w - 130) / Math.max(1, x1 - x0), (hgt - 90) / Math.max(1, y1 - y0));
    ox = w / 2 - (k * (x0 + x1)) / 2;
    oy = hgt / 2 - (k * (y0 + y1)) / 2;
  }
  function zoom(f, x = w / 2, y = hgt / 2) {
    touched = true;
    const was = k;
    k = Math.max(0.05, Math.min(6, k * f));
    ox = x - ((x - ox) * k) / was;
    oy = y - ((y - oy) * k) / was;
    draw();
  }

  function draw() {
    if (over || !w) return;
    const ink = colour('ink'), dim = colour('ink-3'), line = colour('line-2'), accent = colour('accent'), bad = colour('bad'), back = colour('panel');
    const font = getComputedStyle(document.body).fontFamily, focus = hover || chosen;
    const near = focus && new Set([focus, ...focus.near.map(([n]) => n)]);
    ctx.clearRect(0, 0, w, hgt);
    const X = (n) => ox + n.x * k, Y = (n) => oy + n.y * k;
    ctx.font = '11px ' + font;
    ctx.textAlign = 'center';
    const words11 = nodes.length <= 60 || k > 1.4;
    for (const l of links) {
      const hot = focus && (l.source === focus || l.target === focus), tree = l.target.parent === l.source.address || l.source.parent === l.target.address;
      ctx.globalAlpha = focus && !hot ? 0.35 : 1;
      ctx.strokeStyle = hot ? accent : line;
      ctx.lineWidth = hot ? 2 : tree ? 1.5 : 1;
      ctx.setLineDash(tree ? [] : [4, 4]);
      ctx.beginPath();
      ctx.moveTo(X(l.source), Y(l.source));
      ctx.lineTo(X(l.target), Y(l.target));
      ctx.stroke();
      if (hot || (!focus && nodes.length <= 12)) {
        const t = costOf(l) + (l.rtt_us === null ? '' : ' · ' + time(l.rtt_us)), x = (X(l.source) + X(l.target)) / 2, y = (Y(l.source) + Y(l.target)) / 2;
        if (Math.hypot(X(l.source) - X(l.target), Y(l.source) - Y(l.target)) > 70 && t) {
          const m = ctx.measureText(t).width;
          ctx.fillStyle = back;
          ctx.fillRect(x - m / 2 - 3, y - 8, m + 6, 15);
          ctx.fillStyle = dim;
          ctx.fillText(t, x, y + 3.5);
        }
      }
    }
    ctx.setLineDash([]);
    for (const n of nodes) {
      const lit = !near || near.has(n), mine = n.depth === 0, r = (mine ? 9 : n.peer ? 7 : 5.5) * (nodes.length > 300 ? 0.7 : 1), x = X(n), y = Y(n);
      if (x < -40 || y < -40 || x > w + 40 || y > hgt + 40) continue;
      ctx.globalAlpha = lit ? 1 : 0.35;
      ctx.beginPath();
      // Shapes: silent nodes are squares, those not asked rings.
      if (n.state === 'silent') ctx.rect(x - r, y - r, 2 * r, 2 * r);
      else ctx.arc(x, y, r, 0, 7);
      ctx.fillStyle = n.state === 'silent' ? bad : n.state === 'not asked' ? back : mine ? accent : n.peer ? accent : dim;
      ctx.fill();
      ctx.lineWidth = 2;
      ctx.strokeStyle = n.state === 'not asked' ? dim : back;
      ctx.stroke();
      if (mine || n === chosen || n === hover || found(n)) {
        ctx.beginPath();
        ctx.arc(x, y, r + 4, 0, 7);
        ctx.strokeStyle = found(n) || n === chosen ? ink : accent;
        ctx.lineWidth = n === chosen || found(n) ? 2 : 1.5;
        ctx.stroke();
      }
      if (words11 || mine || n === chosen || n === hover || found(n)) {
        const t = label(n);
        ctx.font = (mine || n === chosen ? '600 ' : '500 ') + '12px ' + font;
        ctx.lineWidth = 3;
        ctx.strokeStyle = back;
        ctx.strokeText(t, x, y + r + 15);
        ctx.fillStyle = ink;
        ctx.fillText(t, x, y + r + 15);
        ctx.font = '11px ' + font;
      }
    }
    ctx.globalAlpha = 1;
  }

  function drawList() {
    const marks = nodes.filter((n) => !words || found(n)).slice(0, 500).map((n) => {
      const b = h('button.node', { type: 'button', 'aria-pressed': String(n === chosen) }, h('i.mark', { 'aria-hidden': 'true' }), h('span.name', null, label(n)), h('span.num', null, n.depth ? (n.cost === null ? '' : num(n.cost) + ' · ') + time(n.rtt_us) : 'this node'), n.state !== 'answered' && n.depth ? h('span.tag', null, n.state) : null);
      b.classList.add(n.state === 'silent' ? 'is-bad' : n.state === 'answered' ? 'is-ok' : 'is-idle');
      b.node = n;
      b.addEventListener('click', () => pick(n, true));
      const li = h('li', null, b);
      li.style.paddingLeft = words ? '0' : Math.min(n.depth, 8) * 18 + 'px';
      return li;
    });
    refill(list, marks.length ? marks : h('li.dim', null, nodes.length ? 'No node fits.' : 'No nodes yet.'));
    if (nodes.length > 500 && !words) list.append(h('li.dim', null, 'and ' + num(nodes.length - 500) + ' more: find them by name or address'));
  }
  function pick(n, scroll) {
    chosen = n || null;
    for (const b of list.querySelectorAll('button.node')) attr(b, 'aria-pressed', b.node === chosen);
    draw();
    if (!chosen) return refill(detail, h('p.dim', null, nodes.length ? 'Choose a node, here or in the list. Arrow keys go from node to node.' : 'The mesh is asked; nodes that do not answer in time are silent.'));
    const m = stateMark();
    m.update(chosen.depth === 0 ? 'up' : chosen.state === 'answered' ? 'up' : chosen.state);
    refill(detail, h('div.detailbody', null, h('h3', null, label(chosen)),
      facts([['address', copyable(chosen.address, 'the address')], ['state', chosen.depth === 0 ? 'this node' : chosen.state], ['version', chosen.version || '–'], chosen.depth ? ['from here', chosen.depth + (chosen.depth === 1 ? ' link, ' : ' links, ') + time(chosen.rtt_us)] : null, ['neighbours', chosen.near.length ? chosen.near.map(([x, l]) => label(x) + (l.cost === null ? '' : ' (' + costOf(l) + ')')).join(', ') : num(chosen.neighbours)]]),
      h('p.links', null, chosen.peer ? h('a', { href: '#/peers/' + of(chosen.peer) }, 'its link') : null, chosen.depth ? h('a', { href: '#/routes?to=' + of(chosen.address) }, 'the way to it, and why') : null)));
    if (scroll && innerWidth < 900) holder.scrollIntoView({ block: 'nearest', behavior: calm ? 'auto' : 'smooth' });
  }

  const at = (e) => { const r = canvas.getBoundingClientRect(); return [e.clientX - r.left, e.clientY - r.top]; };
  function under(x, y) {
    let best = null, d = 18;
    for (const n of nodes) { const e = Math.hypot(ox + n.x * k - x, oy + n.y * k - y); if (e < d) { d = e; best = n; } }
    return best;
  }
  let grip = null;
  canvas.addEventListener('pointerdown', (e) => { const [x, y] = at(e); grip = { x, y, ox, oy, n: under(x, y), moved: false }; canvas.setPointerCapture(e.pointerId); });
  canvas.addEventListener('pointermove', (e) => {
    const [x, y] = at(e);
    if (grip) {
      if (Math.hypot(x - grip.x, y - grip.y) > 4) grip.moved = true;
      if (!grip.moved) return;
      touched = true;
      if (grip.n && grip.n.depth) {
        grip.n.fx = (x - ox) / k;
        grip.n.fy = (y - oy) / k;
        if (calm) { grip.n.x = grip.n.fx; grip.n.y = grip.n.fy; draw(); } else sim.alphaTarget(0.2).restart();
      } else { ox = grip.ox + x - grip.x; oy = grip.oy + y - grip.y; draw(); }
    } else {
      const n = under(x, y);
      canvas.classList.toggle('over', !!n);
      if (n !== hover) { hover = n; draw(); }
    }
  });
  const release = () => {
    if (!grip) return;
    if (!grip.moved) pick(grip.n);
    else if (grip.n) sim?.alphaTarget(0);
    grip = null;
  };
  canvas.addEventListener('pointerup', release);
  canvas.addEventListener('pointercancel', () => (grip = null));
  canvas.addEventListener('pointerleave', () => { hover = null; draw(); });
  canvas.addEventListener('wheel', (e) => { if (!e.ctrlKey && !e.metaKey && document.activeElement !== canvas) return; e.preventDefault(); zoom(Math.exp(-e.deltaY / 400), ...at(e)); }, { passive: false });
  canvas.addEventListener('keydown', (e) => {
    const go = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
    if (e.key === '+' || e.key === '=') zoom(1.3);
    else if (e.key === '-') zoom(1 / 1.3);
    else if (go) {
      const from = chosen || nodes[0];
      let best = null, d = Infinity;
      for (const n of nodes) { const dx = n.x - from?.x, dy = n.y - from?.y, ahead = dx * go[0] + dy * go[1]; if (n === from || ahead <= 0) continue; const far = ahead + 2 * Math.abs(dx * go[1] + dy * go[0]); if (far < d) { d = far; best = n; } }
      pick(chosen ? best || chosen : nodes[0]);
    } else if (e.key === 'Escape') pick(null);
    else return;
    e.preventDefault();
    e.stopPropagation();
  });
  const watch = new ResizeObserver(size);
  watch.observe(holder);
  addEventListener('repaint', draw);
  pick(null);
  drawList();
  ask();
  return { el, destroy() { over = true; sim?.stop(); watch.disconnect(); removeEventListener('repaint', draw); } };
}

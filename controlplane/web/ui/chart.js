// SPDX-License-Identifier: BSD-3-Clause
// Curves. The traffic chart has what comes in above its zero line and what goes out below it: where a curve is says
// which it is, its colour only repeats it. A pointer or the arrow keys read it second by second. Drawn by hand: the
// libraries for this take a third of all that the dashboard may weigh.
import { h, s, put, attr } from './dom.js';
import { bits, clock } from './format.js';

const charts = new Set();
const LEFT = 74, BOTTOM = 20, TOP = 8, RIGHT = 4, LEAST = 60;

export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
}

// The theme is another one: canvases are drawn anew.
export function repaint() {
  for (const c of charts) c.update();
}

// The step of an axis: 1, 2 or 5 times a power of ten; of time: what clocks have.
const nice = (x) => { const p = 10 ** Math.floor(Math.log10(x)); return [1, 2, 5, 10].find((m) => m * p >= x) * p; };
const TIMES = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600];

// name: of what. data() gives { t, rx, tx }: seconds, and bits a second, null where unknown.
export function traffic(name, data, height = 236) {
  const canvas = h('canvas'), value = { rx: h('b'), tx: h('b'), at: h('span.dim') };
  const box = h('div.plot', { role: 'img', tabindex: '0', 'aria-label': name }, canvas);
  box.style.height = height + 'px';
  const el = h('div.chart', null, h('div.legend', null, h('span.key.in', null, h('i', { 'aria-hidden': 'true' }), 'in ', value.rx), h('span.key.outward', null, h('i', { 'aria-hidden': 'true' }), 'out ', value.tx), value.at), box);
  const c = canvas.getContext('2d');
  let hover = null, told = 0, x0 = 0, x1 = 1, w = 0;

  const X = (t) => LEFT + ((w - LEFT - RIGHT) * (t - x0)) / (x1 - x0);
  function draw() {
    if (!box.isConnected || document.hidden) return;
    const d = data(), n = d.t.length, dense = devicePixelRatio || 1;
    w = box.clientWidth;
    if (canvas.width !== Math.round(w * dense) || canvas.height !== Math.round(height * dense)) {
      canvas.width = Math.round(w * dense);
      canvas.height = Math.round(height * dense);
    }
    c.setTransform(dense, 0, 0, dense, 0, 0);
    c.clearRect(0, 0, w, height);
    x1 = n ? d.t[n - 1] : Date.now() / 1000;
    x0 = Math.min(n ? d.t[0] : x1, x1 - LEAST);
    const up = Math.max(1000, peak(d.rx)) * 1.08, down = Math.max(1000, peak(d.tx)) * 1.08, space = height - TOP - BOTTOM;
    const zero = Math.round(TOP + (space * up) / (up + down)), scale = space / (up + down);
    c.font = '11px ' + getComputedStyle(document.body).fontFamily;
    const line = colour('line'), dim = colour('ink-3');
    // The axes.
    c.lineWidth = 1;
    c.strokeStyle = line;
    c.fillStyle = dim;
    c.textAlign = 'right';
    c.textBaseline = 'middle';
    const step = nice(((up + down) * 34) / space);
    for (let v = -Math.floor(down / step) * step; v <= up; v += step) {
      const y = Math.round(zero - v * scale) + 0.5;
      if (Math.abs(v) > step / 2) stroke(() => { c.moveTo(LEFT, y); c.lineTo(w - RIGHT, y); });
      c.fillText(Math.abs(v) < step / 2 ? '0' : bits(Math.abs(v)).replace(/\.0+ /, ' ').replace(/(\.\d)0 /, '$1 '), LEFT - 8, y);
    }
    c.textAlign = 'center';
    const every = TIMES.find((s1) => ((w - LEFT) * s1) / (x1 - x0) >= 76) || 86400;
    for (let t = Math.ceil(x0 / every) * every; t <= x1; t += every) {
      const x = Math.round(X(t)) + 0.5;
      stroke(() => { c.moveTo(x, TOP); c.lineTo(x, height - BOTTOM); });
      const label = clock(t * 1000).slice(0, every < 60 ? 8 : 5);
      if (x > LEFT + 16 && x < w - 20) c.fillText(label, x, height - 7);
    }
    curve(d.t, d.rx, zero, -scale, 'accent', 'in-fill');
    curve(d.t, d.tx, zero, scale, 'outward', 'out-fill');
    c.strokeStyle = dim;
    stroke(() => { c.moveTo(LEFT, zero + 0.5); c.lineTo(w - RIGHT, zero + 0.5); });
    const i = hover === null || hover >= n ? n - 1 : hover;
    if (hover !== null && i >= 0) {
      const x = Math.round(X(d.t[i])) + 0.5;
      c.setLineDash([3, 3]);
      stroke(() => { c.moveTo(x, TOP); c.lineTo(x, height - BOTTOM); });
      c.setLineDash([]);
      for (const [v, k, name1] of [[d.rx[i], -scale, 'accent'], [d.tx[i], scale, 'outward']]) {
        if (v === null) continue;
        c.fillStyle = colour(name1);
        c.beginPath();
        c.arc(x, zero + v * k, 3.5, 0, 7);
        c.fill();
      }
    }
    put(value.rx, i < 0 ? '–' : bits(d.rx[i]));
    put(value.tx, i < 0 ? '–' : bits(d.tx[i]));
    put(value.at, i < 0 ? '' : i === n - 1 ? 'now' : 'at ' + clock(d.t[i] * 1000));
    if (n && Date.now() - told > 10000) {
      told = Date.now();
      attr(box, 'aria-label', `${name}, the last ${Math.max(1, Math.round((x1 - d.t[0]) / 60))} minutes: now ${bits(d.rx[n - 1])} in, ${bits(d.tx[n - 1])} out; at most ${bits(peak(d.rx))} in, ${bits(peak(d.tx))} out`);
    }
  }
  function stroke(path) {
    c.beginPath();
    path();
    c.stroke();
  }
  // Piece by piece: a gap is drawn as one. Where there are more samples than pixels, the highest of each is.
  function curve(t, values, zero, scale, ink, fill) {
    c.strokeStyle = colour(ink);
    c.fillStyle = colour(fill);
    c.lineWidth = 1.5;
    let i = 0;
    const n = t.length, per = Math.max(1, Math.floor(n / Math.max(1, w - LEFT)));
    while (i < n) {
      while (i < n && values[i] === null) i++;
      const from = i, points = [];
      while (i < n && values[i] !== null) {
        let top = values[i];
        for (let k = 1; k < per && i + k < n && values[i + k] !== null; k++) top = Math.max(top, values[i + k]);
        points.push([X(t[i]), zero + top * scale]);
        i += per;
      }
      if (i > n) i = n;
      if (from >= n || !points.length) continue;
      c.beginPath();
      c.moveTo(points[0][0], zero);
      for (const [x, y] of points) c.lineTo(x, y);
      c.lineTo(points.at(-1)[0], zero);
      c.fill();
      stroke(() => points.forEach(([x, y], k) => (k ? c.lineTo(x, y) : c.moveTo(x, y))));
    }
    c.lineWidth = 1;
  }
  function at(x) {
    const d = data(), t = x0 + ((x - LEFT) * (x1 - x0)) / (w - LEFT - RIGHT);
    let best = null, near = Infinity;
    d.t.forEach((v, i) => { if (Math.abs(v - t) < near) { near = Math.abs(v - t); best = i; } });
    return best;
  }
  box.addEventListener('pointermove', (e) => { hover = at(e.clientX - box.getBoundingClientRect().left); draw(); });
  box.addEventListener('pointerleave', () => { hover = null; draw(); });
  box.addEventListener('blur', () => { hover = null; draw(); });
  box.addEventListener('keydown', (e) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30 }[e.key], last = data().t.length - 1;
    if (e.key === 'Escape') hover = null;
    else if (!by || last < 0) return;
    else hover = Math.max(0, Math.min(last, (hover ?? last) + by));
    e.preventDefault();
    draw();
  });
  const watch = new ResizeObserver(draw);
  watch.observe(box);
  const self = {
    el, update: draw,
    destroy() {
      watch.disconnect();
      charts.delete(self);
    },
  };
  charts.add(self);
  return self;
}

const peak = (list) => list.reduce((m, v) => (v > m ? v : m), 0);

// A small curve in a row: in above, out below, on one scale. update({ rx, tx }) or update(list).
export function spark(width = 96, height = 24) {
  const paths = ['in-area', 'out-area', 'in', 'out'].map((c) => s('path', { class: 'spark-' + c })), mid = s('path', { class: 'spark-mid', d: 'M0 ' + height / 2 + 'H' + width });
  const el = s('svg', { class: 'spark', viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' }, paths.slice(0, 2), mid, paths.slice(2));
  function path(i0, list, max, base, span, n) {
    const few = list.length < 2;
    const x = (i) => (width * (n - list.length + i)) / Math.max(1, n - 1);
    const line = list.map((v, i) => `${x(i).toFixed(1)} ${(base - (span * (v || 0)) / max).toFixed(1)}`).join('L');
    attr(paths[i0], 'd', few ? null : `M${x(0).toFixed(1)} ${base}L${line}L${width} ${base}Z`);
    attr(paths[i0 + 2], 'd', few || !peak(list) ? null : 'M' + line);
  }
  return {
    el,
    update(d, n = 60) {
      if (!d) return paths.forEach((p) => attr(p, 'd', null));
      const max = Math.max(1000, peak(d.rx), peak(d.tx));
      path(0, d.rx, max, height / 2, height / 2 - 1, n);
      path(1, d.tx, max, height / 2, 1 - height / 2, n);
    },
    single(list, max, n = 120) {
      mid.setAttribute('d', `M0 ${height - 0.5}H${width}`);
      path(0, list, Math.max(max, peak(list)), height, height - 1, n);
    },
  };
}

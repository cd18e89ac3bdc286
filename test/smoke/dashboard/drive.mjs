// SPDX-License-Identifier: BSD-3-Clause
// Drives the dashboard in a browser, as the test says by its name:
//   drive.mjs STAGE
// What it needs to know is in the environment: BASE (address), PUBLIC, PASSWORD, SHOW (a command that asks the daemon
// and prints JSON), FLAGS (a folder in which the two sides tell each other how far they are), PICTURES.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import axe from 'axe-core';
import puppeteer from 'puppeteer-core';
import { look } from './look.mjs';

const { BASE, PUBLIC, PASSWORD, SHOW, FLAGS, PICTURES } = process.env;
const CHROME = process.env.CHROME || '/usr/bin/chromium-headless-shell';
const HOSTILE = '<img src=x onerror=hit=1>';
const stage = process.argv[2];

const browser = await puppeteer.launch({ executablePath: CHROME, headless: 'shell', protocolTimeout: 120000, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--hide-scrollbars'] });
const context = await browser.createBrowserContext();
const noise = []; // what a page complained of
let deaf = false; // while the daemon is away on purpose

const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
function fail(words) {
  console.log(words);
  process.exitCode = 1;
  throw new Error(words);
}
function ok(cond, words) {
  if (!cond) fail(words);
}
async function within(seconds, words, f) {
  const end = Date.now() + seconds * 1000;
  let last;
  for (;;) {
    last = await f().catch((e) => (/Execution context|detached/.test(e.message) ? false : Promise.reject(e)));
    if (last) return last;
    if (Date.now() > end) fail('not within ' + seconds + ' s: ' + words);
    await sleep(150);
  }
}
const asked = (...args) => JSON.parse(execFileSync('sh', ['-c', SHOW + ' ' + args.map((a) => "'" + a + "'").join(' ') + ' --json'], { encoding: 'utf8' }));
const peerOf = (name) => asked('peers').peers.find((p) => p.name === name);

// What is wrong with a page as it stands: by look.mjs, and by all rules of axe-core.
let inspected = 0;
async function inspect(page) {
  inspected++;
  const bad = await page.evaluate(look);
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axe.source);
  return bad.concat(await page.evaluate(async () => {
    const found = await window.axe.run(document, { resultTypes: ['violations'] });
    return found.violations.flatMap((v) => v.nodes.slice(0, 3).map((n) => `axe ${v.id}: ${v.help}: ${n.html.slice(0, 160)} ${n.any.concat(n.all, n.none).map((c) => c.message).join('; ')}`));
  }));
}

async function open(hash = '', base = BASE, where = context) {
  const page = await where.newPage();
  page.setDefaultTimeout(30000);
  page.streams = 0;
  page.on('request', (r) => r.url().endsWith('/api/v1/events') && page.streams++);
  page.on('console', (m) => !deaf && ['error', 'warn'].includes(m.type()) && noise.push('console: ' + m.text() + ' ' + (m.location()?.url || '')));
  page.on('pageerror', (e) => noise.push('error: ' + e.message));
  page.on('requestfailed', (r) => !deaf && !/\/events$/.test(r.url()) && !/ERR_ABORTED/.test(r.failure()?.errorText || '') && noise.push('failed: ' + r.url() + ' ' + r.failure()?.errorText));
  page.on('response', (r) => !deaf && r.status() >= 400 && noise.push(r.status() + ' ' + r.url()));
  page.on('request', (r) => !r.url().startsWith(base) && !/^(data|blob):/.test(r.url()) && noise.push('asks elsewhere: ' + r.url()));
  await page.setViewport({ width: 1280, height: 900 });
  await page.goto(base + '/' + (hash ? '#/' + hash : ''), { waitUntil: 'domcontentloaded' });
  return page;
}
async function login(hash) {
  const page = await open(hash);
  await within(20, 'the form, or the page', () => page.evaluate(() => !!document.querySelector('#password, nav')));
  if (await page.$('#password')) {
    await page.type('#password', PASSWORD);
    await page.click('form button[type=submit]');
  }
  await within(20, 'live numbers after the login', () => page.evaluate(() => document.querySelector('.pill')?.textContent === 'live'));
  return page;
}
const press = (page, label, scope = 'body') =>
  within(15, 'a button "' + label + '" in ' + scope, () =>
    page.evaluate((label, scope) => {
      const b = [...document.querySelectorAll(scope + ' button')].find((x) => !x.closest('[hidden]') && (x.querySelector('span')?.textContent.trim() === label || x.getAttribute('aria-label') === label));
      b?.click();
      return !!b;
    }, label, scope));
const go = async (page, hash) => {
  await page.evaluate((h) => (location.hash = '#/' + h), hash);
  await sleep(200);
};
const text = (page, sel = 'body') => page.$eval(sel, (e) => e.innerText);
const said = (page, words) => within(20, 'a word of "' + words + '"', () => page.evaluate((w) => document.getElementById('toasts').textContent.includes(w), words));
async function confirm(page, button, fields = {}) {
  await page.waitForSelector('dialog[open]');
  for (const [label, value] of Object.entries(fields)) {
    const id = await page.evaluate((label) => [...document.querySelectorAll('dialog label')].find((l) => l.firstChild.textContent === label)?.htmlFor, label);
    ok(id, 'no field "' + label + '"');
    await page.$eval('#' + id, (e) => (e.value = ''));
    await page.type('#' + id, value);
  }
  await press(page, button, 'dialog[open]');
}

const VIEWS = ['overview', 'peers', 'peers/berlin', 'sessions', 'routes', 'mesh', 'gateways', 'workers', 'drops', 'log', 'config'];

const stages = {
  async login() {
    const page = await open();
    await page.waitForSelector('#password');
    ok((await text(page)).includes('Sign in'), 'the form says what it is');
    for (const bad of await inspect(page)) fail('login: ' + bad);
    deaf = true; // a refusal is one
    await page.type('#password', 'wrong');
    await page.keyboard.press('Enter');
    await within(20, 'that the password is wrong', () => page.evaluate(() => !document.querySelector('.wrong').hidden && document.querySelector('.wrong').textContent.length > 5));
    deaf = false;
    await login();
    const again = await open('peers');
    await within(20, 'the session for another tab', () => again.evaluate(() => !!document.querySelector('nav')));
  },

  async live() {
    const page = await login();
    const rates = [];
    await within(40, 'rates that change', async () => {
      const now = await page.evaluate(() => [...document.querySelectorAll('.stat')].slice(0, 2).map((e) => e.querySelector('b').textContent + ' ' + e.querySelector('.unit').textContent).join(', '));
      if (rates.at(-1) !== now) rates.push(now);
      return rates.length >= 4 && /[MGk]bit/.test(now);
    });
    console.log('# in, out: ' + rates.slice(-3).join('; '));
    await go(page, 'peers');
    await within(20, 'a rate of berlin', () => page.evaluate(() => [...document.querySelectorAll('table.data tr')].some((r) => r.querySelector('a.name')?.textContent === 'berlin' && [...r.querySelectorAll('td.num')].some((td) => parseFloat(td.textContent) > 0.01))));
    await within(20, 'a curve of it', () => page.evaluate(() => [...document.querySelectorAll('td .spark-in, td .spark-out')].some((e) => (e.getAttribute('d') || '').length > 40)));
    await go(page, 'workers');
    await within(20, 'cycles per packet', () => page.evaluate(() => document.querySelectorAll('.barrow').length > 3));
    await go(page, 'log');
    const lines = asked('log').lines.length; // in pages
    if (lines < 100) fail('the log has ' + lines + ' lines');
    await within(20, 'all lines of the log', () => page.evaluate((n) => document.querySelectorAll('.log p').length >= n, lines));
    if (!await page.evaluate(() => [...document.querySelectorAll('.log time')].every((e, i, all) => !i || all[i - 1].dateTime <= e.dateTime))) fail('lines of the log are not in order');
    await go(page, 'mesh');
    await within(40, 'nodes of the mesh', () => page.evaluate(() => document.querySelectorAll('button.node').length >= 3));
    await go(page, 'routes?to=' + process.env.FAR);
    await within(30, 'why a route is so', () => page.evaluate(() => /By (berlin|paris)/.test(document.querySelector('.answer')?.textContent || '')));
    await within(30, 'the nodes on the way', () => page.evaluate(() => document.querySelectorAll('.hops li').length >= 2));
  },

  // Two tabs, one stream; the one that has it goes, and the other goes on.
  async tabs() {
    const one = await login();
    await sleep(1500);
    const other = await open('peers');
    await within(20, 'numbers in the second', () => other.evaluate(() => document.querySelector('.pill')?.textContent === 'live'));
    await sleep(2500);
    ok(one.streams === 1 && other.streams === 0, `one stream for two tabs, not ${one.streams} and ${other.streams}`);
    await one.close();
    const was = await text(other, '.who');
    await within(20, 'the other goes on', async () => (await text(other, '.who')) !== was && other.streams === 1);
  },

  async views() {
    const page = await login();
    let looked = 0;
    for (const view of VIEWS) {
      await go(page, view);
      await sleep(1300);
      for (const width of [1920, 768, 360])
        for (const theme of width === 768 ? ['light'] : ['light', 'dark']) {
          await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme }]);
          await page.setViewport({ width, height: 900 });
          await sleep(120);
          for (const bad of await inspect(page)) {
            console.log(`${view} at ${width}, ${theme}: ${bad}`);
            process.exitCode = 1;
          }
          looked++;
        }
    }
    console.log('# pages looked at: ' + looked + ', by axe-core ' + axe.version);
    await page.setViewport({ width: 1280, height: 900 });
    await go(page, 'drops');
    await sleep(500);
    if (await page.$('table.data button.link')) {
      await page.click('table.data button.link');
      await page.waitForSelector('dialog[open]');
      await within(20, 'whose the drops were', () => page.evaluate(() => !/Asking/.test(document.querySelector('dialog').textContent)));
      for (const bad of await inspect(page)) fail('a dialog: ' + bad);
    } else fail('no drops, which this test has made');
  },

  async keys() {
    const page = await login();
    for (let i = 0; i < 30; i++) {
      await page.keyboard.press('Tab');
      const bare = await page.evaluate(() => {
        const e = document.activeElement, s = getComputedStyle(e);
        return e === document.body || (s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2) ? null : e.outerHTML.slice(0, 120);
      });
      ok(!bare, 'focus is not to be seen on ' + bare);
    }
    await page.evaluate(() => document.activeElement.blur());
    await page.keyboard.type('gp');
    await within(10, 'g p goes to the peers', () => page.evaluate(() => document.querySelector('h1').textContent === 'Peers' && !!document.querySelector('table.data a.name')));
    await page.keyboard.press('/');
    ok(await page.evaluate(() => document.activeElement.matches('input.filter')), '/ goes to the filter');
    await page.keyboard.type('zzz');
    await within(10, 'words where nothing fits', () => page.evaluate(() => /No peer fits/.test(document.body.innerText)));
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await within(10, 'j and Enter open a peer', () => page.evaluate(() => location.hash.startsWith('#/peers/')));
    await page.keyboard.press('?');
    await page.waitForSelector('dialog[open]');
    await page.keyboard.press('Escape');
    await within(5, 'Escape closes it', () => page.evaluate(() => !document.querySelector('dialog')));
    await page.keyboard.down('Control');
    await page.keyboard.press('k');
    await page.keyboard.up('Control');
    await page.keyboard.type('gate');
    await page.keyboard.press('Enter');
    await within(10, 'a view is found', () => page.evaluate(() => document.querySelector('h1').textContent === 'Gateways'));
    const back = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.evaluate(() => document.activeElement.blur());
    const before = await back();
    await page.keyboard.press('t');
    ok(before !== (await back()), 't changes the theme');
  },

  async act() {
    const page = await login('peers/berlin');
    await press(page, 'Traffic off');
    ok(/other ways/.test(await text(page, 'dialog')), 'the dialog says what will happen');
    await press(page, 'Cancel', 'dialog[open]');
    ok(peerOf('berlin').state === 'up', 'Cancel changes nothing');
    await press(page, 'Traffic off');
    await confirm(page, 'Traffic off');
    await said(page, 'traffic of berlin is off');
    ok(peerOf('berlin').state === 'traffic off', 'the daemon took the traffic off: ' + peerOf('berlin').state);
    await press(page, 'Traffic on');
    await confirm(page, 'Traffic on');
    await within(20, 'traffic is on again', async () => peerOf('berlin').state === 'up');
    await press(page, 'Cost');
    await confirm(page, 'Set the cost', { Cost: '99999999' });
    await within(5, 'what is wrong with a cost', () => page.evaluate(() => /1 to 65534/.test(document.querySelector('dialog .wrong').textContent)));
    await page.keyboard.press('Escape');
    await press(page, 'Cost');
    await confirm(page, 'Set the cost', { Cost: '345' });
    await said(page, 'the cost of berlin is set');
    ok(asked('config').changed.some((c) => c.effective === '345'), 'the daemon has the cost');
    await press(page, 'Reset');
    await confirm(page, 'Reset');
    await said(page, 'was reset');

    await go(page, 'peers');
    deaf = true;
    await press(page, 'Add a peer');
    await confirm(page, 'Add the peer', { Name: HOSTILE, Key: process.env.KEY });
    await within(20, 'that no peer can be called so', () => page.evaluate(() => !document.querySelector('dialog .wrong').hidden));
    ok(await page.evaluate(() => !document.querySelector('img') && !('hit' in window)), 'what is wrong with a name is text');
    await page.keyboard.press('Escape');
    deaf = false;
    await press(page, 'Add a peer');
    await confirm(page, 'Add the peer', { Name: 'nicosia', Key: process.env.KEY, Endpoints: '192.0.2.7:51820' });
    await within(20, 'a peer is added', () => page.evaluate(() => document.querySelector('h1').textContent === 'nicosia'));
    ok(peerOf('nicosia')?.key === process.env.KEY, 'the daemon has the peer');
    await within(20, 'its page', () => page.evaluate((k) => document.querySelector('.masonry').textContent.includes(k), process.env.KEY));
    await press(page, 'Remove');
    await confirm(page, 'Remove');
    await said(page, 'is removed');
    ok(!peerOf('nicosia'), 'the daemon has removed it');
    deaf = true;
    await go(page, 'peers/paris');
    await press(page, 'Remove');
    await confirm(page, 'Remove');
    await within(20, 'why what the config says is not removed', () => page.evaluate(() => /config/.test(document.querySelector('dialog .wrong')?.textContent || '')));
    deaf = false;
    await page.keyboard.press('Escape');

    await go(page, 'peers');
    await press(page, 'Add a leaf');
    await confirm(page, 'Add the leaf', { Name: 'phone', 'Endpoint of this node': '192.0.2.1:51820' });
    await page.waitForSelector('dialog[open] svg.qr');
    const config = await text(page, 'dialog pre');
    ok(/PrivateKey = \S{44}/.test(config) && config.includes('Endpoint = 192.0.2.1:51820'), 'its config: ' + config);
    const dark = await page.$eval('dialog svg.qr .qr-dark', (e) => e.getAttribute('d').length);
    ok(dark > 2000, 'a QR code');
    writeFileSync(FLAGS + '/leaf.conf', config.endsWith('\n') ? config : config + '\n');
    await page.setViewport({ width: 360, height: 900 });
    for (const bad of await inspect(page)) fail('the leaf: ' + bad);
    await page.setViewport({ width: 1280, height: 900 });
    await (await page.$('dialog svg.qr')).screenshot({ path: FLAGS + '/qr.png' });
    await page.keyboard.press('Escape');
    ok(peerOf('phone')?.kind === 'leaf', 'the daemon has the leaf');
    await go(page, 'peers/phone');
    await press(page, 'Remove');
    await confirm(page, 'Remove');
    await said(page, 'phone is removed');

    await go(page, 'overview');
    await press(page, 'Drain');
    await confirm(page, 'Drain');
    await within(20, 'it is drained, and says so', () => page.evaluate(() => /drained/.test(document.querySelector('.attention').textContent)));
    await press(page, 'End drain');
    await confirm(page, 'Take part again');
    await within(20, 'it takes part again', () => page.evaluate(() => !/drained/.test(document.querySelector('.attention').textContent)));
    await press(page, 'Reload');
    await confirm(page, 'Reload');
    await said(page, 'the config is taken');
    await go(page, 'log');
    await press(page, 'Level');
    await confirm(page, 'Set the level');
    await said(page, 'the level is set');
    await press(page, 'Sign out');
    await page.waitForSelector('#password');
  },

  // What sends packets, and what takes them.
  async tools() {
    const page = await login('peers/berlin');
    const cdp = await browser.target().createCDPSession();
    await cdp.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: FLAGS, browserContextId: context.id });
    await press(page, 'Ping');
    await within(30, 'answers', () => page.evaluate(() => document.querySelectorAll('dialog .said p b').length === 5));
    await within(10, 'their sum', () => page.evaluate(() => /5 of 5 came back/.test(document.querySelector('dialog').textContent)));
    for (const bad of await inspect(page)) fail('ping: ' + bad);
    await page.keyboard.press('Escape');
    await press(page, 'Capture');
    await page.waitForSelector('dialog[open]');
    for (const bad of await inspect(page)) fail('capture: ' + bad);
    await confirm(page, 'Capture', { Seconds: '3', Packets: '50' });
    await said(page, 'were captured');
    await within(20, 'the file', async () => existsSync(FLAGS + '/xylem-berlin.pcapng'));
    const bytes = readFileSync(FLAGS + '/xylem-berlin.pcapng');
    ok(bytes.length > 200 && bytes.readUInt32BE(0) === 0x0a0d0d0a, 'a pcapng file: ' + bytes.length + ' bytes');
    await press(page, 'Check');
    await within(30, 'what was found of berlin', () => page.evaluate(() => /yes/.test(document.querySelector('dialog table')?.textContent || '')));
    await page.setViewport({ width: 360, height: 900 });
    for (const bad of await inspect(page)) fail('check: ' + bad);
    await page.setViewport({ width: 1280, height: 900 });
    await page.keyboard.press('Escape');
    await sleep(5500); // which is how often it may be
    await go(page, 'peers');
    await press(page, 'Check all');
    await within(30, 'all peers', () => page.evaluate(() => document.querySelectorAll('dialog tbody tr').length >= 3));
    for (const bad of await inspect(page)) fail('check all: ' + bad);
    await page.keyboard.press('Escape');
    await go(page, 'drops');
    await within(20, 'a reason', () => page.evaluate(() => !!document.querySelector('table.data button.link')));
    await page.click('table.data button.link');
    await press(page, 'Capture', 'dialog[open]');
    await within(10, 'its capture', () => page.evaluate(() => /what is dropped as/.test(document.querySelector('dialog[open]')?.textContent || '')));
    await confirm(page, 'Capture', { Seconds: '60' });
    await within(10, 'that it goes on', () => page.evaluate(() => /Capturing/.test(document.querySelector('dialog[open]').textContent)));
    deaf = true; // the stream is cut, which is meant
    await page.keyboard.press('Escape');
    await sleep(1500);
    deaf = false;
    await go(page, 'peers/paris');
    await press(page, 'Capture');
    await confirm(page, 'Capture', { Seconds: '1', Packets: '5' });
    await within(20, 'another one, when that was closed', () => Promise.resolve(existsSync(FLAGS + '/xylem-paris.pcapng')));
  },

  // Whatever the API tells, it is text: each word of its answers is made HTML on the way.
  async hostile() {
    const poison = (v) => (typeof v === 'string' ? HOSTILE + v : Array.isArray(v) ? v.map(poison) : v && typeof v === 'object' ? Object.fromEntries(Object.entries(v).map(([k, x]) => [k, k === 'next' || k === 'reason' ? x : poison(x)])) : v);
    const page = await login();
    const cookie = (await page.cookies()).map((c) => c.name + '=' + c.value).join('; ');
    const real = async (path) => (await fetch(BASE + '/api/v1' + path, { headers: { cookie } })).json();
    const [node, peers, workers, graph, drops] = await Promise.all(['/node', '/peers', '/workers', '/graph', '/drops'].map(real));
    const tick = poison({ node, workers: workers.workers, graph: graph.nodes, drops: drops.drops.filter((d) => d.packets), peers: { total: 9, up: 2, cut: false, rows: peers.peers }, rates: { rx_bps: 1, tx_bps: 2, rx_pps: 1, tx_pps: 1 } });
    tick.time = Date.now();
    deaf = true;
    await page.setRequestInterception(true);
    page.on('request', async (r) => {
      const path = r.url().slice(BASE.length);
      if (path === '/api/v1/events') r.respond({ status: 200, contentType: 'text/event-stream', body: 'event: tick\ndata: ' + JSON.stringify(tick) + '\n\nevent: log\ndata: ' + JSON.stringify(poison({ lines: [{ seq: 1e6, time: '2026-01-01T00:00:00Z', level: 'info', subsystem: 'x', text: 'y' }] })) + '\n\n' });
      else if (path.startsWith('/api/v1/') && !/access|history/.test(path)) r.respond({ status: 200, contentType: 'application/json', body: JSON.stringify(poison(await real(path.slice(7)).catch(() => ({})))) });
      else r.continue();
    });
    await page.reload({ waitUntil: 'domcontentloaded' });
    for (const view of VIEWS) {
      await go(page, view);
      if (view === 'gateways') await sleep(1000);
      else await within(20, 'hostile words on ' + view, () => page.evaluate((w) => document.getElementById('main').textContent.includes(w), HOSTILE));
      await sleep(500);
      ok(await page.evaluate(() => !document.querySelector('img,script:not([src])') && !('hit' in window)), 'they are no HTML on ' + view);
      for (const width of [360, 1280]) {
        await page.setViewport({ width, height: 900 });
        for (const bad of await inspect(page)) if (!/contrast/.test(bad)) fail('long words, ' + view + ' at ' + width + ': ' + bad);
      }
    }
  },

  async readonly() {
    const page = await open('peers', PUBLIC);
    await within(20, 'numbers for everybody', () => page.evaluate(() => document.querySelector('.pill')?.textContent === 'live'));
    const sent = [];
    page.on('request', (r) => r.method() !== 'GET' && sent.push(r.method() + ' ' + r.url()));
    await press(page, 'Add a peer');
    await within(10, 'why it may not', () => page.evaluate(() => (document.querySelector('dialog')?.textContent || '').length > 40));
    console.log('# ' + (await text(page, 'dialog')).replace(/\s+/g, ' '));
    await page.keyboard.press('Escape');
    ok(!sent.length, 'nothing was sent: ' + sent);
    for (const view of VIEWS.filter((v) => !['mesh', 'drops', 'log', 'config'].includes(v))) {
      await go(page, view);
      await sleep(900);
      for (const bad of await inspect(page)) fail(view + ': ' + bad);
    }
    for (const view of ['log', 'mesh']) {
      await go(page, view);
      ok(/not public/.test(await text(page)), 'the ' + view + ' is not public, and says so');
    }
    await go(page, 'overview');
    await sleep(900);
    ok(!/Drops/.test(await text(page)), 'drops that are not told are not shown as none');
    for (const view of ['overview', 'peers', 'sessions', 'routes', 'gateways', 'workers', 'peers/berlin']) {
      await go(page, view);
      await sleep(900);
      const bad = /.{0,40}(undefined|NaN).{0,20}/.exec((await text(page)).replace(/\s+/g, ' '));
      ok(!bad, 'what is not told is not shown as such on ' + view + ': ' + bad?.[0]);
    }
    ok(!(await page.content()).includes('10.9.'), 'no address of the underlay');
  },

  // The other side ends the daemon when it sees `open`, and starts it when it sees `away`.
  async restart() {
    const page = await login();
    deaf = true;
    writeFileSync(FLAGS + '/open', '');
    await within(60, 'that the daemon is away', () => page.evaluate(() => /does not answer/.test(document.querySelector('.banner:not([hidden])')?.textContent || '')));
    console.log('# ' + (await text(page, '.banner')).replace(/\s+/g, ' '));
    await page.setViewport({ width: 360, height: 800 });
    for (const bad of await inspect(page)) if (!/contrast/.test(bad)) fail('away: ' + bad); // what is stale is pale
    writeFileSync(FLAGS + '/away', '');
    await within(90, 'that it is back', () => page.evaluate(() => document.querySelector('.pill')?.textContent === 'live' && !!document.querySelector('.banner')?.hidden));
    writeFileSync(FLAGS + '/back', '');
    // xylem-web itself goes, and comes.
    await within(60, 'that the connection is lost', () => page.evaluate(() => /Connection to xylem-web lost/.test(document.querySelector('.banner:not([hidden])')?.textContent || '')));
    writeFileSync(FLAGS + '/lost', '');
    await within(90, 'the form, since sessions end with it, or the page', () => page.evaluate(() => !!document.querySelector('#password') || document.querySelector('.pill')?.textContent === 'live'));
  },

  // Ten thousand peers: what is in sight is there at once.
  async many() {
    const page = await login('peers');
    await page.reload({ waitUntil: 'domcontentloaded' });
    await within(30, 'rows', () => page.evaluate(() => document.querySelectorAll('table.data a.name').length > 5));
    const t = await page.evaluate(() => ({ rows: Math.round(performance.now()), paint: Math.round(performance.getEntriesByName('first-contentful-paint')[0]?.startTime) }));
    const there = await page.evaluate(() => document.querySelectorAll('table.data tbody tr').length);
    ok(there < 120, 'rows in sight alone: ' + there);
    console.log(`# first paint after ${t.paint} ms, seen with rows at ${t.rows} ms, ${there} rows in the page`);
    ok(t.paint < 10000, 'first paint after ' + t.paint + ' ms');
    for (const width of [1280, 360]) {
      await page.setViewport({ width, height: 900 });
      await page.evaluate(() => scrollTo(0, 3000));
      await sleep(500);
      for (const bad of await inspect(page)) fail('many, scrolled, at ' + width + ': ' + bad);
    }
    await page.type('input.filter', 'p9999');
    await within(60, 'one that is far behind', () => page.evaluate(() => [...document.querySelectorAll('table.data a.name')].some((a) => a.textContent === 'p9999')));
    for (const bad of await inspect(page)) fail('many: ' + bad);
  },

  // A hundred thousand routes, of a node.
  async routes() {
    const page = await login('routes');
    await page.reload({ waitUntil: 'domcontentloaded' });
    await within(30, 'rows', () => page.evaluate(() => document.querySelectorAll('table.data button.link').length > 5));
    const first = await page.evaluate(() => Math.round(performance.now()));
    await within(60, 'how many there are', () => page.evaluate(() => /1\d\d\D?\d{3} in all/.test(document.getElementById('main').textContent)));
    // Down, for some seconds: page after page comes, and what is in sight alone is in the page.
    const end = Date.now() + 12000;
    let loaded = 0;
    while (Date.now() < end) {
      await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
      await sleep(150);
    }
    const seen = await page.evaluate(() => ({ rows: document.querySelectorAll('table.data tbody tr').length, text: [...document.querySelectorAll('.count')].map((e) => e.textContent).join(' ') }));
    loaded = +(/([\d\s.,\u202f\u00a0’']+)\+ loaded/.exec(seen.text)?.[1] || '0').replace(/\D/g, '');
    ok(seen.rows < 120, 'rows in sight alone: ' + seen.rows);
    ok(loaded > 200, 'pages come as they are scrolled to: ' + seen.text);
    for (const width of [1280, 360]) {
      await page.setViewport({ width, height: 900 });
      await sleep(300);
      for (const bad of await inspect(page)) fail('routes, scrolled, at ' + width + ': ' + bad);
    }
    await page.setViewport({ width: 1280, height: 900 });
    const heap = Math.round((await page.metrics()).JSHeapUsedSize / 1e6);
    console.log(`# rows after ${first} ms, ${loaded} of them loaded by scrolling, ${seen.rows} in the page, heap ${heap} MB`);
    ok(heap < 200, 'a heap of ' + heap + ' MB');
    // Any of them at once, without those before it.
    await go(page, 'routes?within=' + encodeURIComponent('2001:db8:1:8000::/64'));
    await within(30, 'one that is far behind', () => page.evaluate(() => { const all = [...document.querySelectorAll('table.data button.link')]; return all.length === 1 && /2001:db8:1:8000::/.test(all[0].textContent); }));
    await go(page, 'routes?to=' + encodeURIComponent('2001:db8:1:8001::1'));
    await within(30, 'why it is so', () => page.evaluate(() => /By p\d+/.test(document.querySelector('.answer')?.textContent || '')));
  },

  async pictures() {
    const page = await login();
    const shot = async (name, hash, width, height, theme, wait = 1500) => {
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme }]);
      await page.setViewport({ width, height });
      await go(page, hash);
      await sleep(wait);
      await page.screenshot({ path: PICTURES + '/dashboard-' + name + '.png' });
    };
    await shot('overview', 'overview', 1200, 860, 'light', 3000);
    await shot('peers', 'peers', 1200, 520, 'dark', 3000);
    await shot('mesh', 'mesh', 1200, 760, 'light', 5000);
    await shot('phone', 'overview', 360, 700, 'dark', 3000);
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'light' }]);
    await page.setViewport({ width: 1000, height: 620 });
    await go(page, 'peers/berlin');
    await press(page, 'Ping');
    await within(30, 'the sum of a ping', () => page.evaluate(() => /5 of 5 came back/.test(document.querySelector('dialog').textContent)));
    await page.screenshot({ path: PICTURES + '/dashboard-ping.png' });
  },
};

try {
  await stages[stage]();
  const heard = [...new Set(noise)];
  if (heard.length) fail(heard.join('\n'));
} catch (e) {
  if (!process.exitCode) console.log('error: ' + e.message, e.stack);
  process.exitCode = 1;
  if (FLAGS) for (const [i, p] of (await context.pages()).entries()) await p.screenshot({ path: `${FLAGS}/failed-${stage}-${i}.png` }).catch(() => {});
  if (noise.length) console.log(noise.join('\n'));
}
await browser.close();

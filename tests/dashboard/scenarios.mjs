// What a person does at the dashboard, and what they see.
export { flood } from './flood.mjs';

const TABS = ['live', 'approvals', 'history', 'policy', 'mcp', 'egress', 'health'];
const status = page => page.locator('.answers').innerText();
const words = async (page, selector) => (await page.locator(selector).allInnerTexts()).map(text => text.trim());

/** Answers two questions by the keyboard alone: one is let through, the other refused with a reason. */
export async function answer({ page, enter, picture }) {
  await enter();
  const saw = {};
  await page.keyboard.press('2');
  await page.waitForSelector('.card');
  saw.title = await page.title();
  saw.cards = await words(page, '.card .block');
  await picture('approvals');
  // What has only just come into sight is not answered by a key that was meant for something else.
  await page.waitForTimeout(600);
  await page.keyboard.press('a');
  await page.waitForFunction(() => document.querySelector('.answers').innerText.includes('Allowed once'));
  await page.waitForFunction(() => document.querySelectorAll('.card').length === 1);
  await page.waitForTimeout(600);
  await page.keyboard.press('d');
  await page.keyboard.type('not today');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelector('.answers').innerText.includes('Denied'));
  await page.waitForSelector('.nothing');
  saw.answers = await status(page);
  return saw;
}

/** Allows for a while, by a tap on a telephone. */
export async function tap({ page, browser, args }) {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  const phone = await context.newPage();
  await phone.goto(args.link);
  await phone.tap('nav a[href="#/approvals"]');
  await phone.waitForSelector('.card');
  const wide = await phone.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  if (process.env.RAMPART_TEST_PICTURES) await phone.screenshot({ path: `${process.env.RAMPART_TEST_PICTURES}/phone.png` });
  const small = await phone.evaluate(() => [...document.querySelectorAll('.answer button')].filter(b => b.getBoundingClientRect().height < 44).length);
  await phone.tap('.joined button');
  await phone.waitForFunction(() => document.querySelector('.answers').innerText.includes('Allowed for 1h'));
  return { wide, small, answers: await phone.locator('.answers').innerText() };
}

/** Answers with scripts switched off. */
export async function plain({ browser, args }) {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(args.link);
  await page.waitForURL('**/dashboard/approvals');
  await page.click('dt a');
  await page.click('button[value=approve]');
  return { said: await page.locator('h1').innerText() };
}

/** Everything that was said is text: on every page, and in the details of every record. */
export async function hostile({ page, enter, picture }) {
  await enter();
  const foreign = () => page.evaluate(() => {
    const ours = new Set(['HTML', 'HEAD', 'META', 'TITLE', 'NOSCRIPT', 'SCRIPT', 'LINK', 'BODY', 'DIV', 'A', 'HEADER', 'H1', 'H2', 'H3', 'H4', 'NAV',
      'SPAN', 'BUTTON', 'FORM', 'INPUT', 'MAIN', 'LABEL', 'SELECT', 'OPTION', 'svg', 'rect', 'TABLE', 'CAPTION', 'THEAD', 'TBODY', 'TR', 'TH', 'TD',
      'TIME', 'SECTION', 'ARTICLE', 'P', 'PRE', 'DL', 'DT', 'DD', 'CODE', 'KBD', 'B', 'DETAILS', 'SUMMARY', 'TEXTAREA', 'UL', 'LI']);
    const all = [...document.querySelectorAll('*')];
    const handlers = all.filter(e => [...e.attributes].some(a => a.name.startsWith('on')));
    const links = all.filter(e => e.href && !e.href.baseVal && new URL(e.href).origin !== location.origin);
    return [...all.filter(e => !ours.has(e.tagName)), ...handlers, ...links].map(e => e.outerHTML.slice(0, 200));
  });
  const saw = { foreign: [], raw: 0, text: '' };
  const look = async () => {
    saw.foreign.push(...await foreign());
    const text = await page.evaluate(() => document.body.innerText);
    // Nothing that turns text around, moves a cursor or cannot be seen is in it as it is.
    saw.raw += (text.match(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g) ?? []).length;
    return text;
  };
  for (const tab of TABS) {
    await page.click(`nav a[href="#/${tab}"]`);
    await page.waitForTimeout(500);
    if (tab === 'approvals') {
      const more = page.locator('.card .more').first();
      saw.question = await more.innerText();
      await more.click();
    }
    saw.text += await look();
  }
  await page.click('nav a[href="#/history"]');
  await page.waitForSelector('.rows tbody tr');
  const rows = await page.locator('.rows tbody tr').count();
  await page.locator('.rows').focus();
  for (let nth = 0; nth < rows; nth += 1) {
    await page.keyboard.press('j');
    await page.waitForSelector('.details');
    const more = page.locator('.details .more').first();
    if (await more.count()) {
      saw.cut = await more.innerText();
      await more.click();
    }
    saw.text += await look();
  }
  await picture('hostile');
  saw.rows = rows;
  saw.ran = await page.evaluate(() => globalThis.ran ?? null);
  saw.title = await page.title();
  saw.longest = Math.max(...saw.text.split('\n').map(line => line.length));
  saw.text = saw.text.slice(0, 2_000_000);
  return saw;
}

/** A page of another site asks with the browser's cookie, and what it gets. */
export async function elsewhere({ page, context, args, enter }) {
  await enter();
  const { createServer } = await import('node:http');
  const server = createServer((_, response) => response.setHeader('content-type', 'text/html').end('<h1>elsewhere</h1>'));
  await new Promise(ready => server.listen(0, '127.0.0.1', ready));
  const other = await context.newPage();
  // The same host and another port: the same site, to which browsers do send the cookie.
  await other.goto(`http://127.0.0.1:${server.address().port}/`);
  const got = await other.evaluate(async origin => {
    const ask = async (path, options) => {
      try {
        const response = await fetch(origin + path, { credentials: 'include', ...options });
        return `${response.type} ${response.status} ${(await response.text()).length}`;
      } catch (error) {
        return error.name;
      }
    };
    const frame = document.createElement('iframe');
    frame.src = `${origin}/dashboard/`;
    document.body.append(frame);
    await new Promise(done => { frame.onload = frame.onerror = done; setTimeout(done, 2000); });
    return {
      page: await ask('/dashboard/'), script: await ask('/dashboard/app.js'), who: await ask('/v1/whoami'), blind: await ask('/v1/whoami', { mode: 'no-cors' }),
      rule: await ask('/v1/rules', { method: 'POST', mode: 'no-cors', body: '{"action":"allow","pattern":"*"}' }),
      frame: frame.contentDocument === null ? 'closed' : 'open',
    };
  }, args.origin);
  server.close();
  return { got };
}

/** Every page, by axe, in light and dark and on a telephone; and what one who only has a keyboard finds. */
export async function accessible({ page, enter, picture, axe }) {
  await enter();
  const saw = { violations: [], pictures: 0 };
  const source = axe();
  for (const [scheme, width, height] of [['light', 1440, 900], ['dark', 1440, 900], ['light', 390, 844]]) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize({ width, height });
    for (const tab of TABS) {
      await page.click(`nav a[href="#/${tab}"]`);
      await page.waitForTimeout(500);
      if (['live', 'history'].includes(tab)) await page.keyboard.press('j');
      if (tab === 'policy') {
        await page.fill('textarea >> nth=0', 'git push --force origin main');
        await page.keyboard.press('Enter');
        await page.waitForSelector('.judged');
      }
      await page.waitForTimeout(150);
      await page.evaluate(source);
      const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
      for (const violation of violations.filter(({ impact }) => ['serious', 'critical'].includes(impact))) {
        saw.violations.push(`${tab} ${scheme} ${width}: ${violation.id} ${violation.nodes.map(node => node.html.slice(0, 160)).slice(0, 3).join(' | ')}`);
      }
      const fits = await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
      if (!fits) saw.violations.push(`${tab} ${width}: wider than its window`);
      await picture(`${tab}-${width < 500 ? 'phone' : scheme}`);
      if (tab === 'live' || tab === 'history') await page.keyboard.press('Escape');
    }
  }
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.keyboard.press('?');
  saw.keys = await page.locator('dialog').innerText();
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => document.querySelector('dialog') === null);
  saw.closed = true;
  return saw;
}

/** Finds one's way with nothing but a keyboard. */
export async function keyboard({ page, enter }) {
  await enter();
  const saw = { stops: [], unseen: [] };
  await page.waitForSelector('.rows tbody tr');
  await page.evaluate(() => document.body.focus());
  for (let nth = 0; nth < 20; nth += 1) {
    await page.keyboard.press('Tab');
    const stop = await page.evaluate(() => {
      const at = document.activeElement;
      const style = getComputedStyle(at);
      return { name: `${at.tagName} ${at.getAttribute('aria-label') ?? at.textContent}`.slice(0, 40), seen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0 };
    });
    if (stop.name.startsWith('BODY')) break;
    saw.stops.push(stop.name);
    if (!stop.seen) saw.unseen.push(stop.name);
  }
  await page.keyboard.press('/');
  await page.keyboard.type('rm -rf');
  await page.waitForFunction(() => document.querySelectorAll('.rows tbody tr').length === 1);
  await page.keyboard.press('Escape');
  await page.keyboard.press('j');
  saw.details = await page.locator('.details').innerText();
  // From the denial to the rule that would allow it, which is refused: that one is locked.
  await page.getByRole('button', { name: 'Judge again' }).press('Enter');
  await page.waitForSelector('.judged');
  saw.judged = await page.locator('.judged').innerText();
  await page.getByRole('button', { name: 'Preview' }).press('Enter');
  await page.waitForSelector('.trouble');
  saw.refused = await page.locator('.trouble').innerText();
  return saw;
}

/** Proposes a rule, looks at what it would have come to, writes it, and takes it back. */
export async function rule({ page, enter, picture }) {
  await enter();
  await page.keyboard.press('4');
  await page.fill('textarea >> nth=0', 'git push --force origin main');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.judged');
  const saw = { judged: await page.locator('.judged').innerText() };
  await page.getByRole('button', { name: 'Propose a rule' }).click();
  saw.early = await page.getByRole('button', { name: 'Write it' }).isDisabled();
  await page.getByRole('button', { name: 'Preview' }).click();
  await page.waitForSelector('.differences');
  saw.preview = await page.locator('.differences').innerText();
  await picture('policy-preview');
  await page.getByRole('button', { name: 'Write it' }).click();
  await page.waitForSelector('.good');
  saw.written = await page.locator('.good').innerText();
  await page.fill('textarea >> nth=0', 'git push --force  origin main');
  await page.getByRole('button', { name: 'Judge ↵' }).click();
  await page.waitForFunction(() => document.querySelector('.judged .word')?.textContent === 'allow');
  await page.getByRole('button', { name: 'Take back' }).click();
  await page.waitForFunction(() => document.body.innerText.includes('one press takes it back'));
  return saw;
}

/** Approves what an MCP server offers otherwise than it did. */
export async function pins({ page, enter, picture }) {
  await enter();
  await page.keyboard.press('5');
  await page.waitForSelector('.waiting');
  const saw = { offered: await page.locator('.waiting').innerText() };
  await picture('mcp-waiting');
  await page.getByRole('button', { name: 'Approve as shown' }).click();
  await page.waitForSelector('.good');
  saw.said = await page.locator('.good').innerText();
  return saw;
}

/** How much crosses the wire, and how soon something is seen. */
export async function weight({ page, enter, args }) {
  const { gzipSync } = await import('node:zlib');
  await enter();
  const saw = { zipped: 0, first: [] };
  for (const name of ['', 'app.js', 'app.css']) {
    const body = await page.evaluate(async name => (await fetch(`/dashboard/${name}`)).text(), name);
    saw.zipped += gzipSync(body, { level: 9 }).length;
  }
  for (let nth = 0; nth < 5; nth += 1) {
    await page.goto(`${args.origin}/dashboard/`);
    await page.waitForSelector('.rows tbody tr');
    saw.first.push(await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? performance.now()));
  }
  return saw;
}

/** Looks through a session from its beginning, and takes records along in every format. */
export async function session({ page, enter, picture, args }) {
  await enter();
  await page.keyboard.press('3');
  await page.waitForSelector('.rows tbody tr');
  const fields = page.locator('.fields input');
  const named = async title => page.locator('.fields label', { hasText: title }).locator('input');
  const saw = { conditions: await fields.count(), exports: {} };
  await (await named('Session')).fill(args.session);
  await page.getByRole('button', { name: 'Search' }).click();
  await page.getByRole('button', { name: 'Timeline of the session' }).click();
  await page.waitForSelector('.timeline tbody tr');
  saw.lanes = await page.locator('.timeline th.lane').allInnerTexts();
  saw.rows = await page.locator('.timeline tbody tr').allInnerTexts();
  await page.keyboard.press('j');
  await page.waitForSelector('.split.open');
  await picture('history-timeline');
  for (const format of ['jsonl', 'json', 'csv', 'cef']) {
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.locator('.after a[download]', { hasText: new RegExp(`^${format}$`) }).click(),
    ]);
    const chunks = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk);
    saw.exports[format] = { name: download.suggestedFilename(), text: Buffer.concat(chunks).toString() };
  }
  return saw;
}

/** Tries a policy on what was recorded, and one that cannot be read. */
export async function whatIf({ page, enter, picture, args }) {
  await enter();
  await page.keyboard.press('4');
  const form = page.locator('section', { has: page.getByRole('heading', { name: 'What if', exact: true }) });
  const attempt = async text => {
    await form.locator('textarea').fill(text);
    await form.getByRole('button', { name: 'What if' }).click();
  };
  const saw = { early: await form.getByRole('button', { name: 'What if' }).isDisabled() };
  await attempt(args.policy);
  await form.locator('.differences').waitFor();
  saw.told = await form.locator('.differences').innerText();
  await picture('policy-what-if');
  await attempt('version: "1"\npolicies: 7\n');
  await form.locator('[role=alert]').waitFor();
  saw.refused = await form.locator('[role=alert]').innerText();
  saw.left = await form.locator('.differences').count();
  return saw;
}

/** The roads, and what shows how much each holds. */
export async function roads({ page, enter, picture }) {
  await enter();
  await page.keyboard.press('7');
  await page.waitForSelector('table.plain tbody tr');
  await picture('health');
  return { roads: await page.locator('table.plain >> nth=0 >> tbody tr').allInnerTexts() };
}

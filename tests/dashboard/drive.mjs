// A person at the dashboard, played in a real browser: node drive.mjs SCENARIO ARGUMENTS  Prints what it saw as one JSON
// object. Whatever a page complains of, asks elsewhere or is kept from doing by its policy stands in `trouble`.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import * as scenarios from './scenarios.mjs';

const [scenario, given] = process.argv.slice(2);
const args = JSON.parse(given);
const require = createRequire(`${args.clients}/package.json`);
const { chromium } = require('playwright-core');

const browser = await chromium.launch({
  executablePath: args.chromium,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--hide-scrollbars'],
});
const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
const trouble = [];
await context.addInitScript(() => {
  globalThis.violations = [];
  addEventListener('securitypolicyviolation', event => violations.push(`${event.violatedDirective} ${event.blockedURI}`));
});
const page = await context.newPage();
page.setDefaultTimeout(20_000);
page.on('pageerror', error => trouble.push(`error: ${error.message}`));
page.on('dialog', dialog => { trouble.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
page.on('console', message => {
  // The icon that browsers ask for by themselves is not there.
  const icon = message.location().url.endsWith('/favicon.ico');
  if (['error', 'warning'].includes(message.type()) && !icon) trouble.push(`console: ${message.text()}`);
});
page.on('request', request => {
  if (args.origin && new URL(request.url()).origin !== args.origin) trouble.push(`request: ${request.url()}`);
});

/** Logs in, and waits for the first page. */
const enter = async () => {
  await page.goto(args.link);
  await page.waitForSelector('nav a');
};
/** Keeps a picture for people who want to look. */
const picture = async name => {
  if (process.env.RAMPART_TEST_PICTURES) await page.screenshot({ path: `${process.env.RAMPART_TEST_PICTURES}/${name}.png` });
};
const axe = () => readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

try {
  const seen = await scenarios[scenario]({ page, context, browser, args, enter, picture, axe });
  trouble.push(...await page.evaluate(() => globalThis.violations ?? []).catch(() => []));
  console.log(JSON.stringify({ ...seen, trouble }));
} catch (error) {
  console.error(error.stack, '\n', JSON.stringify(trouble), '\n', await page.evaluate(() => document.body.innerText).catch(() => ''));
  await picture(`failed-${scenario}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}

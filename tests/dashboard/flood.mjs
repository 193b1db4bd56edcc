// The live page in a flood: the gateway's own answers, but for its stream, which tells of so many calls a second.
import { createServer, request } from 'node:http';

const SECONDS = 6;
const BEAT = 10;

export async function flood({ page, args }) {
  const { host, origin } = new URL(args.link);
  let told = 0;
  const server = createServer((asked, answer) => {
    if (asked.url === '/v1/events/stream') {
      answer.writeHead(200, { 'content-type': 'text/event-stream' });
      const began = Date.now();
      const timer = setInterval(() => {
        const due = Math.min((Date.now() - began) * args.rate / 1000, SECONDS * args.rate);
        let text = '';
        for (; told < due; told += 1) text += `id: ${told + 10_000}\nevent: record\ndata: ${JSON.stringify(record(told + 10_000))}\n\n`;
        answer.write(text || ': alive\n\n');
      }, BEAT);
      asked.on('close', () => clearInterval(timer));
      return;
    }
    const headers = { ...asked.headers, host };
    if (headers.origin) headers.origin = origin;
    delete headers.referer;
    const on = request(`${origin}${asked.url}`, { method: asked.method, headers }, from => {
      answer.writeHead(from.statusCode, from.headers);
      from.pipe(answer);
    });
    asked.pipe(on);
  });
  await new Promise(ready => server.listen(0, '127.0.0.1', ready));
  await page.goto(args.link.replace(host, `127.0.0.1:${server.address().port}`));
  await page.waitForSelector('.rows tbody tr');
  const client = await page.context().newCDPSession(page);
  await client.send('Performance.enable');
  const measured = async () => Object.fromEntries((await client.send('Performance.getMetrics')).metrics.map(({ name, value }) => [name, value]));
  const before = await measured();
  const lags = [];
  while (told < SECONDS * args.rate) {
    await new Promise(wait => setTimeout(wait, 250));
    const now = told + 9_999;
    const shown = await page.evaluate(() => Number(document.querySelector('.rows tbody tr').dataset.seq));
    lags.push(now - shown);
  }
  await page.waitForFunction(last => Number(document.querySelector('.rows tbody tr').dataset.seq) === last, SECONDS * args.rate + 9_999);
  const after = await measured();
  const rows = await page.locator('.rows tbody tr').count();
  const said = await page.locator('.rate .said').innerText();
  // It still answers to a key.
  await page.keyboard.press('p');
  await page.waitForSelector('button[aria-pressed=true]');
  server.closeAllConnections();
  server.close();
  const spent = after.TaskDuration - before.TaskDuration;
  return { told, rows, said, lag: Math.max(...lags), busy: spent / (after.Timestamp - before.Timestamp), heap: after.JSHeapUsedSize };
}

function record(seq) {
  const command = `cargo test --package shop-${seq % 17} -- test_${seq}`;
  return {
    v: 'rampart.audit.v2', seq, type: 'decision', at: new Date().toISOString(), boot_ms: seq,
    actor: { agent: `agent-${seq % 5}`, session: `s-${seq % 40}`, surface: 'hook', depth: 0, pid: 4000 + seq % 900, uid: 1000 },
    tool: 'exec', action: { type: 'exec', command, cwd: '/home/ann/shop' },
    effects: [{ kind: 'exec', target: { is: 'program', name: 'cargo', argv: command.split(' ') }, certainty: 'proven', reversibility: 'unknown' }],
    outcome: seq % 23 === 0 ? 'deny' : 'allow', verdict: seq % 23 === 0 ? 'deny' : 'allow', reason: 'default', mode: 'enforce', micros: 80,
    ruleset: 'ab'.repeat(32), h: 'cd'.repeat(32),
  };
}

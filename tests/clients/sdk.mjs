// The TypeScript SDK's client on a stdio server: node sdk.mjs DIR COMMAND...  Prints what it saw as one JSON object.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';

const [dir, command, ...args] = process.argv.slice(2);
const transport = new StdioClientTransport({ command, args, env: process.env, stderr: 'inherit' });
const client = new Client({ name: 'rampart-test', version: '1.0.0' }, { capabilities: {} });
await client.connect(transport);

const call = (name, args, options) => client.callTool({ name, arguments: args }, undefined, options);
const text = result => result.content.map(part => part.text).join('\n');
const seen = { server: client.getServerVersion(), tools: (await client.listTools()).tools.map(tool => tool.name) };

await call('write_file', { path: `${dir}/written.txt`, content: 'written through the firewall' });
seen.read = text(await call('read_text_file', { path: `${dir}/written.txt` }));
const secret = await call('read_text_file', { path: `${dir}/.env` });
seen.secret = { isError: secret.isError === true, text: text(secret) };
seen.concurrent = (await Promise.all(
  Array.from({ length: 20 }, (_, i) => call('write_file', { path: `${dir}/c${i}.txt`, content: `${i}` })),
)).filter(result => !result.isError).length;

const abort = new AbortController();
const cancelled = call('search_files', { path: dir, pattern: '*.txt' }, { signal: abort.signal });
abort.abort('not needed');
seen.cancelled = await cancelled.then(() => false, () => true);
seen.after = (await call('list_directory', { path: dir })).isError !== true;
await client.close();
console.log(JSON.stringify(seen));

// A client for the client scenarios of the conformance suite: node mcp_client.mjs URL. It is the TypeScript SDK's, and does
// what a user of it would: connects, logs in where it must, lists the tools and calls each of them.
import {
  Client, ClientCredentialsProvider, PrivateKeyJwtProvider, StreamableHTTPClientTransport, UnauthorizedError,
} from '@modelcontextprotocol/client';

const url = new URL(process.argv.at(-1));
const scenario = process.env.MCP_CONFORMANCE_SCENARIO ?? '';
const version = process.env.MCP_CONFORMANCE_PROTOCOL_VERSION ?? '2025-11-25';
const context = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}');
const METADATA = 'https://conformance-test.local/client-metadata.json';

/** Logs in without a browser: the page that a person would see sends its visitor on at once. */
class Login {
  redirectUrl = 'http://localhost:3000/callback';
  clientMetadataUrl = METADATA;
  clientMetadata = {
    client_name: 'conformance-client',
    redirect_uris: [this.redirectUrl],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    application_type: 'native',
  };
  #known = context.client_id
    ? { client_id: context.client_id, client_secret: context.client_secret, issuer: context.issuer, redirect_uris: [this.redirectUrl] }
    : undefined;
  #tokens;
  #verifier;
  clientInformation() { return this.#known; }
  saveClientInformation(known) { this.#known = known; }
  tokens() { return this.#tokens; }
  saveTokens(tokens) { this.#tokens = tokens; }
  saveCodeVerifier(verifier) { this.#verifier = verifier; }
  codeVerifier() { return this.#verifier; }
  async redirectToAuthorization(page) {
    const answer = await fetch(page, { redirect: 'manual' });
    this.came = new URL(answer.headers.get('location')).searchParams;
  }
}

function provider() {
  if (scenario === 'auth/client-credentials-basic') {
    return new ClientCredentialsProvider({ clientId: context.client_id, clientSecret: context.client_secret });
  }
  if (scenario === 'auth/client-credentials-jwt') {
    const { client_id: clientId, private_key_pem: privateKey, signing_algorithm: algorithm } = context;
    return new PrivateKeyJwtProvider({ clientId, privateKey, algorithm });
  }
  return new Login();
}

const login = provider();
const transport = () => new StreamableHTTPClientTransport(url, { authProvider: login });
const client = new Client(
  { name: 'rampart-test', version: '1.0.0' },
  {
    capabilities: { elicitation: { form: { applyDefaults: true } }, sampling: {}, roots: {} },
    versionNegotiation: { mode: version >= '2026-07-28' ? { pin: version } : 'legacy' },
  },
);
client.setRequestHandler('elicitation/create', async () => ({ action: 'accept', content: {} }));

/** A value that a schema would take. */
function sample(schema = {}) {
  if (schema.enum) return schema.enum[0];
  if ('const' in schema) return schema.const;
  switch (Array.isArray(schema.type) ? schema.type[0] : schema.type) {
    case 'integer': return 42;
    case 'number': return 5;
    case 'boolean': return true;
    case 'array': return [];
    case 'object': return Object.fromEntries(Object.entries(schema.properties ?? {}).map(([name, inner]) => [name, sample(inner)]));
    default: return 'test';
  }
}

/** Does something, and logs in for it at most this often. */
async function loggedIn(work, times = 3) {
  for (let left = times; ; left -= 1) {
    const over = transport();
    try {
      return await work(over);
    } catch (error) {
      if (!(error instanceof UnauthorizedError) || left === 0 || login.came === undefined) throw error;
      await over.finishAuth(login.came);
      login.came = undefined;
    }
  }
}

await loggedIn(over => client.connect(over));
let calls = context.toolCalls;
const { tools } = await client.listTools();
calls ??= tools.map(tool => {
  const args = sample({ type: 'object', ...tool.inputSchema });
  // One tool takes the schema of another as the client has understood it.
  if ('schema' in args) args.schema = tools.find(other => other !== tool)?.inputSchema;
  return { name: tool.name, arguments: args };
});
for (const call of calls) {
  try {
    await client.callTool(call);
  } catch (error) {
    if (!(error instanceof UnauthorizedError) || login.came === undefined) {
      console.error(`${call.name}: ${error}`);
      continue;
    }
    await client.transport.finishAuth(login.came);
    login.came = undefined;
    await client.callTool(call);
  }
}
await client.close();

// Loaded with `node --require`: sends what `fetch`, `http` and `https` of this process request through HTTP_PROXY and
// HTTPS_PROXY. Node 22.21 and 24.5 do so by themselves when NODE_USE_ENV_PROXY is set; for those it does so only for the
// package undici from its 8th version on, which knows nothing of Node's agent and puts its own in its place.
'use strict';

const [major, minor] = process.versions.node.split('.').map(Number);
const native = major > 24 || (major === 24 && minor >= 5) || (major === 22 && minor >= 21);
const env = process.env;
const address = {
  'http:': env.http_proxy || env.HTTP_PROXY,
  'https:': env.https_proxy || env.HTTPS_PROXY,
};

if (address['http:'] || address['https:']) {
  const exempt = (env.no_proxy || env.NO_PROXY || '').toLowerCase().split(/[\s,]+/).filter(Boolean);
  const direct = (host) => exempt.some((e) => {
    const name = e.replace(/^\*?\./, '');
    return e === '*' || host === name || host.endsWith('.' + name);
  });

  // Opens a tunnel and hands the connection in it to `done`.
  const tunnel = (proxy, host, port, done) => {
    const http = require('node:http');
    const net = require('node:net');
    const url = new URL(proxy);
    const target = `${net.isIPv6(host) ? `[${host}]` : host}:${port}`;
    const headers = { host: target };
    if (url.username) {
      const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
      headers['proxy-authorization'] = 'Basic ' + Buffer.from(pair).toString('base64');
    }
    const request = http.request({
      host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port || 80, method: 'CONNECT', path: target, headers, agent: false,
    });
    request.once('error', done);
    request.once('connect', (response, socket, early) => {
      if (response.statusCode !== 200) {
        socket.destroy();
        return done(new Error(`the proxy refused a tunnel to ${target} with status ${response.statusCode}`));
      }
      if (early.length) socket.unshift(early);
      done(null, socket);
    });
    request.end();
  };

  const connect = (protocol, options, done) => {
    const net = require('node:net');
    const tls = require('node:tls');
    const host = String(options.hostname || options.host || 'localhost').replace(/^\[|\]$/g, '').toLowerCase();
    const port = Number(options.port) || (protocol === 'https:' ? 443 : 80);
    const secure = (socket) => {
      const name = options.servername || (net.isIP(host) ? undefined : host);
      const secured = tls.connect({ ...options, socket, host, servername: name, path: undefined });
      secured.once('error', done);
      secured.once('secureConnect', () => {
        secured.removeListener('error', done);
        done(null, secured);
      });
    };
    if (!address[protocol] || direct(host)) {
      if (protocol === 'https:') return void secure(net.connect({ host, port }));
      const plain = net.connect({ host, port });
      plain.once('error', done);
      return void plain.once('connect', () => {
        plain.removeListener('error', done);
        done(null, plain);
      });
    }
    tunnel(address[protocol], host, port, (error, socket) => {
      if (error) return done(error);
      if (protocol === 'https:') return secure(socket);
      done(null, socket);
    });
  };

  if (!native) {
    const net = require('node:net');
    for (const module of [require('node:http'), require('node:https')]) {
      const { protocol } = module.globalAgent;
      module.globalAgent = new module.Agent({ keepAlive: true });
      // A Unix socket leads to no host.
      module.globalAgent.createConnection = (options, done) =>
        options.socketPath ? net.connect(options.socketPath) : connect(protocol, options, done);
    }
  }

  // Where each undici, that of Node's `fetch` and those of packages, looks for the agent of this process when it is loaded.
  // If there is none it makes one of a class that it may not export, and defines it there; one of that class takes its place.
  // From its 8th version on a package looks at the second place, and then wraps its agent for the first.
  const [first, second] = ['undici.globalDispatcher.1', 'undici.globalDispatcher.2'].map(Symbol.for);
  const { defineProperty } = Object;
  const agentLike = (made) => new made.constructor({
    connect: (options, done) => connect(options.protocol, { ...options, ALPNProtocols: ['http/1.1'] }, done),
  });
  const watch = () => {
    let agent;
    Object.defineProperty = (target, key, descriptor) => {
      if (target !== globalThis || (key !== first && key !== second)) return defineProperty(target, key, descriptor);
      const made = descriptor.value;
      if (key === first) Object.defineProperty = defineProperty;
      const value = key === first && agent ? new made.constructor(agent) : agentLike(made);
      agent = value;
      return defineProperty(target, key, { ...descriptor, value });
    };
  };
  for (const place of native ? [second] : [first, second]) {
    if (!(place in globalThis)) defineProperty(globalThis, place, { configurable: true, get: watch });
  }
}

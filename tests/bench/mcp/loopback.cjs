// What listens to every address listens to this machine only: node --require loopback.cjs.
const { Server } = require('node:net');
const { listen } = Server.prototype;
Server.prototype.listen = function (...args) {
  if (typeof args[0] === 'number' || (typeof args[0] === 'string' && /^\d+$/.test(args[0]))) {
    const [port, host, ...rest] = typeof args[1] === 'string' ? args : [args[0], '127.0.0.1', ...args.slice(1)];
    return listen.call(this, Number(port), host === '::' || host === '0.0.0.0' ? '127.0.0.1' : host, ...rest);
  }
  if (args[0] && typeof args[0] === 'object' && 'port' in args[0]) args[0] = { ...args[0], host: '127.0.0.1' };
  return listen.apply(this, args);
};

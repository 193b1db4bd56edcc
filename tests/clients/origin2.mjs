// An origin that speaks HTTP/2: origin2.mjs FOLDER, with the certificate that origin.py made there. Prints two ports, of
// HTTP/2 and of gRPC. As origin2.mjs call TARGET it is a client of the latter, through the proxy that the environment names.
//
// /1k is 1,024 bytes, /events an event stream, /trailers ends with a trailer, POST says how much came. The service Echo says
// everything again: Say once, Chat as a stream, and Fail ends with a status and a text.

import fs from 'node:fs';
import http2 from 'node:http2';
import grpc from '@grpc/grpc-js';

const bytes = { requestSerialize: b => b, requestDeserialize: b => b, responseSerialize: b => b, responseDeserialize: b => b };
const service = {
  say: { path: '/test.Echo/Say', requestStream: false, responseStream: false, ...bytes },
  chat: { path: '/test.Echo/Chat', requestStream: true, responseStream: true, ...bytes },
  fail: { path: '/test.Echo/Fail', requestStream: false, responseStream: false, ...bytes },
};

function trailer(count) {
  const metadata = new grpc.Metadata();
  metadata.set('x-count', String(count));
  return metadata;
}

async function serve(folder) {
  const [cert, key] = ['origin.pem', 'origin.key'].map(name => fs.readFileSync(`${folder}/${name}`));
  const web = http2.createSecureServer({ cert, key, allowHTTP1: false });
  web.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    const path = headers[':path'];
    if (headers[':method'] === 'POST') {
      let count = 0;
      stream.on('data', data => { count += data.length; });
      stream.on('end', () => { stream.respond({ ':status': 200 }); stream.end(`${count} bytes`); });
    } else if (path === '/events') {
      stream.respond({ ':status': 200, 'content-type': 'text/event-stream' });
      let number = 0;
      const send = () => {
        stream.write(`data: ${number++}\n\n`);
        if (number < 3) setTimeout(send, 200); else stream.end();
      };
      send();
    } else if (path === '/trailers') {
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '42' }));
      stream.end('body');
    } else {
      stream.respond({ ':status': 200, 'content-type': 'application/octet-stream', 'content-length': 1024 });
      stream.end('k'.repeat(1024));
    }
  });
  await new Promise(done => web.listen(0, '127.0.0.1', done));

  const server = new grpc.Server();
  server.addService(service, {
    say: (call, reply) => reply(null, call.request, trailer(1)),
    chat: call => {
      let count = 0;
      call.on('data', message => { count += 1; call.write(message); });
      call.on('end', () => call.end(trailer(count)));
    },
    fail: (_, reply) => reply({ code: grpc.status.FAILED_PRECONDITION, details: 'not today' }, null, trailer(0)),
  });
  const credentials = grpc.ServerCredentials.createSsl(null, [{ cert_chain: cert, private_key: key }]);
  const port = await new Promise((done, failed) =>
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error ? failed(error) : done(bound))));
  console.log(web.address().port, port);
}

async function call(target) {
  const Client = grpc.makeGenericClientConstructor(service, 'Echo');
  const client = new Client(target, grpc.credentials.createSsl());
  const unary = method => new Promise(done => {
    const lines = [];
    const sent = client[method](Buffer.from('hello'), (error, reply) => {
      lines.push(error ? `${error.code} ${error.details}` : reply.toString());
      if (error) done(lines);
    });
    sent.on('status', status => { lines.push(`x-count ${status.metadata.get('x-count')}`); done(lines); });
  });
  console.log((await unary('say')).join(', '));
  console.log((await unary('fail'))[0]);
  const chat = client.chat();
  let heard = 0;
  const over = new Promise(done => chat.on('status', done));
  // The next message is sent when the last one has come back: nothing may be held on the way.
  chat.on('data', message => {
    console.log(message.toString());
    heard += 1;
    if (heard < 3) chat.write(Buffer.from(`message ${heard}`)); else chat.end();
  });
  chat.on('error', error => console.log(`${error.code} ${error.details}`));
  chat.write(Buffer.from('message 0'));
  const status = await over;
  console.log(`status ${status.code}, x-count ${status.metadata.get('x-count')}`);
  client.close();
}

await (process.argv[2] === 'call' ? call(process.argv[3]) : serve(process.argv[2]));

// An echo server of ws (Debian's node-ws), which closes when it is told "close
// CODE REASON", and sends all its clients as many messages of as many bytes when
// it is told "publish COUNT SIZE"; prints its port.
'use strict';

const { WebSocketServer } = require('ws');
const server = new WebSocketServer({ host: '127.0.0.1', port: 0,
    maxPayload: Number(process.argv[2] || 16 << 20),
    perMessageDeflate: false });

server.on('listening', () => console.log(server.address().port));
server.on('connection', (ws) => {
    ws.on('message', (data, isBinary) => {
        const [word, n, ...rest] = isBinary ? [] : `${data}`.split(' ');
        if (word === 'close') {
            ws.close(Number(n), rest.join(' '));
        } else if (word === 'publish') {
            const message = Buffer.alloc(Number(rest[0]), 'x');
            for (let i = 0; i < Number(n); i++)
                server.clients.forEach((c) => c.send(message));
        } else {
            ws.send(data, { binary: isBinary });
        }
    });
    ws.on('error', () => {});
});

// An echo server of ws (Debian's node-ws), which closes when it is told "close
// CODE REASON"; prints its port.
'use strict';

const { WebSocketServer } = require('ws');
const server = new WebSocketServer({ host: '127.0.0.1', port: 0,
    maxPayload: Number(process.argv[2] || 16 << 20),
    perMessageDeflate: false });

server.on('listening', () => console.log(server.address().port));
server.on('connection', (ws) => {
    ws.on('message', (data, isBinary) => {
        const [word, code, ...reason] = isBinary ? [] : `${data}`.split(' ');
        if (word === 'close')
            ws.close(Number(code), reason.join(' '));
        else
            ws.send(data, { binary: isBinary });
    });
    ws.on('error', () => {});
});

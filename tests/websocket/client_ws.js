// The client of ws or of undici, by the second argument, against a server that
// echoes, and closes when it is told "close CODE REASON": prints what is wrong,
// or "ok".
'use strict';

const [, , url, library] = process.argv;
const WebSocket = library === 'ws' ? require('ws') :
    require('undici').WebSocket;

// undici's first versions wait for the payload of a frame that has none.
const stalls = library === 'undici' &&
    parseInt(require('undici/package.json').version, 10) < 6;

function open() {
    const ws = new WebSocket(url);
    ws.binaryType = 'arraybuffer';
    return new Promise((good, bad) => {
        ws.onopen = () => good(ws);
        ws.onerror = (e) => bad(e.error || new Error(e.message || 'error'));
    });
}

function next(ws) {
    return new Promise((good) => {
        ws.onmessage = (e) => good(typeof e.data === 'string' ? e.data :
            Buffer.from(e.data));
        ws.onclose = (e) => good({ code: e.code, reason: e.reason,
            clean: e.wasClean });
    });
}

async function ask(ws, data) {
    const answer = next(ws);
    ws.send(typeof data === 'string' ? data : new Uint8Array(data).buffer);
    return answer;
}

function same(got, expected, what) {
    const say = (v) => Buffer.isBuffer(v) ? v.toString('hex') :
        JSON.stringify(v);
    if (say(got) !== say(expected))
        throw new Error(`${what}: ${say(got).slice(0, 200)} instead of ` +
            say(expected).slice(0, 200));
}

async function main() {
    let ws = await open();
    same(ws.extensions, '', 'extensions');
    // undici's first versions spoil what is between 125 bytes and 4 KB.
    const all = Buffer.from(Array.from({ length: 125 }, (_, i) => 255 - i));
    for (const text of ['hello', 'gr\u00fc\u00dfe \u{1f600}',
        'x'.repeat(60000)])
        same(await ask(ws, text), text, 'text');
    for (const data of [all, Buffer.alloc(65536, 0xfe)])
        same(await ask(ws, data), data, 'binary');
    if (!stalls) {
        same(await ask(ws, ''), '', 'empty text');
        same(await ask(ws, Buffer.alloc(0)), Buffer.alloc(0), 'empty binary');
    }
    const got = [];
    const done = new Promise((good) => {
        ws.onmessage = (e) => got.push(e.data) === 100 && good();
    });
    for (let i = 0; i < 100; i++)
        ws.send(`${i}`);
    await done;
    same(got, Array.from({ length: 100 }, (_, i) => `${i}`), 'a hundred');
    if (library === 'ws') {
        const pong = new Promise((good) => ws.once('pong', good));
        ws.ping('are you there');
        same((await pong).toString(), 'are you there', 'pong');
    }
    let end = next(ws);
    ws.close(4002, 'enough');
    const { code, clean } = await end;
    same([code, clean], [4002, true], 'closed here');
    ws = await open();
    end = next(ws);
    ws.send('close 4001 bye b\u00fcye');
    same(await end, { code: 4001, reason: 'bye b\u00fcye', clean: true },
        'closed there');
    ws = await open();
    end = next(ws);
    ws.close();
    same((await end).clean, true, 'closed without a code');
}

const late = setTimeout(() => { console.log('nothing more came');
    process.exit(1); }, 20000);
main().then(() => console.log('ok'), (e) => {
    console.log(e.stack);
    process.exitCode = 1;
}).finally(() => clearTimeout(late));

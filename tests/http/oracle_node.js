// The parser of node (llhttp) as it is used by its HTTP server, on standard
// input: see differential.c.
'use strict';

process.noDeprecation = true;
const { HTTPParser } = process.binding('http_parser');
const HEADERS_COMPLETE = HTTPParser.kOnHeadersComplete;
const BODY = HTTPParser.kOnBody;
const MESSAGE_COMPLETE = HTTPParser.kOnMessageComplete;

const state = { words: [], length: 0, keep: true, skip: 0 };
const parser = new HTTPParser();

parser[HTTPParser.kOnHeaders] = () => {};
// major, minor, headers, method, url, status, reason, upgrade, keep-alive
parser[HEADERS_COMPLETE] = (...args) => {
  state.length = 0;
  state.keep = args[8];
  return 0;
};
parser[BODY] = (buffer, at, length) => {
  state.length += length === undefined ? buffer.length : length;
};
parser[MESSAGE_COMPLETE] = () => {
  state.words.push(state.length);
  if (!state.keep && !state.end)
    state.end = 'close';
};

function judge(bytes) {
  state.words = [];
  state.end = '';
  parser.initialize(HTTPParser.REQUEST, {});
  const result = parser.execute(bytes);
  const failed = result instanceof Error;
  return [...state.words, state.end || (failed ? '!' : '.')].join(' ');
}

let rest = Buffer.alloc(0);
process.stdin.on('data', (data) => {
  rest = Buffer.concat([rest, data]);
  const lines = [];
  let at = 0;
  while (rest.length - at >= 4) {
    const end = at + 4 + rest.readUInt32LE(at);
    if (rest.length < end)
      break;
    lines.push(judge(rest.subarray(at + 4, end)));
    at = end;
  }
  rest = rest.subarray(at);
  if (lines.length > 0)
    process.stdout.write(lines.join('\n') + '\n');
});

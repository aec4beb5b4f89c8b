// Throws in many ways: `node crash.js WAY CASE`. Without arguments: tells which.
const fs = require('fs'), assert = require('assert'), util = require('util'), zlib = require('zlib'), url = require('url');

class AppError extends Error {
  constructor(message, options) { super(message, options); this.name = 'AppError'; }
}
class HttpError extends Error {
  constructor(status) { super(`status ${status}`); this.status = status; this.body = { code: 5, tags: ['a', 'b'] }; }
}
const deep = (n) => n ? deep(n - 1) : null.x;

const CASES = {
  plain: () => { throw new Error('boom'); },
  type: () => undefined.foo(),
  reference: () => missing(),
  range: () => new Array(-1),
  'ten frames': () => deep(9),
  'no message': () => { throw new Error(); },
  'own class': () => { throw new AppError('cannot do it'); },
  properties: () => { throw new HttpError(503); },
  cause: () => { try { null.x; } catch (e) { throw new Error('outer', { cause: e }); } },
  'cause with properties': () => { throw new AppError('outer', { cause: new HttpError(404) }); },
  'cause that is a text': () => { throw new Error('outer', { cause: 'because' }); },
  aggregate: () => { throw new AggregateError([new Error('a'), new TypeError('b')], 'several'); },
  lines: () => { throw new Error('first\nsecond\nthird'); },
  'not ASCII': () => { throw new Error('größer: 日本語'); },
  json: () => JSON.parse('{'),
  'missing file': () => fs.readFileSync('/nonexistent/a'),
  url: () => new URL('nonsense'),
  assert: () => assert.strictEqual(1, 2),
  'assert deep': () => assert.deepStrictEqual({ a: 1, b: [1, 2] }, { a: 1, b: [1, 3] }),
  'assert ok': () => assert(false, 'must hold'),
  argument: () => Buffer.alloc('x'),
  inflate: () => zlib.inflateSync(Buffer.from('x')),
  bigint: () => 1n + 1,
  stack: () => { const f = () => f(); f(); },
  regex: () => new RegExp('('),
  decode: () => decodeURIComponent('%'),
  constant: () => { const a = 1; a = 2; },
  proxy: () => new Proxy({}, { get() { throw new Error('in a trap'); } }).x,
  getter: () => ({ get x() { throw new Error('in a getter'); } }).x,
  sort: () => [2, 1].sort(() => { throw new Error('in sort'); }),
};

const WAYS = {
  uncaught: (f) => f(),
  rejected: (f) => { (async () => { await null; f(); })(); },
  'console.error': (f) => { try { f(); } catch (e) { console.error('\x1erequest failed:', e); console.error('\x1enext line'); } },
  'the stack after a line': (f) => { try { f(); } catch (e) { console.error('\x1e2026-11-29T10:00:00.123Z error: request failed\n' + e.stack); console.error('\x1e2026-11-29T10:00:00.124Z info: next'); } },
};

const [way, name] = process.argv.slice(2);
if (!way) {
  const names = Object.keys(CASES);
  for (const w of Object.keys(WAYS)) names.forEach((n, place) => { if (w === 'uncaught' || w === 'console.error' || place % 3 === 0) console.log(`${w}\t${n}`); });
} else WAYS[way](CASES[name]);

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { ERROR_CODES, type ErrorCode, errorMessage, toErrorData, VlmoError } from '#errors.ts';
import { ARROWS } from './architecture-rules.ts';
import { fixture } from './fixtures/files.ts';

const ROOT = fixture('../..');
/** The product's, those that are there. */
const FOLDERS = Object.keys(ARROWS).filter((folder) => existsSync(`${ROOT}/${folder}`));

describe('ERROR_CODES', () => {
  test('docs/errors.md lists exactly the codes, what they mean, and which are tried again', async () => {
    const docs = await readFile(`${ROOT}/docs/errors.md`, 'utf8');
    const rows = docs.split('\n').map((line) => line.split('|').map((cell) => cell.trim()));
    const listed = rows
      .filter(([, code = '']) => /^`[A-Z_]+`$/.test(code))
      .map(([, code = '', meaning, retried]) => [code.slice(1, -1), meaning, retried]);
    const expected = Object.entries(ERROR_CODES).map(([code, { meaning, retriable }]) => [
      code,
      meaning,
      retriable ? 'yes' : 'no',
    ]);
    assert.deepEqual(listed, expected);
  });

  test('every code is used somewhere', async () => {
    const files = await Promise.all(
      FOLDERS.map(async (folder) => {
        const names = await readdir(`${ROOT}/${folder}`, { recursive: true });
        const code = names.filter((name) => name.endsWith('.ts'));
        return Promise.all(code.map((name) => readFile(`${ROOT}/${folder}/${name}`, 'utf8')));
      }),
    );
    const all = files.flat().join('\n');
    const unused = Object.keys(ERROR_CODES).filter((code) => !all.includes(`'${code}'`));
    assert.deepEqual(unused, []);
  });
});

describe('VlmoError', () => {
  test('a message that repeats megabytes is shortened in its middle, with its length; others stay as they are', () => {
    const long = `Cannot find "${'é'.repeat(5_000_000)}": expected an id, received "${'x'.repeat(5_000_000)}" at the end`;
    const { message } = new VlmoError('ID_AMBIGUOUS', long);
    assert.ok(message.length < 10_000, String(message.length));
    assert.match(message, /^Cannot find "é+… \(\d{8} characters in all\) …x+" at the end$/);
    assert.equal(toErrorData(new Error(long), 'QUERY_FAILED').message, message);
    const paths = `Cannot read "${'a'.repeat(4096)}": expected "${'b'.repeat(4096)}"`;
    assert.equal(new VlmoError('ITEM_NOT_FOUND', paths).message, paths);
  });

  test('knows by its code whether it is worth trying again, and keeps its cause', () => {
    const cause = new Error('disk');
    const error = new VlmoError('STORE_WRITE_FAILED', 'Cannot write', { cause });
    assert.ok(error instanceof Error);
    assert.deepEqual([error.name, error.code, error.retriable], ['VlmoError', 'STORE_WRITE_FAILED', true]);
    assert.equal(error.cause, cause);
    assert.equal(new VlmoError('IMAGE_INVALID', '').retriable, false);
  });

  test('toErrorData: code and message survive a trip between threads; the rest gets the fallback', () => {
    const data = structuredClone(toErrorData(new VlmoError('IMAGE_INVALID', 'Cannot'), 'WORKER_CRASHED'));
    assert.deepEqual(data, { code: 'IMAGE_INVALID', message: 'Cannot' });
    const fallback: ErrorCode = 'WORKER_CRASHED';
    assert.deepEqual(toErrorData(new TypeError('x is not a function'), fallback), {
      code: fallback,
      message: 'x is not a function',
    });
    assert.deepEqual(toErrorData('text', fallback), { code: fallback, message: 'text' });
  });

  test('errorMessage: of whatever was thrown', () => {
    assert.deepEqual([new Error('a'), 'b', 3, null, undefined].map(errorMessage), [
      'a',
      'b',
      '3',
      'null',
      'undefined',
    ]);
  });
});

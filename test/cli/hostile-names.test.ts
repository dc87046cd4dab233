import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { temporaryFolder } from '../fixtures/files.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { drawPicture, put } from '../pipeline/pictures.ts';
import { vlmo, vlmoJson } from './cli-fixture.ts';

const MODEL = await importTiny(await temporaryFolder({ after }));

const ESCAPE = '\u001b';
/** Names of files that somebody else chose. */
const NAMES = [
  'two\nlines',
  `${ESCAPE}[31mred${ESCAPE}]0;title\u0007`,
  'c1 \u009b31m and delete \u007f',
  'a \'single\' and "double" quote',
  'back\\slash $& $1 `id` ; rm -rf',
  '--index=elsewhere',
  '-k',
  ' space ',
  'a,b\tc',
  '日本語 🎨 e\u0301 é',
  '#3 100% ?x=y',
  '\u202egnp.exe',
];

describe('names that somebody else chose', () => {
  test('are indexed, found, listed and shown as they are, and never reach a terminal as commands', async (t) => {
    const folder = await temporaryFolder(t);
    const [pictures, index] = [join(folder, 'pictures'), join(folder, 'index')];
    for (const [i, name] of NAMES.entries()) {
      await put(pictures, `${name}.png`, await drawPicture(i));
      await put(pictures, `${name}.json`, JSON.stringify({ caption: `a ${name} z` }));
      await put(pictures, `${name} broken.jpg`, 'no picture');
    }
    const good = NAMES.map((name) => `${name}.png`).sort();
    const bad = NAMES.map((name) => `${name} broken.jpg`).sort();
    const indexed = await vlmoJson<{ stored: number; failed: number }>(
      ['index', pictures, '--index', index, '--model', MODEL, '--json'],
      2,
    );
    assert.deepEqual([indexed.lines[0]?.stored, indexed.lines[0]?.failed], [2 * NAMES.length, NAMES.length]);

    const found = await vlmoJson<{ hits: { id: string; uri: string; caption: string }[] }>([
      ...['search', 'red', '--index', index, '-k', '100', '--json'],
    ]);
    const hits = found.lines[0]?.hits ?? [];
    assert.deepEqual(hits.map(({ id }) => id).sort(), good);
    for (const { id, uri, caption } of hits) {
      assert.equal(uri, join(pictures, id));
      assert.equal(caption, `a ${id.slice(0, -4)} z`);
    }
    const failures = await vlmoJson<{ id: string; uri: string }>(['failures', '--index', index, '--json']);
    assert.deepEqual(failures.lines.map(({ id }) => id).sort(), bad);

    for (const id of good) {
      const own = await vlmoJson<{ hits: { id: string }[] }>([
        ...['search', `--id=${id}`, '--index', index, '--json', '-k', '1', '--where', quoted(id)],
      ]);
      assert.deepEqual(
        own.lines[0]?.hits.map((hit) => hit.id),
        [id],
      );
    }

    for (const args of [
      ['search', 'red', '--index', index, '-k', '100'],
      ['failures', '--index', index],
      ['search', `--image=${join(pictures, bad[0] ?? '')}`, '--index', index],
      ['search', `--id=${ESCAPE}[31m`, '--index', index],
      ['index', join(folder, `${ESCAPE}[31m`), '--index', index],
    ]) {
      const { stdout, stderr } = await vlmo(args);
      const sent = (stdout + stderr).replaceAll('\n', '');
      assert.doesNotMatch(sent, /\p{Cc}/u, args.join(' '));
    }
  });

  test('a leading dash is taken with =, by embed too', async (t) => {
    const folder = await temporaryFolder(t);
    await put(folder, '-k.png', await drawPicture(1));
    const args = ['embed', '--model', 'demo', '--image=-k.png', '--text=--pairs', '--json'];
    const { lines } = await vlmoJson<{ kind: string; source: string }>(args, 0, { cwd: folder });
    assert.deepEqual(
      lines.map(({ kind, source }) => [kind, source]),
      [
        ['image', '-k.png'],
        ['text', '--pairs'],
      ],
    );
  });
});

/** A filter for this id. */
function quoted(id: string): string {
  return `id = '${id.replaceAll("'", "''")}'`;
}

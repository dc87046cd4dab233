import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { ALL_OPTIONS } from '#config/options.ts';
import { fixture } from '../fixtures/files.ts';

const docs = await readFile(fixture('../../docs/configuration.md'), 'utf8');

describe('ALL_OPTIONS', () => {
  for (const [name, { schema, default: initial, flag, env, sentence }] of Object.entries(ALL_OPTIONS)) {
    test(`${name}: its default is a value that it takes`, () => {
      assert.deepEqual(schema.parse(initial), initial);
    });

    test(`${name}: docs/configuration.md has its flag, its variable, its name and its sentence in one row`, () => {
      const row = docs.split('\n').find((line) => line.includes(`\`${flag}\``));
      for (const part of [`\`${env}\``, `\`${name}\``, sentence])
        assert.ok(row?.includes(part), `${part} in ${row}`);
    });

    test(`${name}: commander reads the flag under the option's name`, () => {
      const words = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
      assert.match(flag, new RegExp(`^--${words} <[a-z]+>$`));
      assert.equal(env, `VLMO_${words.replaceAll('-', '_').toUpperCase()}`);
    });
  }

  test('docs/configuration.md has no option that there is not', () => {
    const flags = [...docs.matchAll(/^\| `(--[^`]+)`/gm)].map(([, flag]) => flag);
    assert.deepEqual(
      flags,
      Object.values(ALL_OPTIONS).map(({ flag }) => flag),
    );
  });
});

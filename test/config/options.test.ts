import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import type { CommandSpec, Use } from '#config/command.ts';
import { COMMAND_GROUPS, COMMANDS } from '#config/commands.ts';
import { envName, flagName, type OptionSpec } from '#config/option.ts';
import { ALL_OPTIONS, OPTION_GROUPS, type OptionName } from '#config/options.ts';
import { optionTables, withTables } from '../../scripts/option-tables.ts';
import { fixture } from '../fixtures/files.ts';

const options = Object.entries<OptionSpec>(ALL_OPTIONS);
const commands = Object.entries<CommandSpec>(COMMANDS);

describe('ALL_OPTIONS', () => {
  for (const [name, { type, default: initial, flag, sentence }] of options) {
    test(`${name}: its default is a value that it takes, its flag has a placeholder where it takes one`, () => {
      if (initial !== undefined) assert.deepEqual(type.parse(initial), initial);
      assert.match(flag, type.isSwitch ? /^--[a-z-]+$/ : /^(-k|--[a-z-]+) (<[a-z]+(\.\.\.)?>|\[[a-z]+\])$/);
      assert.equal(type.isSwitch ? initial : false, false, 'a switch that nobody says is off');
      assert.match(sentence, /^["A-Z].*[^.]$/);
    });
  }

  test('names are those of the flags; two options have one flag only where it takes one value here and several there', () => {
    for (const [name, option] of options) {
      const word = flagName(option)
        .replace(/^-+/, '')
        .replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
      if (name !== word) assert.deepEqual([`${word}s`, option.type.isList], [name, true]);
      assert.equal(
        envName(option),
        `VLMO_${word.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`,
      );
    }
  });

  test('every group has options of its own, and every option a command', () => {
    const grouped = Object.values(OPTION_GROUPS).flatMap((group) => Object.keys(group));
    assert.deepEqual(grouped.toSorted(), Object.keys(ALL_OPTIONS).toSorted());
    const used = new Set(commands.flatMap(([, { options: used }]) => Object.keys(used)));
    assert.deepEqual([...used].toSorted(), Object.keys(ALL_OPTIONS).toSorted());
  });

  test('docs/configuration.md has all of them (node scripts/option-tables.ts puts them in)', async () => {
    const doc = await readFile(fixture('../../docs/configuration.md'), 'utf8');
    assert.equal(withTables(doc, optionTables()), doc);
    for (const [, { flag }] of options) assert.ok(doc.includes(`| \`${flag}\``), flag);
  });
});

describe('COMMANDS', () => {
  for (const [name, { options: uses }] of commands) {
    test(`${name}: its own defaults are values that its options take`, () => {
      for (const [option, use] of Object.entries(uses) as [OptionName, Use][]) {
        const { type, flag }: OptionSpec = ALL_OPTIONS[option];
        if (use.default !== undefined) assert.deepEqual(type.parse(use.default), use.default);
        if (use.flag !== undefined) assert.equal(use.flag.split(' ')[0], flag.split(' ')[0]);
      }
    });
  }

  test('every group holds commands, and every command of two words has its group', () => {
    const words = commands.flatMap(([name]) => (name.includes(' ') ? [name.split(' ')[0]] : []));
    assert.deepEqual([...new Set(words)].toSorted(), Object.keys(COMMAND_GROUPS).toSorted());
  });
});

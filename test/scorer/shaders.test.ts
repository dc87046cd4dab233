import assert from 'node:assert/strict';
import { glob, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fixture } from '../fixtures/files.ts';

/** What a driver may leave in a variable that nobody set: NVIDIA's keeps what the turn of a loop before had. */
function uninitialised(source: string): string[] {
  const found: string[] = [];
  for (const body of functionBodies(source))
    for (const [statement] of body.matchAll(/\bvar\b[^=;]*;/g)) found.push(statement);
  return found;
}

/** The text between the braces of every `fn` of WGSL. */
function* functionBodies(source: string): Generator<string> {
  for (const { index } of source.matchAll(/\bfn \w+\(/g)) {
    const start = source.indexOf('{', source.indexOf(')', index));
    let depth = 0;
    let end = start;
    do {
      if (source[end] === '{') depth += 1;
      if (source[end] === '}') depth -= 1;
      end += 1;
    } while (depth > 0 && end < source.length);
    yield source.slice(start, end);
  }
}

test('uninitialised finds a variable in a function, and none outside', () => {
  const shader = 'var<workgroup> a: f32;\nfn main() {\n  var b = 0.0;\n  for (;;) { var c: f32; c = b; }\n}';
  assert.deepEqual(uninitialised(shader), ['var c: f32;']);
});

test('shaders: every variable of a function begins with a value', async () => {
  const root = fixture('../..');
  let shaders = 0;
  for await (const path of glob('{scorer,devices,model,onnx}/**/*.ts', { cwd: root })) {
    const source = await readFile(`${root}/${path}`, 'utf8');
    if (!source.includes('@compute')) continue;
    shaders += 1;
    assert.deepEqual(uninitialised(source), [], path);
  }
  assert.ok(shaders > 0);
});

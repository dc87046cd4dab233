#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';

// libuv reads it when its first thread starts: decoding runs there, and four threads are too few for many cores.
process.env.UV_THREADPOOL_SIZE ??= String(Math.max(4, availableParallelism() + 2));
// onnxruntime would send telemetry, and leave a file of it in the temporary folder.
process.env.ORT_DISABLE_TELEMETRY ??= '1';
// Read once, when the module loads. Its warnings say what is as it should be: that rows added to an approximate index
// reach some of its partitions only, a line for each other one.
process.env.LANCEDB_LOG ??= 'error';

// A clone runs the TypeScript; a package carries JavaScript, because Node strips no types under node_modules.
const source = new URL('../cli/main.ts', import.meta.url);
await import(existsSync(source) ? source.href : new URL('../dist/cli/main.js', import.meta.url).href);

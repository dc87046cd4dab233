import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

/** Addresses are relative, so that the page works below any base path; nothing is inlined, which the content policy refuses. */
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: { outDir: 'dist', emptyOutDir: true, target: 'es2022', assetsInlineLimit: 0, modulePreload: false },
});

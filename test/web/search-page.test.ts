import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Browser, Page } from 'playwright-core';
import { providePage } from '#server/page/provide-page.ts';
import type { Server } from '#server/serve.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { indexScenes, type ServedIndex, serve } from '../server/server-fixture.ts';
import { axe, give, openBrowser, openPage, type Watched } from './browser.ts';

/** More than a page of hits. */
const SCENES = 72;
/** Of all that is loaded, compressed. */
const MAX_BYTES = 60_000;

const folder = await temporaryFolder({ after });
let served: ServedIndex;
let server: Server;
let browser: Browser;

before(async () => {
  served = await indexScenes(folder, SCENES);
  server = await serve(served.index, { basePath: '/vlmo' });
  browser = await openBrowser();
});

after(async () => {
  await browser?.close();
  await server?.close();
  await served?.index.close();
});

const nameOf = (n: number): string => served.scenes[n]?.path.split('/').at(-1) ?? '';
const captionOf = (n: number): string => served.scenes[n]?.caption ?? '';
const tiles = (page: Page) => page.getByRole('list', { name: 'Hits' }).getByRole('listitem');

async function visit(query = '', options = {}): Promise<Watched> {
  const watched = await openPage(browser, options);
  await watched.page.goto(`${server.url}/${query}`);
  return watched;
}

/** The ids that the index itself finds. */
async function idsOf(request: Parameters<ServedIndex['index']['search']>[0]): Promise<string[]> {
  return (await served.index.search(request)).hits.map(({ id }) => id);
}

describe('the page', { timeout: 300_000 }, () => {
  test('is small, has its base path, and keeps to the content policy', async () => {
    const { page, complaints } = await visit();
    await page.getByRole('heading', { name: 'Search by meaning' }).waitFor();
    await page.getByText(`${SCENES} pictures and ${SCENES} captions`).waitFor();
    const built = await providePage();
    let bytes = gzipSync(await readFile(join(built, 'index.html'))).length;
    const html = await readFile(join(built, 'index.html'), 'utf8');
    for (const name of await readdir(join(built, 'assets')))
      if (html.includes(name)) bytes += gzipSync(await readFile(join(built, 'assets', name))).length;
    assert.ok(bytes > 5000 && bytes < MAX_BYTES, `${bytes} bytes`);
    const moved = await fetch(`${server.url}?q=a`, { redirect: 'manual' });
    assert.deepEqual([moved.status, moved.headers.get('location')], [308, '/vlmo/?q=a']);
    assert.deepEqual(complaints, []);
  });

  test('words: hits as the index finds them, in the address, the same after a reload', async () => {
    const { page, complaints } = await visit();
    await page.getByRole('searchbox').fill(captionOf(3));
    const first = tiles(page).first();
    const expected = await served.index.search({ text: captionOf(3), k: 1 });
    const best = expected.hits[0];
    await first.getByRole('img', { name: best?.caption ?? '', exact: true }).waitFor();
    assert.match((await first.textContent()) ?? '', new RegExp(`score ${best?.score.toFixed(3)}`));
    assert.equal(new URL(page.url()).searchParams.get('q'), captionOf(3));
    await page.reload();
    await first.getByRole('img', { name: best?.caption ?? '', exact: true }).waitFor();
    assert.match((await page.getByRole('status').textContent()) ?? '', /^60 or more hits$/);
    assert.deepEqual(complaints, []);
  });

  test('the next page comes while scrolling, and nothing that is shown moves', async () => {
    const { page, complaints } = await visit('?q=apple');
    await tiles(page).nth(2).waitFor();
    const shift =
      'window.shift = 0; new PerformanceObserver((l) => l.getEntries().forEach((e) => (window.shift += e.value))).observe({ type: "layout-shift", buffered: true })';
    await page.evaluate(shift);
    const last = page.locator(`[data-at="${SCENES - 1}"]`);
    for (let n = 0; n < 100 && !(await last.isVisible()); n++) {
      await page.mouse.wheel(0, 600);
      await page.waitForTimeout(50);
    }
    assert.equal(await page.getByRole('status').textContent(), `${SCENES} hits`);
    await last.waitFor();
    assert.ok(Number(await page.evaluate('window.shift')) < 0.02);
    assert.ok((await tiles(page).count()) < SCENES, 'rows out of sight are not in the document');
    assert.deepEqual(complaints, []);
  });

  for (const way of ['drop', 'paste'] as const)
    test(`a picture, by ${way}, finds itself, also after a reload`, async () => {
      const { page, complaints } = await visit();
      await page.getByRole('heading', { name: 'Search by meaning' }).waitFor();
      await give(page, way, await readFile(served.scenes[5]?.path ?? ''));
      for (let round = 0; round < 2; round++) {
        await tiles(page).first().getByRole('button').first().click();
        await page.getByRole('dialog').getByText(nameOf(5), { exact: true }).waitFor();
        await page.keyboard.press('Escape');
        await page.getByRole('dialog').waitFor({ state: 'detached' });
        // The browser learns of a new address a moment later than its page, and reloads the old one until then.
        await page.waitForURL((url) => !url.searchParams.has('view'));
        await page.reload();
      }
      assert.deepEqual(complaints, []);
    });

  test('a chosen picture, more like a hit and less like another, as the index weighs them', async () => {
    const { page } = await visit('?q=apple');
    await tiles(page).nth(3).waitFor();
    const { hits } = await served.index.search({ text: 'apple', k: 4 });
    await page
      .getByRole('button', { name: `Less like ${hits[1]?.caption}`, exact: true })
      .first()
      .click();
    await page.getByRole('button', { name: /^Remove unlike/ }).waitFor();
    const keys = [{ key: hits[1]?.key ?? '', weight: -0.5 }];
    const best = (await served.index.search({ text: 'apple', keys, k: 1 })).hits[0];
    await tiles(page)
      .first()
      .getByText(`score ${best?.score.toFixed(3)}`)
      .waitFor();
    await page.getByRole('button', { name: /^Remove unlike/ }).click();
    await page.locator('input[type=file]').setInputFiles(served.scenes[7]?.path ?? '');
    await page.getByRole('button', { name: 'Remove your picture' }).waitFor();
    await page.goBack();
    await page.getByRole('button', { name: 'Remove your picture' }).waitFor({ state: 'detached' });
  });

  test('a filter of a column of the source; one that lets nothing through is explained', async () => {
    const { page } = await visit('?q=apple');
    await tiles(page).first().waitFor();
    await page.getByText('Filter', { exact: true }).click();
    await page.getByLabel('Column').selectOption('n');
    await page.getByLabel('Comparison').selectOption('at least');
    await page.getByLabel('Value').fill('70');
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    await page.getByText('2 hits', { exact: true }).waitFor();
    assert.equal((await idsOf({ text: 'apple', where: 'meta.n >= 70', k: 10 })).length, 2);
    await page.goto(`${server.url}/?q=apple&where=width+%3E+99999`);
    await page.getByRole('button', { name: 'Remove the filters' }).click();
    await tiles(page).first().waitFor();
    await page.goto(`${server.url}/?q=apple&where=nonsense`);
    await page
      .getByRole('alert')
      .getByText(/Cannot .*filter/i)
      .waitFor();
  });

  test('re-ranked: the match of each hit, and a line below which nothing fits', async () => {
    const { page } = await visit(`?rerank=1&q=${encodeURIComponent(captionOf(0))}`);
    const { hits } = await served.index.search({ text: captionOf(0), k: 60, rerank: 60 });
    const fitting = hits.filter(({ match }) => (match ?? 0) >= 0.5).length;
    assert.ok(fitting > 0 && fitting < 60);
    await tiles(page)
      .first()
      .getByText(/^raw match \d+(\.\d)? %$/)
      .waitFor();
    await page.getByText('Below this line nothing fits').waitFor();
    const cut = await page.locator('.cut').boundingBox();
    const [above, below] = await Promise.all(
      [fitting - 1, fitting].map((at) => page.locator(`[data-at="${at}"]`).boundingBox()),
    );
    assert.ok((above?.y ?? 0) < (cut?.y ?? 0) && (cut?.y ?? 0) < (below?.y ?? 0));
  });

  test('by keyboard alone: search, go through the hits, open one, go on, close', async () => {
    const { page } = await visit();
    await page.getByRole('heading', { name: 'Search by meaning' }).waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('apple');
    await page.keyboard.press('Enter');
    await tiles(page).nth(5).waitFor();
    const focused = () => page.evaluate('Number(document.activeElement?.dataset.at ?? -1)');
    for (let n = 0; n < 20 && (await focused()) !== 0; n++) await page.keyboard.press('Tab');
    assert.equal(await focused(), 0);
    await page.keyboard.press('ArrowRight');
    assert.equal(await focused(), 1);
    await page.keyboard.press('ArrowDown');
    await page.waitForFunction('Number(document.activeElement?.dataset.at) > 1');
    await page.keyboard.press('ArrowUp');
    await page.waitForFunction('Number(document.activeElement?.dataset.at) === 1');
    await page.keyboard.press('Enter');
    const ids = await idsOf({ text: 'apple', k: 3 });
    await page
      .getByRole('dialog')
      .getByText(ids[1] ?? '', { exact: true })
      .waitFor();
    await page.keyboard.press('ArrowRight');
    await page
      .getByRole('dialog')
      .getByText(ids[2] ?? '', { exact: true })
      .waitFor();
    await page.keyboard.press('Escape');
    // A closed dialog is hidden before it says so: the focus comes back first to where it was, then to the hit seen last.
    await page.waitForFunction('Number(document.activeElement?.dataset.at) === 2');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  });

  for (const colorScheme of ['light', 'dark'] as const)
    test(`axe finds nothing: ${colorScheme}, wide and on a phone, empty, with hits, large`, async () => {
      for (const viewport of [
        { width: 1280, height: 800 },
        { width: 375, height: 667 },
      ]) {
        const { page, complaints } = await visit('', { colorScheme, viewport, reducedMotion: 'reduce' });
        await page.getByText(`${SCENES} pictures`).waitFor();
        assert.deepEqual(await axe(page), []);
        await page.getByRole('searchbox').fill('apple');
        await tiles(page).nth(2).waitFor();
        assert.equal(await tiles(page).nth(1).getAttribute('aria-posinset'), '2');
        assert.deepEqual(await axe(page), []);
        const wide = await page.evaluate('document.documentElement.scrollWidth <= innerWidth');
        assert.ok(wide, 'nothing is wider than the screen');
        await tiles(page).first().getByRole('button').first().click();
        await page.getByRole('dialog').waitFor();
        assert.deepEqual(await axe(page), []);
        assert.deepEqual(complaints, []);
        await page.context().close();
      }
    });

  test('hits are saved as JSON and as CSV', async () => {
    const { page } = await visit('?q=apple');
    await tiles(page).first().waitFor();
    const save = async (name: string): Promise<string> => {
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('button', { name }).click(),
      ]);
      return readFile(await download.path(), 'utf8');
    };
    const ids = await idsOf({ text: 'apple', k: 60 });
    assert.deepEqual(
      (JSON.parse(await save('Save JSON')) as { id: string }[]).map(({ id }) => id),
      ids,
    );
    const lines = (await save('Save CSV')).split('\r\n');
    assert.match(lines[0] ?? '', /^rank,key,source,id,/);
    assert.equal(lines.length, 61);
  });
});

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { readKeys } from '#server/guards/keys.ts';
import type { Server } from '#server/serve.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { drawFirstScenes } from '../search/demo-scenes.ts';
import { indexScenes, type ServedIndex, serve } from '../server/server-fixture.ts';
import { axe, openBrowser, openPage } from './browser.ts';

const KEY = 'a-key-of-this-test-alone';

const folder = await temporaryFolder({ after });
let served: ServedIndex;
let server: Server;
let browser: Browser;

before(async () => {
  served = await indexScenes(folder, 4);
  server = await serve(served.index, {}, await readKeys(`submit:${KEY}`, undefined));
  browser = await openBrowser();
});

after(async () => {
  await browser?.close();
  await server?.close();
  await served?.index.close();
});

const runs = (page: Page) => page.getByRole('list', { name: 'Runs' }).locator('> li');

describe('the page of runs', { timeout: 300_000 }, () => {
  test('asks for the key, shows what failed and why, tries it again, and takes pictures that are then found', async () => {
    const { page, complaints } = await openPage(browser);
    await page.goto(`${server.url}/?page=runs`);
    await page.getByLabel('Key').fill('another key that is wrong');
    await page.getByRole('button', { name: 'Use it' }).click();
    await page.getByText('expected a key that the server knows').waitFor();
    await page.getByLabel('Key').fill(KEY);
    await page.getByRole('button', { name: 'Use it' }).click();
    await page.getByText('complete', { exact: true }).waitFor();
    await page.getByText('1 could not be stored').click();
    await page.getByText('broken.png', { exact: true }).waitFor();
    assert.match((await page.locator('.failures').textContent()) ?? '', /Cannot decode/);
    assert.deepEqual(await axe(page), []);

    await page.getByRole('button', { name: 'Try these again' }).click();
    await runs(page).nth(1).waitFor();
    await runs(page).first().getByText('complete', { exact: true }).waitFor();
    assert.equal((await served.index.runs()).length, 2);

    const [, , , , added] = await drawFirstScenes(folder, 5);
    await page.getByLabel('Add pictures or a table').setInputFiles(added?.path ?? '');
    await page.getByText('Uploaded pictures').waitFor();
    await runs(page).first().getByText('complete', { exact: true }).waitFor();
    await runs(page).first().getByText('1 stored').waitFor();
    assert.deepEqual(await axe(page), []);

    await page.getByRole('link', { name: 'Search' }).click();
    await page.getByRole('searchbox').fill(added?.caption ?? '');
    await page.getByRole('listitem').nth(4).waitFor();
    assert.equal((await served.index.counts('default')).images, 5);
    const pictures = await page.evaluate(
      'Promise.all([...document.querySelectorAll(".frame img")].map((img) => img.decode().then(() => img.naturalWidth)))',
    );
    assert.ok((pictures as number[]).every((width) => width > 0));
    assert.deepEqual(
      complaints.filter((one) => !one.includes('401')),
      [],
    );
  });

  test('a folder that the server may not read is refused in words', async () => {
    const { page } = await openPage(browser);
    await page.goto(`${server.url}/?page=runs`);
    await page.getByLabel('Key').fill(KEY);
    await page.getByRole('button', { name: 'Use it' }).click();
    await page.getByLabel('Folder or table on the server').fill('/etc');
    await page.getByRole('button', { name: 'Index it' }).click();
    await page.getByRole('alert').getByText('expected a folder that the server may read').waitFor();
  });
});

import assert from 'node:assert/strict';
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { SearchAnswer } from '#search/request.ts';
import type { Problem } from '#server/errors/problem.ts';
import { readKeys } from '#server/guards/keys.ts';
import type { JobStatus } from '#server/jobs/job-status.ts';
import { createUploads } from '#server/jobs/uploads.ts';
import type { Server } from '#server/serve.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { drawPicture, drawPictures } from '../pipeline/pictures.ts';
import { ask, indexScenes, type ServedIndex, serve } from './server-fixture.ts';

const folder = await temporaryFolder({ after });
const allowed = join(folder, 'allowed');
let served: ServedIndex;
let server: Server;

before(async () => {
  await mkdir(allowed);
  served = await indexScenes(folder, 4);
  server = await serve(served.index, { sourceRoots: [allowed] });
});

after(async () => {
  await server.close();
  await served.index.close();
});

type Answer = JobStatus & Problem;
const post = (path: string, body?: unknown, headers: Record<string, string> = {}) =>
  ask<Answer>(`${server.url}${path}`, body, { method: 'POST', headers });

interface JobEvent {
  readonly event: string;
  readonly id: string;
  readonly status: JobStatus;
}

/** All events of a run until its stream ends. */
async function follow(run: string, lastId?: string): Promise<JobEvent[]> {
  const response = await fetch(`${server.url}/v1/jobs/${run}/events`, {
    headers: lastId === undefined ? {} : { 'last-event-id': lastId },
  });
  assert.equal(response.headers.get('content-type'), 'text/event-stream');
  const blocks = (await response.text()).split('\n\n').filter((block) => block.includes('data: '));
  return blocks.map((block) => {
    const field = (name: string): string => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? '';
    return { event: field('event'), id: field('id'), status: JSON.parse(field('data')) as JobStatus };
  });
}

async function ended(run: string): Promise<JobStatus> {
  const events = await follow(run);
  assert.equal(events.at(-1)?.event, 'end');
  return events.at(-1)?.status as JobStatus;
}

describe('POST /v1/jobs', { timeout: 300_000 }, () => {
  test('items inline: pictures with captions, and captions; they are found', async () => {
    const data = (await drawPicture(41)).toString('base64');
    const { status, body } = await post('/v1/jobs', {
      items: [
        { kind: 'image', id: 'blocks', image: { data }, captions: ['coloured blocks'], meta: { shelf: 7 } },
        { kind: 'caption', id: 'note', caption: 'a note about boats' },
      ],
    });
    assert.equal(status, 202, JSON.stringify(body));
    const end = await ended(body.run);
    assert.deepEqual([end.state, end.stored, end.failed, end.fraction], ['complete', 3, 0, 1]);
    const found = await ask<SearchAnswer>(`${server.url}/v1/search`, { image: { data }, k: 1 });
    const [hit] = found.body.hits;
    assert.deepEqual(
      [hit?.id, hit?.source, hit?.caption, hit?.meta],
      ['blocks', 'uploads', 'coloured blocks', { shelf: 7 }],
    );
    assert.equal((await fetch(`${server.url}/v1/items/${hit?.key}/image`)).status, 200);
  });

  test('files of a form, the same content kept once; a later job leaves the items of an earlier one', async () => {
    const form = new FormData();
    const bytes = new Uint8Array(await drawPicture(42));
    const items = ['a.png', 'b.png'].map((file) => ({ kind: 'image', id: file, image: { file } }));
    form.set('request', JSON.stringify({ items }));
    for (const name of ['a.png', 'b.png']) form.append('pictures', new Blob([bytes]), name);
    const response = await fetch(`${server.url}/v1/jobs`, { method: 'POST', body: form });
    const body = (await response.json()) as Answer;
    assert.equal(response.status, 202, JSON.stringify(body));
    assert.equal((await ended(body.run)).stored, 2);
    const kept = await readdir(join(served.index.folder, 'uploads'), { recursive: true });
    assert.equal(kept.filter((name) => name.endsWith('.png')).length, 2, 'one of each test');
    const all = await ask<SearchAnswer>(`${server.url}/v1/search`, {
      text: 'x',
      where: "source = 'uploads'",
    });
    assert.deepEqual(all.body.hits.map(({ id }) => id).toSorted(), ['a.png', 'b.png', 'blocks']);
  });

  test('a table that is uploaded: captions are read, pictures outside of what may be read are failures', async () => {
    const form = new FormData();
    form.set('request', JSON.stringify({ manifest: 'list.csv' }));
    const rows = ['image,caption', `${served.scenes[0]?.path},stolen`, ',alone'];
    form.append('file', new Blob([rows.join('\n')]), 'list.csv');
    const response = await fetch(`${server.url}/v1/jobs`, { method: 'POST', body: form });
    const body = (await response.json()) as Answer;
    const end = await ended(body.run);
    assert.equal(end.state, 'complete', JSON.stringify(end));
    const { body: listed } = await ask<{ failures: { code: string }[] }>(
      `${server.url}/v1/jobs/${body.run}/failures`,
    );
    assert.ok(
      listed.failures.some(({ code }) => code === 'SOURCE_OUTSIDE'),
      JSON.stringify(listed),
    );
  });

  test('a source inside of a root is read, one outside or behind a link is not', async () => {
    const inside = join(allowed, 'pictures');
    await drawPictures(inside, 50, 53).catch(async () => {
      await mkdir(inside, { recursive: true });
      await drawPictures(inside, 50, 53);
    });
    await symlink(served.scenes[0]?.path ?? '', join(inside, 'link.png'));
    await symlink(join(folder, 'pictures'), join(allowed, 'out'));
    await writeFile(join(inside, 'damaged.png'), 'none');
    const { body } = await post('/v1/jobs', { source: inside, sourceName: 'inside' });
    const end = await ended(body.run);
    assert.deepEqual([end.state, end.stored, end.failed], ['complete', 3, 2], JSON.stringify(end));
    const { body: listed } = await ask<{ failures: { code: string; id: string }[]; next: string | null }>(
      `${server.url}/v1/jobs/${body.run}/failures`,
    );
    assert.deepEqual(listed.failures.map(({ code }) => code).toSorted(), ['IMAGE_INVALID', 'SOURCE_OUTSIDE']);
    for (const source of [join(allowed, 'out'), join(folder, 'pictures'), '/etc']) {
      const { body: refused } = await post('/v1/jobs', { source });
      const status = await ended(refused.run);
      assert.deepEqual([status.state, status.error?.code], ['failed', 'SOURCE_OUTSIDE']);
    }
    await writeFile(join(inside, 'damaged.png'), await drawPicture(54));
    const again = await post(`/v1/jobs/${body.run}/retry`);
    assert.equal(again.status, 202);
    assert.equal((await ended(again.body.run)).stored, 1);
  });

  test('an idempotency key makes one job of two requests', async () => {
    const asked = { items: [{ kind: 'caption', id: 'once', caption: 'said once' }] };
    const headers = { 'idempotency-key': 'my-key' };
    const first = await post('/v1/jobs', asked, headers);
    await ended(first.body.run);
    const second = await post('/v1/jobs', asked, headers);
    assert.deepEqual([first.status, second.status], [202, 200]);
    assert.equal(second.body.run, first.body.run);
    assert.equal(second.body.state, 'complete');
  });

  test('events: whoever comes back with the last id is told only what is new', async () => {
    const { body } = await ask<{ jobs: JobStatus[] }>(`${server.url}/v1/jobs`);
    const run = body.jobs.find(({ state }) => state === 'complete')?.run ?? '';
    const [last, ...more] = await follow(run);
    assert.deepEqual([last?.event, more.length], ['end', 0]);
    const again = await follow(run, last?.id);
    assert.deepEqual(
      again.map(({ event }) => event),
      ['end'],
    );
    assert.equal((await ask(`${server.url}/v1/jobs/none/events`)).status, 404);
  });

  test('cancel ends what waits and what runs; what is over is a conflict', async () => {
    const many = await Promise.all(
      Array.from({ length: 40 }, async (_, n) => ({
        ...{ kind: 'image', id: `many-${n}` },
        image: { data: (await drawPicture(100 + n)).toString('base64') },
      })),
    );
    const [first, second] = [
      await post('/v1/jobs', { items: many }),
      await post('/v1/jobs', { items: many }),
    ];
    for (const { body } of [second, first]) {
      const { status } = await post(`/v1/jobs/${body.run}/cancel`);
      assert.ok(status === 202 || status === 409, String(status));
    }
    assert.equal((await ended(second.body.run)).state, 'cancelled');
    assert.ok(
      ['interrupted', 'complete', 'cancelled', 'failed'].includes((await ended(first.body.run)).state),
    );
    const over = await post(`/v1/jobs/${second.body.run}/cancel`);
    assert.deepEqual([over.status, over.body.code], [409, 'JOB_CONFLICT']);
  });

  for (const [what, body, status, code] of [
    ['nothing', {}, 400, 'REQUEST_INVALID'],
    [
      'a file that is not in the form',
      { items: [{ kind: 'image', image: { file: 'x' } }] },
      400,
      'REQUEST_INVALID',
    ],
    ['what is no picture', { items: [{ kind: 'image', image: { data: 'AAAA' } }] }, 400, 'IMAGE_INVALID'],
    ['a collection that is not there', { source: '/x', collection: 'none' }, 404, 'COLLECTION_NOT_FOUND'],
  ] as const)
    test(`${what}: ${status} ${code}`, async () => {
      const answer = await post('/v1/jobs', body);
      assert.deepEqual([answer.status, answer.body.code], [status, code]);
    });

  test('uploads beyond their quota are 507; a key that only reads submits nothing', async () => {
    await using small = await serve(served.index, { uploadQuota: 10 });
    const items = [{ kind: 'image', image: { data: (await drawPicture(77)).toString('base64') } }];
    const full = await ask<Problem>(`${small.url}/v1/jobs`, { items });
    assert.deepEqual([full.status, full.body.code], [507, 'UPLOAD_QUOTA']);
    const none = await ask<Problem>(`${small.url}/v1/jobs`, { source: allowed });
    assert.deepEqual([none.status, none.body.code], [403, 'SOURCE_OUTSIDE']);
    await using locked = await serve(served.index, {}, await readKeys('read:0123456789abcdef', undefined));
    const headers = { 'x-api-key': '0123456789abcdef' };
    assert.equal((await ask(`${locked.url}/v1/jobs`, { items }, { headers })).status, 403);
  });
});

describe('createUploads', () => {
  test('sweep takes what nobody names and is old, and gives its room back', async () => {
    const later = Date.now() + 7_200_000;
    const place = await temporaryFolder({ after });
    const uploads = createUploads({ folder: place, id: 'x' } as never, 10, () => later);
    const kept = await uploads.keep(new Uint8Array([1, 2, 3, 4, 5]), '.png');
    const gone = await uploads.keep(new Uint8Array([6, 7, 8, 9]), '.png');
    await assert.rejects(uploads.keep(new Uint8Array([0, 0]), '.png'), { code: 'UPLOAD_QUOTA' });
    assert.equal(await uploads.sweep(new Set([kept])), 1);
    await uploads.keep(new Uint8Array([0, 0]), '.png');
    const names = await readdir(join(place, 'uploads'), { recursive: true });
    assert.ok(!names.some((name) => gone.endsWith(name) && name.includes('/')));
  });
});

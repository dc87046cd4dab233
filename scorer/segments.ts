import ort from 'onnxruntime-node';
import { errorMessage } from '#errors.ts';
import { encodeModel } from '#onnx/encode.ts';
import type { BackendResult, BackendSetup, BackendTask, OpenTask, Scored, ScoreTask } from './protocol.ts';
import { BLOCK_ROWS, buildTopKGraph } from './top-k-graph.ts';

interface Segment {
  readonly session: ort.InferenceSession;
  readonly rows: number;
  readonly dimensions: number;
}

/** What a scoring thread does: it keeps segments on its device and finds their best rows. It never rejects. */
export function createSegments(setup: BackendSetup): (task: BackendTask) => Promise<BackendResult> {
  const segments = new Map<number, Segment>();

  async function run(task: BackendTask): Promise<Scored | null> {
    switch (task.kind) {
      case 'open':
        segments.set(task.segment, await open(setup, task));
        return null;
      case 'score': {
        const segment = segments.get(task.segment);
        if (!segment) throw new Error(`No segment ${task.segment} is open: this is a bug`);
        return score(segment, task);
      }
      case 'close': {
        const segment = segments.get(task.segment);
        segments.delete(task.segment);
        await segment?.session.release();
        return null;
      }
    }
  }

  return (task) =>
    run(task).then(
      (scored) => ({ kind: 'done', scored }),
      (error: unknown) => {
        const received = `an error (${errorMessage(error)})`;
        const message = `Cannot score on ${setup.provider}: expected the best rows, received ${received}`;
        return { kind: 'failed', error: { code: 'SCORING_FAILED', message } };
      },
    );
}

async function open(setup: BackendSetup, { rows, dimensions, ...task }: OpenTask): Promise<Segment> {
  const graph = buildTopKGraph({ rows, dimensions, type: task.type, location: task.location });
  const session = await ort.InferenceSession.create(encodeModel(graph), {
    executionProviders: [setup.provider],
    intraOpNumThreads: setup.threads,
    interOpNumThreads: 1,
    enableMemPattern: false,
    // There is nothing to gain, and float16 vectors would be widened once and for all.
    graphOptimizationLevel: 'disabled',
    logSeverityLevel: 3,
    extra: {
      session: {
        model_external_initializers_file_folder_path: task.folder,
        // The CPU provider reads the vectors where the file is mapped instead of packing a copy.
        disable_prepacking: '1',
        'intra_op.allow_spinning': '0',
      },
    },
  });
  const segment = { session, rows, dimensions };
  // What is too large for the device shows when it is used first.
  await score(segment, { queries: new Float32Array(dimensions), k: 1, bias: null });
  return segment;
}

/** Values that a run may hold between two steps, [Q, rows]: what is larger leaves the CPU's cache. */
const MAX_SCORES = 2 ** 23;

async function score(
  { session, rows, dimensions }: Segment,
  { queries, k: asked, bias }: Pick<ScoreTask, 'queries' | 'k' | 'bias'>,
): Promise<Scored> {
  const count = queries.length / dimensions;
  const k = Math.min(asked, rows);
  const kBlocks = Math.min(k, rows / BLOCK_ROWS);
  const shared = {
    k: integer(k),
    kBlocks: integer(kBlocks),
    bias: bias
      ? new ort.Tensor('float32', bias, [rows / BLOCK_ROWS, BLOCK_ROWS])
      : new ort.Tensor('float32', new Float32Array(1), [1, 1]),
  };
  const scored = { k, values: new Float32Array(count * k), rows: new Int32Array(count * k) };
  const step = Math.max(1, Math.floor(MAX_SCORES / rows));
  for (let at = 0; at < count; at += step) {
    const some = queries.subarray(at * dimensions, (at + step) * dimensions);
    const [values, places, blocks] = await run(session, {
      ...shared,
      queries: new ort.Tensor('float32', some, [some.length / dimensions, dimensions]),
    });
    scored.values.set(values.data as Float32Array, at * k);
    toRows(
      places.data as BigInt64Array,
      blocks.data as BigInt64Array,
      k,
      kBlocks,
      scored.rows.subarray(at * k),
    );
  }
  return scored;
}

type Outputs = [values: ort.Tensor, places: ort.Tensor, blocks: ort.Tensor];

async function run(session: ort.InferenceSession, feeds: Record<string, ort.Tensor>): Promise<Outputs> {
  const results = await session.run(feeds);
  return session.outputNames.map((name) => results[name]) as Outputs;
}

/** A place counts the rows of the best blocks, one block after the other. */
function toRows(
  places: BigInt64Array,
  blocks: BigInt64Array,
  k: number,
  kBlocks: number,
  target: Int32Array,
): void {
  for (let i = 0; i < places.length; i++) {
    const place = Number(places[i]);
    const block = Number(blocks[Math.floor(i / k) * kBlocks + Math.floor(place / BLOCK_ROWS)]);
    target[i] = block * BLOCK_ROWS + (place % BLOCK_ROWS);
  }
}

function integer(value: number): ort.Tensor {
  return new ort.Tensor('int64', BigInt64Array.of(BigInt(value)), [1]);
}

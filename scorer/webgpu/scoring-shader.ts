import { BLOCK_ROWS } from '../blocks.ts';

/** Threads of a workgroup; a workgroup scores one block of rows. */
export const WORKGROUP = 256;
/** float16 values in one vec4<u32>: rows are kept in multiples of it. */
export const HALVES = 8;
/** Workgroups along one axis at most. */
export const MAX_WORKGROUPS = 65_535;

/**
 * Scores of all rows for `queries` queries at a time, and the maximum of each block. Rows are float16 pairs, unpacked and
 * added in float32, which every WebGPU can; the lanes of a subgroup share a row, so that memory is read side by side.
 *
 *     vectors [N, D / 8] of 8 halves, queries [Q, D / 4] of 4 floats, bias [N]
 *       -> scores [Q, N], maxima [Q, N / block]
 */
export function scoringShader(queries: number, dimensions: number): string {
  const words = dimensions / HALVES;
  return /* wgsl */ `
diagnostic(off, subgroup_uniformity); // The lanes of a subgroup have the same row.
enable subgroups;

struct Shape { rows: u32, biased: u32 }
@group(0) @binding(0) var<storage, read> vectors: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> queries: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> scores: array<f32>;
@group(0) @binding(4) var<storage, read_write> maxima: array<f32>;
@group(0) @binding(5) var<uniform> shape: Shape;

var<workgroup> query: array<vec4<f32>, ${2 * words * queries}>;
var<workgroup> sums: array<f32, ${BLOCK_ROWS * queries}>;

@compute @workgroup_size(${WORKGROUP})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
  @builtin(subgroup_invocation_id) lane: u32,
  @builtin(subgroup_size) lanes: u32,
) {
  let blocks = shape.rows / ${BLOCK_ROWS}u;
  let block = group.x + group.y * ${MAX_WORKGROUPS}u;
  let firstQuery = group.z * ${queries}u;
  for (var i = thread; i < ${2 * words * queries}u; i += ${WORKGROUP}u) {
    query[i] = queries[firstQuery * ${2 * words}u + i];
  }
  workgroupBarrier();
  if (block < blocks) {
    for (var row = thread / lanes; row < ${BLOCK_ROWS}u; row += ${WORKGROUP}u / lanes) {
      let start = (block * ${BLOCK_ROWS}u + row) * ${words}u;
      // Set to zero by hand: NVIDIA's Vulkan driver keeps what a variable had in the turn of the loop before.
      var sum = array<f32, ${queries}>();
      for (var q = 0u; q < ${queries}u; q++) { sum[q] = 0.0; }
      for (var i = lane; i < ${words}u; i += lanes) {
        let halves = vectors[start + i];
        let a = vec4<f32>(unpack2x16float(halves.x), unpack2x16float(halves.y));
        let b = vec4<f32>(unpack2x16float(halves.z), unpack2x16float(halves.w));
        for (var q = 0u; q < ${queries}u; q++) {
          let at = 2u * (q * ${words}u + i);
          sum[q] += dot(a, query[at]) + dot(b, query[at + 1u]);
        }
      }
      for (var q = 0u; q < ${queries}u; q++) {
        let total = subgroupAdd(sum[q]);
        if (lane == 0u) { sums[q * ${BLOCK_ROWS}u + row] = total; }
      }
    }
  }
  workgroupBarrier();
  if (block < blocks) {
    for (var i = thread; i < ${BLOCK_ROWS * queries}u; i += ${WORKGROUP}u) {
      let row = block * ${BLOCK_ROWS}u + i % ${BLOCK_ROWS}u;
      if (shape.biased == 1u) { sums[i] += bias[row]; }
      scores[(firstQuery + i / ${BLOCK_ROWS}u) * shape.rows + row] = sums[i];
    }
  }
  workgroupBarrier();
  if (block < blocks && thread < ${queries}u) {
    var best = sums[thread * ${BLOCK_ROWS}u];
    for (var row = 1u; row < ${BLOCK_ROWS}u; row++) { best = max(best, sums[thread * ${BLOCK_ROWS}u + row]); }
    maxima[(firstQuery + thread) * blocks + block] = best;
  }
}`;
}

/**
 * Brings the scores of chosen blocks together.
 *
 *     scores [Q, N / block, block], chosen [B] pairs of query and block -> found [B, block]
 */
export const GATHERING_SHADER = /* wgsl */ `
struct Shape { rows: u32, count: u32 }
@group(0) @binding(0) var<storage, read> scores: array<f32>;
@group(0) @binding(1) var<storage, read> chosen: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read_write> found: array<f32>;
@group(0) @binding(3) var<uniform> shape: Shape;

@compute @workgroup_size(${BLOCK_ROWS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) row: u32) {
  let at = group.x + group.y * ${MAX_WORKGROUPS}u;
  if (at < shape.count) {
    let place = chosen[at];
    found[at * ${BLOCK_ROWS}u + row] = scores[place.x * shape.rows + place.y * ${BLOCK_ROWS}u + row];
  }
}`;

/** The places of the k largest of some values, largest first; of equal ones the earlier. A heap of k: O(n log k). */
export function topK(values: Float32Array, k: number): Int32Array {
  const heap = new Int32Array(Math.min(k, values.length));
  let size = 0;
  /** Whether place a is to leave before place b. */
  const isWorse = (a: number, b: number): boolean => {
    const [x, y] = [values[a] as number, values[b] as number];
    return x < y || (x === y && a > b);
  };
  const sink = (from: number): void => {
    for (let at = from; ; ) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2])
        if (child < size && isWorse(heap[child] as number, heap[least] as number)) least = child;
      if (least === at) return;
      [heap[at], heap[least]] = [heap[least] as number, heap[at] as number];
      at = least;
    }
  };
  for (let place = 0; place < values.length; place++) {
    if (size < heap.length) {
      heap[size++] = place;
      if (size === heap.length) for (let at = (size >> 1) - 1; at >= 0; at--) sink(at);
    } else if (isWorse(heap[0] as number, place)) {
      heap[0] = place;
      sink(0);
    }
  }
  return heap.sort((a, b) => (values[b] as number) - (values[a] as number) || a - b);
}

/**
 * Does work on every value, in their order, at most so many at once. Where one fails, no other is begun, and those
 * under way are waited for: nothing goes on behind the back of who caught the error.
 */
export async function inLanes<T>(
  values: readonly T[],
  lanes: number,
  work: (value: T) => Promise<void>,
): Promise<void> {
  const waiting = values.values();
  const errors: unknown[] = [];
  const lane = async (): Promise<void> => {
    // The lanes take from one iterator.
    for (const value of waiting) {
      if (errors.length > 0) return;
      try {
        await work(value);
      } catch (error) {
        errors.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  if (errors.length > 0) throw errors[0];
}

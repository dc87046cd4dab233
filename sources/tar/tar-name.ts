const TAR = /\.(tar|tgz|tar\.gz|tar\.zst|tar\.xz)$/i;

export function isTar(name: string): boolean {
  return TAR.test(name);
}

/** Digits and what is between them. */
const PARTS = /\d+|\D+/g;

/** Orders names as numbers where both have one: `2.tar` before `10.tar`, by whatever program they were not padded. */
export function compareNumbered(a: string, b: string): number {
  const [left, right] = [a.match(PARTS) ?? [], b.match(PARTS) ?? []];
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    const order = comparePart(left[at] ?? '', right[at] ?? '');
    if (order !== 0) return order;
  }
  return left.length - right.length || compareUnits(a, b);
}

function comparePart(a: string, b: string): number {
  if (!/^\d/.test(a) || !/^\d/.test(b)) return compareUnits(a, b);
  const [left, right] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')];
  return left.length - right.length || compareUnits(left, right);
}

/** By code unit: the same on every machine, whatever its language. */
function compareUnits(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

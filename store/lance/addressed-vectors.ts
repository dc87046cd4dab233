import type { RecordBatch } from 'apache-arrow';
import type { AddressedVectors } from '#store/contract.ts';
import { toPlaceText } from '#store/item-key.ts';
import { readAddress, readAllVectors, readText } from './column-readers.ts';
import type { LanceTable } from './lance-table.ts';

/** The addresses of the rows that match, outside the JavaScript heap: 8 bytes each. */
export async function readAddresses(lance: LanceTable, where?: string): Promise<BigUint64Array> {
  const parts: BigUint64Array[] = [];
  for await (const batch of lance.readAddressed({ columns: [], where })) parts.push(readAddress(batch));
  const all = new BigUint64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Addresses asked for at a time. */
const TAKEN = 8192;
const COLUMNS = ['id', 'source', 'vector'];

/** The rows at some addresses, or all, with their vectors. */
export async function* readVectors(
  lance: LanceTable,
  dimensions: number,
  addresses?: BigUint64Array,
): AsyncGenerator<AddressedVectors> {
  if (!addresses) {
    for await (const batch of lance.readAddressed({ columns: COLUMNS })) yield toVectors(batch, dimensions);
    return;
  }
  for (let at = 0; at < addresses.length; at += TAKEN) {
    const some = lance.take([...addresses.subarray(at, at + TAKEN)], COLUMNS);
    for await (const batch of some) yield toVectors(batch, dimensions);
  }
}

function toVectors(batch: RecordBatch, dimensions: number): AddressedVectors {
  const id = readText(batch, 'id');
  const source = readText(batch, 'source');
  const ids = Array.from({ length: batch.numRows }, (_, index) =>
    toPlaceText({ id: id(index), source: source(index) }),
  );
  return { addresses: readAddress(batch), ids, halves: readAllVectors(batch, 'vector', dimensions) };
}

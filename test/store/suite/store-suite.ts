import { describe } from 'node:test';
import { filterSuite } from './filters.ts';
import { generationSuite } from './generations.ts';
import { keywordSuite } from './keywords.ts';
import { ledgerSuite } from './ledger.ts';
import { nearestSuite } from './nearest.ts';
import type { OpenStore } from './open.ts';
import { registrySuite } from './registries.ts';
import { renameSuite } from './renames.ts';
import { vectorTableSuite } from './vector-tables.ts';

/** The contract of stores: what `store/contract.ts` says, held against whatever `open` gives. */
export function storeSuite(name: string, open: OpenStore): void {
  describe(name, () => {
    generationSuite(open);
    vectorTableSuite(open);
    nearestSuite(open);
    filterSuite(open);
    registrySuite(open);
    ledgerSuite(open);
    keywordSuite(open);
    renameSuite(open);
  });
}

import type { TestContext } from 'node:test';
import type { Store } from '#store/contract.ts';

/** Opens an empty store of the kind that is tested, closed after the test. */
export type OpenStore = (t: TestContext) => Promise<Store>;

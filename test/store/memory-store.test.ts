import { openMemoryStore } from './memory-store.ts';
import { storeSuite } from './suite/store-suite.ts';

storeSuite('Memory', async () => openMemoryStore());

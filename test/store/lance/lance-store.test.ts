import { storeSuite } from '../suite/store-suite.ts';
import { temporaryStore } from './store-fixture.ts';

storeSuite('LanceDB', temporaryStore);

import { workerData } from 'piscina';
import { createPicturePreprocessor } from './picture-preprocessor.ts';
import type { PreprocessSetup } from './protocol.ts';

export default createPicturePreprocessor(workerData as unknown as PreprocessSetup);

import type { Candidates, OpenTask, ScoreTask } from './protocol.ts';

/** Segments on one device, as its thread has them. */
export interface DeviceSegments {
  open(task: OpenTask): Promise<void>;
  score(task: Omit<ScoreTask, 'kind'>): Promise<Candidates>;
  close(segment: number): Promise<void>;
}

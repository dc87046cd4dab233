import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client';

/** What `/metrics` tells, by OpenTelemetry's names where it has some. */
export interface ServerMetrics {
  readonly registry: Registry;
  /** Labels: http_request_method, http_route, http_response_status_code. */
  readonly requests: Histogram;
  /** Label: stage. */
  readonly stages: Histogram;
  /** Label: reason. Requests that were refused because there were too many. */
  readonly overload: Counter;
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export function createMetrics(): ServerMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  return {
    registry,
    requests: new Histogram({
      name: 'http_server_request_duration_seconds',
      help: 'Time from a request to the end of its answer',
      labelNames: ['http_request_method', 'http_route', 'http_response_status_code'],
      buckets: SECONDS,
      registers,
    }),
    stages: new Histogram({
      name: 'vlmo_stage_duration_seconds',
      help: 'Time that a step of answering takes',
      labelNames: ['stage'],
      buckets: SECONDS,
      registers,
    }),
    overload: new Counter({
      name: 'vlmo_overload_total',
      help: 'Requests that were refused because there were too many',
      labelNames: ['reason'],
      registers,
    }),
  };
}

/** Does a step of answering, and tells how long it took. */
export async function timed<T>(
  { stages }: Pick<ServerMetrics, 'stages'>,
  stage: string,
  work: () => Promise<T>,
): Promise<T> {
  const end = stages.startTimer({ stage });
  try {
    return await work();
  } finally {
    end();
  }
}

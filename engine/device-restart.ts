import { isOfTheDevice } from '#errors.ts';
import { type Engine, EngineDied } from './engine.ts';

/**
 * An engine that starts anew, once, when its device is lost or turns wrong: what was under way is asked again. The next
 * time `onLost` is told why, and what is under way fails with the reason.
 */
export function restartOnce(
  engine: Engine,
  onRestart: (reason: string) => void,
  onLost: (error: Error) => void,
): Engine {
  let restarts = 0;
  let restarting = Promise.resolve();

  const call: Engine['call'] = async (asked, signal) => {
    const before = restarts;
    try {
      await restarting;
      return await engine.call(asked, signal);
    } catch (error) {
      const isOurs = error instanceof EngineDied && restarts > before;
      if (!isOurs && !isOfTheDevice(error)) throw error;
      if (restarts > before) return call(asked, signal);
      if (restarts > 0) {
        onLost(error as Error);
        throw error;
      }
      restarts += 1;
      onRestart((error as Error).message);
      restarting = engine.restart();
      return call(asked, signal);
    }
  };
  return { ...engine, call, [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose]() };
}

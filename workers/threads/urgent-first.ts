import { Piscina as PiscinaPool, type PiscinaTask } from 'piscina';

/** A task that goes before all that waits and is not urgent. Symbols stay behind when a task crosses threads. */
export function urgent<Task extends object>(task: Task): Task {
  return { ...task, [PiscinaPool.queueOptionsSymbol]: { isUrgent: true } };
}

/**
 * Piscina's queue of waiting tasks: urgent ones first, each kind in its order. The pool must be made with
 * `stricterFIFO`: Piscina tries the next task on threads that are all busy, and would put it back as the last one.
 */
export class UrgentFirst {
  readonly #urgent: PiscinaTask[] = [];
  readonly #others: PiscinaTask[] = [];

  get size(): number {
    return this.#urgent.length + this.#others.length;
  }

  push(task: PiscinaTask): void {
    this.#queueOf(task).push(task);
  }

  /** Puts back what was taken and found no thread. */
  unshift(task: PiscinaTask): void {
    this.#queueOf(task).unshift(task);
  }

  shift(): PiscinaTask | null {
    return this.#urgent.shift() ?? this.#others.shift() ?? null;
  }

  /** Takes out a task that was aborted. Piscina asks it of tasks too that wait elsewhere. */
  remove(task: PiscinaTask): void {
    const queue = this.#queueOf(task);
    const at = queue.indexOf(task);
    if (at >= 0) queue.splice(at, 1);
  }

  #queueOf(task: PiscinaTask): PiscinaTask[] {
    const options = Reflect.get(task, PiscinaPool.queueOptionsSymbol) as {
      readonly isUrgent?: boolean;
    } | null;
    return options?.isUrgent ? this.#urgent : this.#others;
  }
}

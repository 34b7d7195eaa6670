/**
 * How a problem travels between page and worker.
 *
 * Comlink's own handling of what is thrown keeps an error's message and loses its fields. Here the
 * fields of `Problem` are what travels, in both directions; on arrival they are an error again, so
 * that a console shows where it was thrown. Both sides call {@link carryProblems} once.
 */
import * as Comlink from 'comlink';

import type { Problem } from './contract';

/** A {@link Problem} that can be thrown. */
export class EngineProblem extends Error implements Problem {
  readonly code: string;
  readonly reason: string;
  declare readonly advice?: string;
  declare readonly path?: string;
  declare readonly offset?: number;
  declare readonly cluster?: number;

  constructor(problem: Problem, cause?: unknown) {
    super(problem.message, cause === undefined ? undefined : { cause });
    this.name = 'EngineProblem';
    this.code = problem.code;
    this.reason = problem.reason;
    if (problem.advice !== undefined) this.advice = problem.advice;
    if (problem.path !== undefined) this.path = problem.path;
    if (problem.offset !== undefined) this.offset = problem.offset;
    if (problem.cluster !== undefined) this.cluster = problem.cluster;
  }

  /** The fields alone, for a message to the other thread. */
  plain(): Problem {
    const { code, reason, message, advice, path, offset, cluster } = this;
    return {
      code,
      reason,
      message,
      ...(advice === undefined ? {} : { advice }),
      ...(path === undefined ? {} : { path }),
      ...(offset === undefined ? {} : { offset }),
      ...(cluster === undefined ? {} : { cluster }),
    };
  }
}

/** Anything that was thrown, as a problem. */
export function asProblem(thrown: unknown): EngineProblem {
  if (thrown instanceof EngineProblem) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new EngineProblem({ code: 'EUNKNOWN', reason: 'unknown', message }, thrown);
}

interface Thrown {
  value: unknown;
}

/** Makes Comlink carry problems with all their fields. */
export function carryProblems(): void {
  const usual = Comlink.transferHandlers.get('throw');
  if (usual === undefined) return;
  Comlink.transferHandlers.set('throw', {
    // What marks a thrown value is Comlink's secret.
    canHandle: (value): value is Thrown => usual.canHandle(value),
    serialize: (thrown: Thrown) => [asProblem(thrown.value).plain(), []],
    deserialize: (problem: Problem) => {
      throw new EngineProblem(problem);
    },
  });
}

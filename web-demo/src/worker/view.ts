/** One state of a map as the page looks at it: the present, or a snapshot. */
import { EnginePlane, type EngineMap } from './engine-types';
import { Gate } from './gate';

export class View {
  /** Null for the present. */
  readonly name: string | null;
  readonly raw: EngineMap;
  readonly gate: Gate;
  readonly plane: EnginePlane;
  #closed = false;

  constructor(raw: EngineMap, name: string | null) {
    this.raw = raw;
    this.name = name;
    this.gate = new Gate(raw);
    this.plane = EnginePlane.of(raw);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Lets go of an engine that has failed, without writing anything more. */
  abandon(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.plane.free();
      this.raw.abandon();
    } catch {
      // One that stopped cannot even be let go of; its memory is lost until the page closes.
    }
  }

  /** Lets go of the engine's objects. */
  free(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.plane.free();
    this.raw.free();
  }
}

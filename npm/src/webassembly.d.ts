/** The parts of the WebAssembly API that are used here; Node's types do not declare it. */
declare namespace WebAssembly {
  interface Memory {
    readonly buffer: ArrayBuffer;
  }
  type Module = object;
  class RuntimeError extends Error {}
}

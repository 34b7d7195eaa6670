/** Names the signals whose change runs an effect, or renders a component, again; reading them is enough. */
// eslint-disable-next-line @typescript-eslint/no-empty-function
export function heed(..._values: unknown[]): void {}

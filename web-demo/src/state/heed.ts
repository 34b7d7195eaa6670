/** Names the signals whose change runs an effect, or renders a component, again; reading them is enough. */

export function heed(..._values: unknown[]): void {}

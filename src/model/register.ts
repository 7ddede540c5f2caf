/**
 * Register your instance once to have scope names checked at compile time everywhere:
 *
 * @example
 * ```ts
 * declare module 'latchkey' {
 *   interface Register { tokens: typeof tokens }
 * }
 * ```
 */
// biome-ignore lint/suspicious/noEmptyInterface: users augment it
export interface Register {}

// A name in the host's code proves nothing. Only objects registered here are guards.
const guards = new WeakSet<object>()

/** Registers an object that admits no request without a decision, for `unguardedRoutes` of latchkey/testing. */
export function markGuard<T extends object>(guard: T): T {
  guards.add(guard)
  return guard
}

/** Checks whether latchkey created this object and it admits no request without a decision. */
export function isGuard(value: unknown): boolean {
  return typeof value === 'function' || (typeof value === 'object' && value !== null) ? guards.has(value) : false
}

/** The key of the Nest metadata that `@Public` sets. */
export const PUBLIC_METADATA = 'latchkey:public'

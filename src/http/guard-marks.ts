// What a host's code calls itself proves nothing: only what was made here is a guard.
const guards = new WeakSet<object>()

/** Remembers something that lets nobody through undecided, for `unguardedRoutes` of latchkey/testing. */
export function markGuard<T extends object>(guard: T): T {
  guards.add(guard)
  return guard
}

/** Was this made by latchkey, and does it let nobody through undecided? */
export function isGuard(value: unknown): boolean {
  return typeof value === 'function' || (typeof value === 'object' && value !== null) ? guards.has(value) : false
}

/** The key of Nest's metadata that `@Public` sets. */
export const PUBLIC_METADATA = 'latchkey:public'

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

/**
 * Checks whether `@Public` is on this class or method itself. Metadata is also found on a base class, but a class that extends a public one, perhaps from
 * another package, may add routes that must not be public.
 */
export function isPublic(target: object): boolean {
  // Defined by the package `reflect-metadata`, which every Nest application has.
  const read: unknown = Reflect.get(Reflect, 'getOwnMetadata')
  return typeof read === 'function' && Reflect.apply(read, Reflect, [PUBLIC_METADATA, target]) === true
}

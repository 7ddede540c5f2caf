/** An entry in a router's stack. The part of a path that it consumed is in the result of `match`, or in `path` for versions that return `true`. */
export type Layer = {
  readonly route?: unknown
  readonly name?: unknown
  readonly handle?: { readonly stack?: unknown }
  readonly path?: unknown
  readonly params?: unknown
  /** Express 4. */
  readonly regexp?: unknown
  /** Router 2.3 and later. */
  readonly rawPath?: unknown
  match(path: string): unknown
}

/** The maximum number of entries that are tried for one path, and the maximum depth of nested routers. Beyond these limits, the pattern is unknown. */
export const MOST_TRIES = 5000
export const MOST_DEPTH = 12

/** Returns the application and its parent applications, outermost first. */
export function appsAround(app: object): readonly object[] {
  const parent: unknown = Reflect.get(app, 'parent')
  return typeof parent === 'function' || (typeof parent === 'object' && parent !== null) ? [...appsAround(parent), app] : [app]
}

// Express 4 throws when its deprecated `router` getter is read.
export function stackOf(app: object): readonly Layer[] {
  const router: unknown = Reflect.get(app, '_router') ?? Reflect.get(app, 'router')
  const stack: unknown = Reflect.get(Object(router), 'stack')
  return Array.isArray(stack) ? stack : []
}

/** Returns the part of a path that an entry consumes; `undefined` if Express would not enter it. */
export function takenBy(layer: Layer, path: string): { readonly taken: string; readonly params: unknown } | undefined {
  try {
    const matched = layer.match(path)
    const { path: taken, params } = matched === true ? layer : Object(matched)
    return typeof taken === 'string' && path.startsWith(taken) ? { taken, params } : undefined
  } catch {
    // A parameter could not be decoded.
    return undefined
  }
}

/** Returns the stack that an entry leads to, and the applications that remain to be entered below it. `stack` is absent for a handler. */
export function insideOf(layer: Layer, inner: readonly object[]): { readonly stack?: readonly Layer[]; readonly inner: readonly object[] } {
  const [next, ...more] = inner
  if (layer.name === 'mounted_app' && next !== undefined) return { stack: stackOf(next), inner: more }
  const stack: unknown = layer.handle?.stack
  return Array.isArray(stack) ? { stack, inner } : { inner }
}

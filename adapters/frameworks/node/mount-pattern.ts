/** An entry in a router's stack. The part of a path that it consumed is in the result of `match`, or in `path` for versions that return `true`. */
type Layer = {
  readonly route?: unknown
  readonly name?: unknown
  readonly handle?: { readonly stack?: unknown }
  readonly path?: unknown
  match(path: string): unknown
}

/** How many entries are tried for one path, and how deep nested routers are followed. An application beyond these limits gets no name. */
const MOST_TRIES = 5000
const MOST_DEPTH = 12
const MOST_KNOWN = 1000
/** Callers choose the length of a path under a wildcard mount, and each segment costs as much as the whole path. */
const MOST_PARTS = 32
const MOST_LENGTH = 1024

/** Mount paths without caller-chosen segments, by application. */
const literals: WeakMap<object, Set<string>> = new WeakMap()

/**
 * The path pattern under which the answering router is mounted;
 *
 * `undefined` if unknown. Express knows only the requested path (`req.baseUrl`), which may contain a secret as a parameter. A segment that could be
 * replaced without changing which routers answer is the caller's choice and becomes `*`.
 */
export function mountPattern(app: object, base: string): string | undefined {
  if (base === '') return ''
  const known = literals.get(app) ?? new Set()
  literals.set(app, known)
  if (known.has(base)) return base
  if (base.length > MOST_LENGTH || base.split('/').length > MOST_PARTS) return undefined
  const chains = chainsTo(appsAround(app), base)
  if (chains === undefined || chains.length === 0) return undefined
  // Letter case is also the caller's choice if the routers ignore it.
  const parts = (takes(chains, base.toLowerCase()) ? base.toLowerCase() : base).split('/')
  const pattern = parts.map((part, at) => (at > 0 && isChosen(chains, parts, at) ? '*' : part)).join('/')
  if (pattern === base && known.size < MOST_KNOWN) known.add(base)
  return pattern
}

/** The application and its parent applications, outermost first. */
function appsAround(app: object): readonly object[] {
  const parent: unknown = Reflect.get(app, 'parent')
  return typeof parent === 'function' || (typeof parent === 'object' && parent !== null) ? [...appsAround(parent), app] : [app]
}

// Express 4 throws when its deprecated `router` getter is read.
function stackOf(app: object): readonly Layer[] {
  const router: unknown = Reflect.get(app, '_router') ?? Reflect.get(app, 'router')
  const stack: unknown = Reflect.get(Object(router), 'stack')
  return Array.isArray(stack) ? stack : []
}

/** All routes through nested routers and mounted applications that consume exactly this path. */
function chainsTo([outermost, ...others]: readonly object[], path: string): readonly (readonly Layer[])[] | undefined {
  const found: (readonly Layer[])[] = []
  let tries = 0
  const follow = (stack: readonly Layer[], rest: string, inner: readonly object[], before: readonly Layer[]): void => {
    if (before.length >= MOST_DEPTH) tries = MOST_TRIES
    for (const layer of stack) {
      tries += 1
      if (tries > MOST_TRIES) return
      const left = layer.route === undefined ? leftBehind(layer, rest) : undefined
      if (left === undefined) continue
      const [next, ...more] = inner
      const nested: unknown = layer.handle?.stack
      const isApp = layer.name === 'mounted_app' && next !== undefined
      if (!Array.isArray(nested) && !isApp) continue
      const chain = [...before, layer]
      const beyond = isApp ? more : inner
      if (left === '' && beyond.length === 0) found.push(chain)
      follow(isApp ? stackOf(next) : (nested as readonly Layer[]), left, beyond, chain)
    }
  }
  if (outermost !== undefined) follow(stackOf(outermost), path, others, [])
  return tries > MOST_TRIES ? undefined : found
}

/** The part of a path that an entry leaves to its inner router; `undefined` if it does not match. */
function leftBehind(layer: Layer, path: string): string | undefined {
  try {
    const matched = layer.match(path)
    const taken: unknown = matched === true ? layer.path : Reflect.get(Object(matched), 'path')
    return typeof taken === 'string' ? path.slice(taken.length) : undefined
  } catch {
    // A parameter that cannot be decoded.
    return undefined
  }
}

/** Returns whether the same routers would answer if this segment were different. */
function isChosen(chains: readonly (readonly Layer[])[], parts: readonly string[], at: number): boolean {
  return othersOf(parts[at] ?? '').some((other) => takes(chains, parts.with(at, other).join('/')))
}

function takes(chains: readonly (readonly Layer[])[], path: string): boolean {
  return chains.some((chain) => chain.reduce<string | undefined>((rest, layer) => rest && leftBehind(layer, rest), path) === '')
}

/** Similar but different strings: with all, only the first, or only the last character replaced, so that they still match a required format. */
function othersOf(part: string): readonly string[] {
  return [
    part.replace(/[0-9A-Za-z]/g, another),
    part.replace(/[0-9A-Za-z]/, another),
    part.replace(/[0-9A-Za-z](?=[^0-9A-Za-z]*$)/, another),
  ]
}

// Digits, hexadecimal digits and letters each stay in their class.
const RINGS = ['0123456789', 'abcdef', 'ABCDEF', 'ghijklmnopqrstuvwxyz', 'GHIJKLMNOPQRSTUVWXYZ']

function another(character: string): string {
  const ring = RINGS.find((each) => each.includes(character)) ?? character
  return ring[(ring.indexOf(character) + 1) % ring.length] ?? character
}

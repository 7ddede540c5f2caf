/** An entry of a router's stack. How much of a path it took is in what `match` answers, or in versions that answer `true`, in `path`. */
type Layer = {
  readonly route?: unknown
  readonly name?: unknown
  readonly handle?: { readonly stack?: unknown }
  readonly path?: unknown
  match(path: string): unknown
}

/** How many entries are tried for one path, and how deep routers are followed. An application that needs more gets no name. */
const MOST_TRIES = 5000
const MOST_DEPTH = 12
const MOST_KNOWN = 1000

/** Mount paths that hold no part which a caller chooses, by application. */
const literals: WeakMap<object, Set<string>> = new WeakMap()

/**
 * The pattern of the path under which the router that answers is mounted; `undefined` where it cannot be told.
 *
 * Express knows only what was asked for (`req.baseUrl`), of which a parameter may be a secret. A part that could as well be another one, for the very same routers,
 * is a caller's choice and becomes `*`.
 */
export function mountPattern(app: object, base: string): string | undefined {
  if (base === '') return ''
  const known = literals.get(app) ?? new Set()
  literals.set(app, known)
  if (known.has(base)) return base
  const chains = chainsTo(appsAround(app), base)
  if (chains === undefined || chains.length === 0) return undefined
  // Upper and lower case are a caller's choice, too, where routers do not tell them apart.
  const parts = (takes(chains, base.toLowerCase()) ? base.toLowerCase() : base).split('/')
  const pattern = parts.map((part, at) => (at > 0 && isChosen(chains, parts, at) ? '*' : part)).join('/')
  if (pattern === base && known.size < MOST_KNOWN) known.add(base)
  return pattern
}

/** The application and those that it is mounted in, outermost first. */
function appsAround(app: object): readonly object[] {
  const parent: unknown = Reflect.get(app, 'parent')
  return typeof parent === 'function' || (typeof parent === 'object' && parent !== null) ? [...appsAround(parent), app] : [app]
}

// Express 4 throws where its old `router` is asked for.
function stackOf(app: object): readonly Layer[] {
  const router: unknown = Reflect.get(app, '_router') ?? Reflect.get(app, 'router')
  const stack: unknown = Reflect.get(Object(router), 'stack')
  return Array.isArray(stack) ? stack : []
}

/** All ways through routers and mounted applications that take this path and nothing else. */
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

/** The part of a path that an entry leaves to what is inside; `undefined` where it does not match. */
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

/** Would the same routers answer, were this part another one? */
function isChosen(chains: readonly (readonly Layer[])[], parts: readonly string[], at: number): boolean {
  return othersOf(parts[at] ?? '').some((other) => takes(chains, parts.with(at, other).join('/')))
}

function takes(chains: readonly (readonly Layer[])[], path: string): boolean {
  return chains.some((chain) => chain.reduce<string | undefined>((rest, layer) => rest && leftBehind(layer, rest), path) === '')
}

/** Texts that look alike and are others: in all characters, in the first and in the last, so that what must have a form still has it. */
function othersOf(part: string): readonly string[] {
  return [
    part.replace(/[0-9A-Za-z]/g, another),
    part.replace(/[0-9A-Za-z]/, another),
    part.replace(/[0-9A-Za-z](?=[^0-9A-Za-z]*$)/, another),
  ]
}

// Digits, hexadecimal ones and letters stay what they are.
const RINGS = ['0123456789', 'abcdef', 'ABCDEF', 'ghijklmnopqrstuvwxyz', 'GHIJKLMNOPQRSTUVWXYZ']

function another(character: string): string {
  const ring = RINGS.find((each) => each.includes(character)) ?? character
  return ring[(ring.indexOf(character) + 1) % ring.length] ?? character
}

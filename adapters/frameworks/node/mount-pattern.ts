import { appsAround, insideOf, type Layer, MOST_DEPTH, MOST_TRIES, stackOf, takenBy } from './layers.js'

/** Whether the answer comes from a router, or from a handler that `use` added. */
type End = 'router' | 'handler'

const MOST_KNOWN = 1000
/** Under a wildcard mount, callers choose the length of the path, and checking one segment takes as long as matching the whole path. */
const MOST_PARTS = 32
const MOST_LENGTH = 1024
/** The maximum length of a segment in which each character is replaced in turn. Whether a caller chose a longer segment is unknown. */
const MOST_VARIED = 128

/** Mount paths without caller-chosen segments, by application. */
const literals: WeakMap<object, Set<string>> = new WeakMap()

/**
 * Returns the path pattern under which the answering router is mounted; `undefined` if unknown.
 *
 * Express knows only the requested path (`req.baseUrl`), which may contain a secret as a parameter. A segment counts as chosen by the
 * caller, and becomes `*`, if a capturing group of a regular expression matches it, or if another segment in its place would reach the same routers.
 */
export function mountPattern(app: object, base: string, end: End = 'router'): string | undefined {
  if (base === '') return ''
  const known = literals.get(app) ?? new Set()
  literals.set(app, known)
  if (known.has(base)) return base
  if (base.length > MOST_LENGTH || base.split('/').length > MOST_PARTS) return undefined
  const chains = chainsTo(appsAround(app), base, end)
  if (chains === undefined || chains.length === 0) return undefined
  // Callers also choose the letter case if the routers ignore it.
  const parts = (takes(chains, base.toLowerCase()) ? base.toLowerCase() : base).split('/')
  const pattern = patternOf(chains, parts)
  if (pattern === base && known.size < MOST_KNOWN) known.add(base)
  return pattern
}

/** Returns all ways through nested routers and mounted applications that consume exactly this path. */
function chainsTo([outermost, ...others]: readonly object[], path: string, end: End): readonly (readonly Layer[])[] | undefined {
  const found: (readonly Layer[])[] = []
  let tries = 0
  const follow = (stack: readonly Layer[], rest: string, inner: readonly object[], before: readonly Layer[]): void => {
    if (before.length >= MOST_DEPTH) tries = MOST_TRIES
    for (const layer of stack) {
      tries += 1
      if (tries > MOST_TRIES) return
      const left = layer.route === undefined ? leftBehind(layer, rest) : undefined
      if (left === undefined) continue
      const { stack: nested, inner: beyond } = insideOf(layer, inner)
      if (nested === undefined && end === 'router') continue
      const chain = [...before, layer]
      if (left === '' && beyond.length === 0) found.push(chain)
      if (nested !== undefined) follow(nested, left, beyond, chain)
    }
  }
  if (outermost !== undefined) follow(stackOf(outermost), path, others, [])
  return tries > MOST_TRIES ? undefined : found
}

/** Returns the part of a path that an entry leaves to its inner router; `undefined` if it does not match. */
function leftBehind(layer: Layer, path: string): string | undefined {
  const entered = takenBy(layer, path)
  return entered && path.slice(entered.taken.length)
}

function takes(chains: readonly (readonly Layer[])[], path: string): boolean {
  return chains.some((chain) => chain.reduce<string | undefined>((rest, layer) => rest && leftBehind(layer, rest), path) === '')
}

type Span = readonly [start: number, end: number]

function patternOf(chains: readonly (readonly Layer[])[], parts: readonly string[]): string | undefined {
  const path = parts.join('/')
  const { captured, choosing } = spansIn(chains, path)
  const stars: Span[] = []
  const named: string[] = []
  let start = 0
  for (const [at, part] of parts.entries()) {
    const span: Span = [start, start + part.length]
    start += part.length + 1
    const isStar = at > 0 && (captured.some((other) => overlaps(span, other)) || isChosen(chains, parts, at))
    if (!isStar && part.length > MOST_VARIED) return undefined
    if (isStar) stars.push(span)
    named.push(isStar ? '*' : part)
  }
  return choosing.every((span) => stars.some((other) => overlaps(span, other))) ? named.join('/') : undefined
}

function overlaps([start, end]: Span, [otherStart, otherEnd]: Span): boolean {
  return start < otherEnd && otherStart < end
}

/** Returns the spans that groups of regular expressions captured, and those that entries with parameters consumed, which contain text chosen by the caller. */
function spansIn(
  chains: readonly (readonly Layer[])[],
  path: string,
): { readonly captured: readonly Span[]; readonly choosing: readonly Span[] } {
  const captured: Span[] = []
  const choosing: Span[] = []
  for (const chain of chains) {
    let start = 0
    for (const layer of chain) {
      const rest = path.slice(start)
      const entered = takenBy(layer, rest)
      if (entered === undefined) break
      for (const [from, to] of groupsOf(layer, rest)) captured.push([start + from, start + to])
      const { length } = entered.taken
      if (Object.values(Object(entered.params)).some((value) => value !== undefined && value !== '')) choosing.push([start, start + length])
      start += length
    }
  }
  return { captured, choosing }
}

const indexed: WeakMap<RegExp, RegExp> = new WeakMap()

function groupsOf({ regexp, rawPath }: Layer, path: string): readonly Span[] {
  const expressions = [regexp, rawPath].flat().filter((each) => each instanceof RegExp)
  return expressions.flatMap((expression) => {
    const withIndices = indexed.get(expression) ?? new RegExp(expression.source, `${expression.flags.replace(/[dgy]/g, '')}d`)
    indexed.set(expression, withIndices)
    return (withIndices.exec(path)?.indices?.slice(1) ?? []).filter((span) => span !== undefined)
  })
}

/** Segments that no caller chose, by the entry that answers. Without this cache, each request below a parameter would try all variants again. */
const literalParts: WeakMap<object, Set<string>> = new WeakMap()

/** Returns whether the same routers would answer if this segment were different. */
function isChosen(chains: readonly (readonly Layer[])[], parts: readonly string[], at: number): boolean {
  const part = parts[at] ?? ''
  const [last] = chains[0]?.slice(-1) ?? []
  const known = literalParts.get(last ?? chains) ?? new Set()
  const place = `${at} ${part}`
  if (known.has(place)) return false
  literalParts.set(last ?? chains, known)
  for (const other of othersOf(part)) if (other !== part && takes(chains, parts.with(at, other).join('/'))) return true
  if (known.size < MOST_KNOWN && part.length <= MOST_VARIED) known.add(place)
  return false
}

/**
 * Similar but different strings, which still match most required formats: first with all, only the first, or only the last of the letters and digits
 * replaced; then with each run of them replaced, and then each single character, because a parameter may be any part of a segment.
 */
function* othersOf(part: string): Generator<string> {
  yield part.replace(/[0-9A-Za-z]/g, another)
  yield part.replace(/[0-9A-Za-z]/, another)
  yield part.replace(/[0-9A-Za-z](?=[^0-9A-Za-z]*$)/, another)
  if (part.length > MOST_VARIED) return
  for (const { 0: run, index } of part.matchAll(/[0-9A-Za-z]+/g)) {
    yield part.slice(0, index) + run.replace(/./g, another) + part.slice(index + run.length)
  }
  for (const [at, character] of [...part].entries()) yield part.slice(0, at) + another(character) + part.slice(at + 1)
}

// A digit is replaced by a digit, a hexadecimal digit by a hexadecimal digit, and a letter by a letter.
const RINGS = ['0123456789', 'abcdef', 'ABCDEF', 'ghijklmnopqrstuvwxyz', 'GHIJKLMNOPQRSTUVWXYZ', '-._~']

function another(character: string): string {
  const ring = RINGS.find((each) => each.includes(character))
  return ring === undefined ? 'a' : (ring[(ring.indexOf(character) + 1) % ring.length] ?? character)
}

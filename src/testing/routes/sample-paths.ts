/** Values of a parameter that differ in what a pattern may ask of them. */
const VALUES = ['a', '7', 'Q-x_9', 'x.y~z', '%20', 'latchkey-looks-for-routes']
const RESTS = ['', 'a', '7/b.c', 'x-y/%20/z']

/** One part of a pattern: text, `:name` with its own pattern and a modifier, or `*` with or without a name. */
const PART = /\/?:\w+(?:\([^()]*\)|\{[^{}]*\})?[?+*]?|\/?\*\w*|[^:*]+/g
/** What no sample can be made of. */
const UNREADABLE = /[()[\]|^$+?\\{}]/

/**
 * Paths that a pattern may match, in variety; none for a pattern that cannot be read. Whether the pattern does match them, and what else does, is asked of the
 * framework's own matcher: a guard counts only where it matches each path that the route matches.
 */
export function samplePaths(pattern: string): readonly string[] {
  const samples = [...new Set(withAndWithout(pattern).flatMap(fill))]
  return [...new Set(samples.flatMap(variants))]
}

// `{/:id}` of path-to-regexp 8 may be left out.
function withAndWithout(pattern: string): readonly string[] {
  if (!/\{\//.test(pattern)) return [pattern]
  return [pattern.replace(/\{(\/[^{}]*)\}/g, '$1'), pattern.replace(/\{\/[^{}]*\}/g, '')]
}

function fill(pattern: string): readonly string[] {
  const parts = pattern.match(PART) ?? []
  if (parts.join('') !== pattern) return []
  if (parts.some((part) => !/^\/?:/.test(part) && UNREADABLE.test(part))) return []
  const made: string[] = []
  for (const [at, value] of VALUES.entries()) {
    const rest = RESTS[at % RESTS.length] ?? ''
    made.push(parts.map((part) => filled(part, value, rest)).join(''))
    if (parts.some(isOptional)) made.push(parts.map((part) => (isOptional(part) ? '' : filled(part, value, rest))).join(''))
  }
  return made.map((path) => path || '/')
}

function filled(part: string, value: string, rest: string): string {
  const slash = part.startsWith('/') ? '/' : ''
  if (part.slice(slash.length).startsWith('*')) return `${slash}${rest}`
  return /^\/?:/.test(part) ? `${slash}${value}` : part
}

function isOptional(part: string): boolean {
  return /^\/?:.*[?*]$/.test(part)
}

// Routers differ in whether case and a slash at the end count: the route's own says which of these it takes.
function variants(path: string): readonly string[] {
  const loud = path.replace(/%..|[a-z]/g, (found) => (found.startsWith('%') ? found : found.toUpperCase()))
  return [path, loud, ...(path.endsWith('/') ? [] : [`${path}/`])]
}

/** Parameter values that satisfy different patterns. */
const VALUES = ['a', '7', 'Q-x_9', 'x.y~z', '%20', 'latchkey-looks-for-routes']
const RESTS = ['', 'a', '7/b.c', 'x-y/%20/z']

/** One part of a pattern: text, `:name` with its own pattern and a modifier, or `*` with or without a name. */
const PART = /\/?:\w+(?:\([^()]*\)|\{[^{}]*\})?[?+*]?|\/?\*\w*|[^:*]+/g
/** Syntax for which no sample can be generated. */
const UNREADABLE = /[()[\]|^$+?\\{}]/

/**
 * Various paths that a pattern may match; none if the pattern cannot be read. The framework's own matcher decides whether the route and its guards match
 * them: a guard counts only if it matches every path that the route matches.
 */
export function samplePaths(pattern: string): readonly string[] {
  const samples = [...new Set(withAndWithout(pattern).flatMap(fill))]
  return [...new Set(samples.flatMap(variants))]
}

// In path-to-regexp 8, `{/:id}` is optional.
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

// Routers differ in whether letter case and a trailing slash matter. The route's own matcher decides which variants it accepts.
function variants(path: string): readonly string[] {
  const loud = path.replace(/%..|[a-z]/g, (found) => (found.startsWith('%') ? found : found.toUpperCase()))
  return [path, loud, ...(path.endsWith('/') ? [] : [`${path}/`])]
}

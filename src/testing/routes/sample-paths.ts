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

/** Returns whether a pattern has neither parameters nor wildcards, so that one sample represents every path that it matches. */
export function isLiteral(pattern: string): boolean {
  return !/[:*]/.test(pattern) && !UNREADABLE.test(pattern)
}

/**
 * Returns whether a pattern accepts every value of a parameter, so that the samples represent all values. A guard with a regular expression, such as
 * `/^\/(?!login)/`, or with a constrained parameter may match all samples and still not match a path that the route does.
 */
export function isUniform(pattern: string | RegExp): boolean {
  if (pattern instanceof RegExp) return /^\^?(?:\\\/)?\.\*\$?$/.test(pattern.source)
  // The groups are how older versions of @koa/router write a wildcard.
  const free = pattern
    .replace(/\((?:\.|\[\^\\?\/\])\*\)/g, '')
    .replace(/:\w+[?*+]?(?![\w(]|\{(?!\/))/g, '')
    .replace(/(?<!:\w+)\{([^{}]*)\}/g, '$1')
  return !UNREADABLE.test(free)
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
  let turn = 0
  const mixed = path.replace(/%..|[a-z]/g, (found) => (found.startsWith('%') || turn++ % 2 === 1 ? found : found.toUpperCase()))
  const loud = path.replace(/%..|[a-z]/g, (found) => (found.startsWith('%') ? found : found.toUpperCase()))
  return [path, loud, mixed, ...(path.endsWith('/') ? [] : [`${path}/`])]
}

import type { Token } from '../lib/types.js'

/** What an edit sends: fields by the names of inputs, `null` for what is taken away. */
export type Changes = { readonly [field: string]: unknown }

/** A field that somebody changed: here, there, or both. */
export type Difference = {
  readonly field: string
  readonly before: unknown
  readonly theirs: unknown
  readonly mine: unknown
  readonly changedThere: boolean
  readonly changedHere: boolean
  /** Did both write, and not the same? */
  readonly both: boolean
}

/** What the form edits. */
const EDITED = ['name', 'description', 'scopes', 'resources', 'expiresAt', 'allowedIps', 'rotateEvery', 'metadata'] as const
/** What else may have happened to a token meanwhile. */
const OTHER = ['ownerId', 'notBefore', 'deactivatedAt', 'revokedAt', 'replacedById'] as const

// Records give seconds in a field of another name.
const fieldOf = (token: Token, field: string): unknown => Reflect.get(token, field === 'rotateEvery' ? 'rotateEverySeconds' : field)

const same = (a: unknown, b: unknown): boolean => canonical(a) === canonical(b)

// Stores give the keys of an object back in an order of their own.
function canonical(value: unknown): string {
  return JSON.stringify(value ?? null, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
}

/** Does the token have what these changes ask for? */
export const holds = (changes: Changes, token: Token): boolean =>
  Object.entries(changes).every(([field, value]) => same(fieldOf(token, field), value))

/** Every field that was changed here or there, what both wrote first. */
export function differencesOf(before: Token, theirs: Token, mine: Changes): readonly Difference[] {
  const all = [...EDITED, ...OTHER].map((field): Difference => {
    const changedHere = Object.hasOwn(mine, field)
    const [old, now] = [fieldOf(before, field), fieldOf(theirs, field)]
    const changedThere = !same(old, now)
    const both = changedHere && changedThere && !same(now, mine[field])
    return { field, before: old, theirs: now, mine: mine[field], changedThere, changedHere, both }
  })
  return all.filter(({ changedThere, changedHere }) => changedThere || changedHere).sort((a, b) => Number(b.both) - Number(a.both))
}

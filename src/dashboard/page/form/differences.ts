import type { Token } from '../lib/types.js'

/** The body of an edit: fields by their input names, `null` for removed values. */
export type Changes = { readonly [field: string]: unknown }

/** A field that the user, someone else, or both changed. */
export type Difference = {
  readonly field: string
  readonly before: unknown
  readonly theirs: unknown
  readonly mine: unknown
  readonly changedThere: boolean
  readonly changedHere: boolean
  /** Whether both changed it, to different values. */
  readonly both: boolean
}

/** The fields that the form edits. */
const EDITED = ['name', 'description', 'scopes', 'resources', 'expiresAt', 'allowedIps', 'rotateEvery', 'metadata'] as const
/** Other fields that may have changed in the meantime. */
const OTHER = ['ownerId', 'notBefore', 'deactivatedAt', 'revokedAt', 'replacedById'] as const

// Records store seconds, in a field with another name.
const fieldOf = (token: Token, field: string): unknown => Reflect.get(token, field === 'rotateEvery' ? 'rotateEverySeconds' : field)

const same = (a: unknown, b: unknown): boolean => canonical(a) === canonical(b)

// Stores may return the keys of an object in a different order.
function canonical(value: unknown): string {
  return JSON.stringify(value ?? null, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
}

/** Returns whether the token already has these changes. */
export const holds = (changes: Changes, token: Token): boolean =>
  Object.entries(changes).every(([field, value]) => same(fieldOf(token, field), value))

/** Returns every field that was changed by either side, conflicts first. */
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

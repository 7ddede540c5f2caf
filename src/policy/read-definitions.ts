import { InvalidInputError } from '../errors.js'
import type { Definitions } from './definitions.js'
import { quote } from './quote.js'
import { reading } from './reading.js'
import { isScopeName } from './scope.js'
import { closest } from './suggest.js'
import { whyNotGrantable } from './why-not-grantable.js'

const NAME_RULE = 'must be segments of a-z, 0-9, _ and - joined by ":", at most 128 characters, such as inventory:read'

/** @throws InvalidInputError (`invalid_input`) that names the entry. */
export function readDefinitions(options: {
  readonly scopes: unknown
  readonly groups?: unknown
  readonly implies?: unknown
  readonly allowWildcard?: unknown
}): Definitions {
  const allowWildcard = options.allowWildcard ?? false
  if (typeof allowWildcard !== 'boolean') throw new InvalidInputError('allowWildcard', 'must be true or false')
  const names = reading('scopes', () => readNames(options.scopes))
  const known = new Set(names)
  const plain = { names, known, groups: new Map<string, readonly string[]>(), implies: new Map<string, readonly string[]>(), allowWildcard }
  return {
    ...plain,
    groups: reading('groups', () => readGroups(options.groups, plain)),
    implies: reading('implies', () => readImplies(options.implies, plain)),
  }
}

function readNames(input: unknown): readonly string[] {
  const names: string[] = []
  for (const [name, description] of entriesOf('scopes', input, 'an object of scope names and descriptions')) {
    const field = `scopes.${short(name)}`
    if (!isScopeName(name)) throw new InvalidInputError(field, NAME_RULE)
    if (typeof description !== 'string')
      throw new InvalidInputError(field, `must be a description of the scope, a string, not ${quote(description)}`)
    names.push(name)
  }
  return Object.freeze(names)
}

function readGroups(input: unknown, plain: Definitions): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, readonly string[]>()
  for (const [name, members] of entriesOf('groups', input ?? {}, 'an object of group names and lists of scopes')) {
    const field = `groups.${short(name)}`
    if (!isScopeName(name)) throw new InvalidInputError(field, `${NAME_RULE} (the @ belongs where the group is used)`)
    const kept = listOf(field, members).map((member, at) => {
      const problem = whyNotGrantable(plain, member)
      if (typeof member === 'string' && member.startsWith('@')) {
        throw new InvalidInputError(`${field}.${at}`, `is ${quote(member)}: a group contains scopes and wildcards, not other groups`)
      }
      if (typeof member !== 'string' || problem !== undefined) throw new InvalidInputError(`${field}.${at}`, problem ?? 'must be a string')
      return member
    })
    groups.set(name, Object.freeze(kept))
  }
  return groups
}

function readImplies(input: unknown, plain: Definitions): ReadonlyMap<string, readonly string[]> {
  const implies = new Map<string, readonly string[]>()
  for (const [name, implied] of entriesOf('implies', input ?? {}, 'an object of scopes and lists of the scopes that they include')) {
    const field = `implies.${short(name)}`
    refuseUnknown(field, name, plain)
    const kept = listOf(field, implied).map((scope, at) => refuseUnknown(`${field}.${at}`, scope, plain))
    implies.set(name, Object.freeze(kept))
  }
  return implies
}

function refuseUnknown(field: string, scope: unknown, plain: Definitions): string {
  if (typeof scope === 'string' && plain.known.has(scope)) return scope
  const meant = typeof scope === 'string' ? closest(scope, plain.names) : undefined
  const hint = meant === undefined ? '' : `; did you mean ${quote(meant)}?`
  throw new InvalidInputError(field, `${quote(scope)} is not in the catalogue, and only scopes in it can imply or be implied${hint}`)
}

/** Returns a plain object's own entries. Refuses a list, a `Map` and a class instance, which would silently have no entries or the wrong entries. */
function entriesOf(field: string, input: unknown, expected: string): readonly (readonly [string, unknown])[] {
  const prototype: unknown = typeof input === 'object' && input !== null ? Object.getPrototypeOf(input) : undefined
  if (typeof input !== 'object' || input === null || (prototype !== null && Object.getPrototypeOf(prototype) !== null)) {
    throw new InvalidInputError(field, `must be ${expected}, not ${quote(input)}`)
  }
  return Object.entries(input)
}

function listOf(field: string, input: unknown): readonly unknown[] {
  // Array.from turns the holes of a sparse list into `undefined`, which is refused with its position.
  if (Array.isArray(input)) return Array.from(input)
  throw new InvalidInputError(field, `must be a list of scopes, not ${quote(input)}`)
}

function short(name: string): string {
  return name.length > 64 ? `${name.slice(0, 64)}…` : name
}

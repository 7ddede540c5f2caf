import { type InputIssue, InvalidInputError, isInvalidInput } from '../errors.js'
import { closest } from './suggest.js'

/** The maximum number of problems to report at once. */
export const MAX_ISSUES = 20

/** Names of our fields, and their names in other libraries. */
const ELSEWHERE: readonly (readonly [name: string, elsewhere: readonly string[]])[] = [
  ['cursor', ['page', 'offset', 'skip']],
  ['limit', ['pagesize', 'perpage']],
  ['name', ['search', 'query', 'title', 'label']],
  ['scopes', ['permissions', 'abilities', 'roles']],
  ['expiresIn', ['ttl', 'maxage', 'lifetime', 'expiry']],
  ['ownerId', ['userid', 'user']],
  ['tenantId', ['orgid', 'organizationid', 'companyid', 'clientid']],
  ['allowedIps', ['ips', 'allowlist', 'whitelist', 'ipwhitelist']],
  ['overlap', ['grace', 'graceperiod']],
  ['store', ['db', 'database', 'storage', 'adapter']],
  ['pepper', ['secret', 'salt']],
  ['maxStaleness', ['ttl', 'maxage']],
  ['optional', ['required']],
  ['credential', ['header', 'headername', 'apikey']],
  ['url', ['connectionstring', 'uri', 'dsn', 'host', 'port']],
  ['path', ['file', 'filename']],
  ['client', ['redis']],
  ['tokenId', ['id']],
]

const bare = (name: string): string => name.toLowerCase().replaceAll(/[_-]/g, '')

/** Returns the message for an unknown name. It suggests the name that was probably meant: `expiresIn` for `expires`, `expires_in` or `expiresInDays`. */
export function unknownName(key: string, names: readonly string[]): string {
  const start = bare(key)
  const name =
    ELSEWHERE.find(([known, elsewhere]) => elsewhere.includes(start) && names.includes(known))?.[0] ??
    names.find((known) => start !== '' && bare(known).startsWith(start)) ??
    names.find((known) => known.length > 3 && start.startsWith(bare(known))) ??
    closest(key, names)
  return `unknown field${name === undefined ? '' : `; did you mean ${JSON.stringify(name)}?`}`
}

/**
 * Reads an input once. All problems become one error, which names the first field and lists the others. An error thrown by a getter or proxy of the input
 * also refuses the input.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function readInput<T>(
  input: unknown,
  root: string,
  read: () => { readonly value: T } | { readonly issues: readonly InputIssue[] },
): T {
  let result: ReturnType<typeof read>
  try {
    refuseSpecialKeys(input)
    result = read()
  } catch (error) {
    if (isInvalidInput(error)) throw error
    throw new InvalidInputError(root, 'could not be read', error, [{ path: [], message: 'could not be read' }])
  }
  if ('value' in result) return result.value
  const issues = result.issues.slice(0, MAX_ISSUES)
  const [first = { path: [], message: 'is not valid' }] = issues
  throw new InvalidInputError(first.path.length === 0 ? root : first.path, first.message, undefined, issues)
}

/**
 * Refuses options at this place of the input that are explicitly `undefined`. Leaving out such an option permits more, so a value that was lost by mistake must not go unnoticed.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function refuseUndefined(
  options: unknown,
  names: readonly string[],
  without = 'to run without it',
  place: readonly PropertyKey[] = [],
): void {
  for (const name of names) {
    if (name in Object(options) && Reflect.get(Object(options), name) === undefined) {
      throw new InvalidInputError([...place, name], `is undefined: omit it ${without}, or check where it comes from`)
    }
  }
}

/**
 * Refuses limits that were lost by mistake: properties that are `undefined`, own or inherited, and probable misspellings of an absent limit.
 * Without the limit, the host's result would grant access to everything.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function refuseLostLimits(answer: unknown, limits: readonly string[], root: string): void {
  if (typeof answer !== 'object' || answer === null) return
  for (const limit of limits) {
    if (limit in answer) {
      if (Reflect.get(answer, limit) !== undefined) continue
      throw new InvalidInputError([root, limit], `is undefined: omit it where there is no such limit, or check where it comes from`)
    }
    const slip = Reflect.ownKeys(answer).find((key) => typeof key === 'string' && closest(key, [limit]) !== undefined)
    if (slip !== undefined) throw new InvalidInputError([root, slip], `unknown field; did you mean "${limit}"?`)
  }
}

// JSON.parse creates `__proto__` as an own key, and readers handle it differently.
function refuseSpecialKeys(input: unknown): void {
  if (typeof input === 'object' && input !== null && Object.hasOwn(input, '__proto__')) {
    throw new InvalidInputError('__proto__', 'unknown field')
  }
}

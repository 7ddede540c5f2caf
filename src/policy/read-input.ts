import { type InputIssue, InvalidInputError, isInvalidInput } from '../errors.js'
import { closest } from './suggest.js'

/** More than this is not told at once. */
const MAX_ISSUES = 20

/** What fields are called here, and in other libraries. */
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
]

const bare = (name: string): string => name.toLowerCase().replaceAll(/[_-]/g, '')

/** The message for a name that nothing has. It says how the name was probably meant: `expires`, `expires_in` or `expiresInDays` for `expiresIn`. */
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
 * Reads an input, once. What is wrong becomes one error that names the first field and lists the others; what an input's getters and proxies throw
 * is a refusal as well.
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
 * Refuses these options, which stand at this place of the input, where they are spelled out as `undefined`. Without them more is let in, so that one that got lost on its way must not go unnoticed.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function refuseUndefined(
  options: unknown,
  names: readonly string[],
  without = 'to go without it',
  place: readonly PropertyKey[] = [],
): void {
  for (const name of names) {
    if (name in Object(options) && Reflect.get(Object(options), name) === undefined) {
      throw new InvalidInputError([...place, name], `is undefined: omit it ${without}, or check where it comes from`)
    }
  }
}

// JSON.parse makes `__proto__` an own key, and readers differ in what they do with it.
function refuseSpecialKeys(input: unknown): void {
  if (typeof input === 'object' && input !== null && Object.hasOwn(input, '__proto__')) {
    throw new InvalidInputError('__proto__', 'unknown field')
  }
}

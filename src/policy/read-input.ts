import { type InputIssue, InvalidInputError, isInvalidInput } from '../errors.js'
import { unawaited } from './misgiven.js'
import { closest } from './suggest.js'

/** The maximum number of problems to report at once. */
export const MAX_ISSUES = 20

/** Names of our fields, and their names in other libraries. */
const ELSEWHERE: readonly (readonly [name: string, elsewhere: readonly string[]])[] = [
  ['cursor', ['page', 'offset', 'skip']],
  ['limit', ['pagesize', 'perpage']],
  ['name', ['search', 'query', 'title', 'label']],
  ['scopes', ['permissions', 'abilities', 'roles']],
  ['expiresIn', ['ttl', 'maxage', 'lifetime', 'expires', 'expire', 'expiry', 'expiration', 'exp']],
  ['expiresAt', ['expires', 'expire', 'expiry', 'expiration', 'exp', 'expirydate', 'expirationdate', 'validuntil']],
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
  ['poolSize', ['max', 'connectionlimit', 'maxconnections', 'poolmax']],
  ['path', ['file', 'filename']],
  ['client', ['redis']],
  ['keyPrefix', ['prefix', 'namespace']],
  ['tablePrefix', ['prefix', 'namespace']],
  ['tokenId', ['id']],
  ['cache', ['maxstaleness', 'maxentries']],
  ['max', ['maximum']],
  ['actions', ['events', 'types']],
  ['webhookKey', ['key', 'secret']],
]

const bare = (name: string): string => name.toLowerCase().replaceAll(/[_-]/g, '')

/** The unit at the end of a name for a duration in other libraries. Here, the unit is part of the value. */
const UNIT = /(?:ms|millis|milliseconds|minutes|hours|days|weeks)$/

/** A longer list of fields does not help. */
const MAX_FIELDS = 5

/** Returns the first fields of an object for a message: `: { reason, waitForNodes }`. */
export function fieldsOf(names: readonly string[]): string {
  if (names.length === 0) return ''
  const shown = names.length > MAX_FIELDS ? [...names.slice(0, MAX_FIELDS), '…'] : names
  return `: { ${shown.join(', ')} }`
}

/** More suggestions than this do not help. */
const MAX_SUGGESTIONS = 3

/**
 * Returns the message for an unknown name. It suggests the names that were probably meant, such as `expiresIn` for `expires_in` or `ttl`, or lists the
 * valid names.
 */
export function unknownName(key: string, names: readonly string[], problem: string = 'unknown field'): string {
  const meant = probablyMeant(key, names).map((name) => JSON.stringify(name))
  const last = meant.pop()
  if (last === undefined) {
    return names.length === 0 ? problem : `${problem}; use ${names.length > 1 ? 'one of ' : ''}${names.join(', ')}`
  }
  const list = meant.length === 0 ? last : `${meant.join(', ')} or ${last}`
  return `${problem}; did you mean ${list}${difference(key, last)}?`
}

function probablyMeant(key: string, names: readonly string[]): readonly string[] {
  const start = bare(key)
  if (start === '') return []
  for (const word of [start, start.replace(UNIT, '')]) {
    const known = ELSEWHERE.filter(([name, elsewhere]) => elsewhere.includes(word) && names.includes(name))
    if (known.length > 0) return known.map(([name]) => name)
  }
  const same = names.filter((name) => bare(name) === start)
  // Two letters are the beginning of many names.
  const longer = start.length > 2 ? names.filter((name) => bare(name).startsWith(start)) : []
  for (const found of [same, longer]) if (found.length > 0 && found.length <= MAX_SUGGESTIONS) return found
  const name = names.find((known) => known.length > 3 && start.startsWith(bare(known))) ?? closest(key, names)
  return name === undefined ? [] : [name]
}

/** Also explains how the value must change, because the wrong name implied another meaning. */
function difference(key: string, meant: string): string {
  if (bare(key) === 'required' && meant === '"optional"') return ', which is the opposite'
  const unit = UNIT.test(bare(key)) && !UNIT.test(bare(meant.slice(1, -1)))
  return unit ? ', with the unit in the value, as in "90d"' : ''
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
    refusePromise(input, root)
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
 * Refuses options at this place of the input that are explicitly `undefined`. Omitting such an option permits more, so a value that was lost by mistake
 * must not go unnoticed.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function refuseUndefined(options: unknown, names: readonly string[], without = '', place: readonly PropertyKey[] = []): void {
  for (const name of names) {
    if (name in Object(options) && Reflect.get(Object(options), name) === undefined) {
      throw new InvalidInputError([...place, name], `is undefined: omit it${without && ` ${without}`}, or check where it comes from`)
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
      throw new InvalidInputError([root, limit], `is undefined: omit it if there is no such limit, or check where it comes from`)
    }
    const slip = Reflect.ownKeys(answer).find((key) => typeof key === 'string' && closest(key, [limit]) !== undefined)
    if (slip !== undefined) throw new InvalidInputError([root, slip], `unknown field; did you mean "${limit}"?`)
  }
}

// A promise has no own fields, so it would pass as an empty input. Parsed JSON cannot be refused here, because its `then` is never a function.
function refusePromise(input: unknown, root: string): void {
  const hint = unawaited(input)
  if (hint !== '' && typeof Reflect.get(Object(input), 'then') === 'function') throw new InvalidInputError(root, `must be an object${hint}`)
}

// JSON.parse creates `__proto__` as an own key, and readers handle it differently.
function refuseSpecialKeys(input: unknown): void {
  if (typeof input === 'object' && input !== null && Object.hasOwn(input, '__proto__')) {
    throw new InvalidInputError('__proto__', 'unknown field')
  }
}

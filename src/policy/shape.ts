import * as z from 'zod'
import { type InputIssue, InvalidInputError } from '../errors.js'
import { holdsToken, redact } from '../token/redact.js'
import { quote } from './quote.js'
import { closest } from './suggest.js'

/** More than this is not told at once. */
const MAX_ISSUES = 20
const MAX_KEY = 64

/** Readable names for zod's type names. */
const NAMES: ReadonlyMap<string, string> = new Map([
  ['string', 'a string'],
  ['number', 'a number'],
  ['int', 'a whole number'],
  ['boolean', 'true or false'],
  ['array', 'a list'],
  ['object', 'an object'],
  ['record', 'an object'],
])

const bare = (name: string): string => name.toLowerCase().replaceAll(/[_-]/g, '')

/** How a name was probably meant: `expires`, `expires_in` or `expiresInDays` for `expiresIn`, `scope` for `scopes`. */
function meant(key: string, schema: z.ZodType): string {
  const names = schema instanceof z.ZodObject ? Object.keys(schema.shape) : []
  const start = bare(key)
  const name =
    names.find((known) => start !== '' && bare(known).startsWith(start)) ??
    names.find((known) => known.length > 3 && start.startsWith(bare(known))) ??
    closest(key, names)
  return name === undefined ? '' : `; did you mean ${JSON.stringify(name)}?`
}

/** The message for a schema that has none of its own. */
function explain(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'invalid_type') return `must be ${NAMES.get(issue.expected) ?? issue.expected}`
  if (issue.code === 'too_small')
    return issue.minimum === 1 && issue.origin !== 'number' ? 'must not be empty' : `must be at least ${issue.minimum}`
  if (issue.code === 'too_big')
    return `must be at most ${issue.maximum}${issue.origin === 'string' ? ' characters' : issue.origin === 'array' ? ' entries' : ''}`
  if (issue.code === 'invalid_value') return `must be ${issue.values.map(String).join(' or ')}`
  return undefined
}

function issuesOf(issue: z.core.$ZodIssue, input: unknown, schema: z.ZodType): readonly InputIssue[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const shown = redact(key).slice(0, MAX_KEY)
      return {
        path: [...issue.path, shown],
        message: `there is no such field${issue.path.length === 0 ? meant(shown, schema) : ''}`,
      }
    })
  }
  if (issue.path.length === 0 && issue.code === 'invalid_type' && issue.expected === 'object') {
    return [{ path: [], message: `must be an object, not ${quote(input)}` }]
  }
  const missing = issue.path.length > 0 && issue.path.reduce<unknown>((value, key) => Reflect.get(Object(value), key), input) === undefined
  return [{ path: issue.path, message: missing ? `is required and ${issue.message}` : issue.message }]
}

/**
 * Reads an input against its schema, once. What is wrong becomes one error that names the first field and lists the others.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function readShape<T>(schema: z.ZodType<T>, input: unknown, root: string): T {
  let result: z.ZodSafeParseResult<T>
  try {
    refuseSpecialKeys(input)
    result = schema.safeParse(input, { error: explain })
  } catch (error) {
    if (error instanceof InvalidInputError) throw error
    throw new InvalidInputError(root, 'could not be read', error, [{ path: [], message: 'could not be read' }])
  }
  if (result.success) return result.data
  // A misspelled name is why another is missing.
  const found = [...result.error.issues].sort((a, b) => rankOf(a) - rankOf(b))
  const issues = found.flatMap((issue) => issuesOf(issue, input, schema)).slice(0, MAX_ISSUES)
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
      throw new InvalidInputError([...place, name], `is undefined: leave it out ${without}, or check where it comes from`)
    }
  }
}

/**
 * Reads a part of an input, which stands under a name of its own.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function readPart<T>(name: string, schema: z.ZodType<T>, input: unknown): T {
  try {
    return readShape(schema, input, name)
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error
    const issues = error.issues.map(({ path, message }) => ({ path: [name, ...path], message }))
    const [first = { path: [name], message: 'could not be read' }] = issues
    throw new InvalidInputError(first.path, first.message, error.cause, issues)
  }
}

function rankOf(issue: z.core.$ZodIssue): number {
  return issue.code === 'unrecognized_keys' ? 0 : 1
}

// JSON.parse makes `__proto__` an own key, and schema libraries differ in what they do with it.
function refuseSpecialKeys(input: unknown): void {
  if (typeof input === 'object' && input !== null && Object.hasOwn(input, '__proto__')) {
    throw new InvalidInputError('__proto__', 'there is no such field')
  }
}

const CONTROL = /\p{Cc}/u
/**
 * Characters that are invisible or reorder the text around them: two names that differ would look alike (Unicode TR 36 §2.3, §3.1). A joiner behind
 * a letter outside of ASCII belongs to a script or to an emoji.
 */
const INVISIBLE = /[\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]|(?:^|\p{ASCII})[\u200c\u200d]/u
const LONE_SURROGATE = /\p{Surrogate}/u

/** The message for a text that holds a token. The text is not repeated. */
export const HOLDS_TOKEN = 'looks like a token, which is kept nowhere: give its id or its hint'

/** Text that every store keeps byte for byte, and that people see as it is: no control or invisible characters, no half of a surrogate pair, no token. */
export function text(min: number, max: number): z.ZodType<string> {
  return z
    .string({ error: 'must be a string' })
    .refine((value) => value.length >= min, { error: min === 1 ? 'must not be empty' : `must be at least ${min} characters`, abort: true })
    .refine((value) => value.length <= max, { error: `must be at most ${max} characters`, abort: true })
    .refine((value) => !CONTROL.test(value), { error: 'must not contain control characters', abort: true })
    .refine((value) => !LONE_SURROGATE.test(value), { error: 'must be well-formed Unicode', abort: true })
    .refine((value) => !INVISIBLE.test(value), { error: 'must not contain invisible or direction-changing characters', abort: true })
    .refine((value) => !holdsToken(value), { error: HOLDS_TOKEN })
    .meta({ minLength: min, maxLength: max })
}

/**
 * A schema made of one of the library's own readers. What the reader refuses keeps its place in the whole input.
 *
 * `json` is how the OpenAPI document describes the input.
 */
export function readWith<T>(read: (input: unknown) => T, json: { readonly [keyword: string]: unknown }): z.ZodType<T> {
  return z
    .unknown()
    .transform((input, context) => {
      try {
        return read(input)
      } catch (error) {
        if (!(error instanceof InvalidInputError)) throw error
        for (const { path, message } of error.issues) context.issues.push({ code: 'custom', path: [...path], message, input })
        return z.NEVER
      }
    })
    .meta(json)
}

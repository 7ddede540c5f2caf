import * as z from 'zod'
import { InvalidInputError } from '../errors.js'
import { redact } from '../token/redact.js'
import { quote } from './quote.js'
import { closest } from './suggest.js'

/** A zod path as callers write it: `scopes.0`, `resources.warehouse`. */
function dotted(path: readonly PropertyKey[]): string {
  return path.map(String).join('.')
}

/** What a name that is not there was probably meant to be: `ttl` for `ttlSeconds`, `scope` for `scopes`. */
function meant(key: string, schema: z.ZodType): string {
  const names = schema instanceof z.ZodObject ? Object.keys(schema.shape) : []
  const start = key.toLowerCase()
  const name = names.find((known) => start !== '' && known.toLowerCase().startsWith(start)) ?? closest(key, names)
  return name === undefined ? '' : `; did you mean ${JSON.stringify(name)}?`
}

function explain(issue: z.core.$ZodIssue, input: unknown, root: string, schema: z.ZodType): InvalidInputError {
  const path = dotted(issue.path)
  if (issue.code === 'unrecognized_keys') {
    const key = redact(issue.keys[0] ?? '').slice(0, 64)
    return new InvalidInputError(
      path === '' ? key : `${path}.${key}`,
      `there is no such field in ${root}${path === '' ? meant(key, schema) : ''}`,
    )
  }
  if (path === '' && issue.code === 'invalid_type' && issue.expected === 'object') {
    return new InvalidInputError(root, `must be an object, not ${quote(input)}`)
  }
  const missing = path !== '' && issue.path.reduce<unknown>((value, key) => Reflect.get(Object(value), key), input) === undefined
  return new InvalidInputError(path === '' ? root : path, missing ? `is missing: it ${issue.message}` : issue.message)
}

/**
 * Reads an input against its schema: the first fault becomes one error that names the field.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function readShape<T>(schema: z.ZodType<T>, input: unknown, root: string): T {
  let result: z.ZodSafeParseResult<T>
  try {
    refuseSpecialKeys(input, root)
    result = schema.safeParse(input)
  } catch (error) {
    if (error instanceof InvalidInputError) throw error
    throw new InvalidInputError(root, 'could not be read', error)
  }
  if (result.success) return result.data
  // A misspelt name is why another is missing.
  const { issues } = result.error
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]
  throw issue === undefined ? new InvalidInputError(root, 'is not valid') : explain(issue, input, root, schema)
}

// JSON.parse makes `__proto__` an own key, and schema libraries differ in what they do with it.
function refuseSpecialKeys(input: unknown, root: string): void {
  if (typeof input === 'object' && input !== null && Object.hasOwn(input, '__proto__')) {
    throw new InvalidInputError('__proto__', `there is no such field in ${root}`)
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
const CONTROL = /[\u0000-\u001f\u007f]/
const LONE_SURROGATE = /\p{Surrogate}/u

/** Text that every store keeps byte for byte: no control characters, no half of a surrogate pair. */
export function text(min: number, max: number): z.ZodType<string> {
  return z
    .string({ error: 'must be a string' })
    .refine((value) => value.length >= min, { error: min === 1 ? 'must not be empty' : `must be at least ${min} characters`, abort: true })
    .refine((value) => value.length <= max, { error: `must be at most ${max} characters`, abort: true })
    .refine((value) => !CONTROL.test(value), { error: 'must not contain control characters', abort: true })
    .refine((value) => !LONE_SURROGATE.test(value), { error: 'must be well-formed Unicode' })
}

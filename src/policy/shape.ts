import * as z from 'zod'
import { type InputIssue, isInvalidInput } from '../errors.js'
import { redact } from '../token/redact.js'
import { detached } from './option-reader.js'
import { whyNotPlain } from './plain-text.js'
import { isWithheld, quote } from './quote.js'
import { fieldsOf, MAX_ISSUES, readInput, unknownName } from './read-input.js'

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

/** Returns the message for a problem whose schema has no message. */
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
    // Limited, because finding suggestions for a large number of names is slow.
    return issue.keys.slice(0, MAX_ISSUES).map((key) => {
      const shown = redact(key).slice(0, MAX_KEY)
      const names = issue.path.length === 0 && schema instanceof z.ZodObject ? Object.keys(schema.shape) : []
      if (isWithheld()) return { path: issue.path, message: unknownName(shown, names, 'has a field that is not known') }
      return { path: [...issue.path, shown], message: unknownName(shown, names) }
    })
  }
  if (issue.path.length === 0 && issue.code === 'invalid_type' && issue.expected === 'object') {
    const names = schema instanceof z.ZodObject ? Object.keys(schema.shape) : []
    return [{ path: [], message: `must be an object${fieldsOf(names)}, not ${quote(input)}` }]
  }
  const missing = issue.path.length > 0 && issue.path.reduce<unknown>((value, key) => Reflect.get(Object(value), key), input) === undefined
  return [{ path: issue.path, message: missing ? `is required and ${issue.message}` : issue.message }]
}

/**
 * Reads an input once with its schema. All problems become one error, which names the first field and lists the others.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function readShape<T>(schema: z.ZodType<T>, input: unknown, root: string): T {
  return readInput(input, root, () => {
    const given = isFields(input) && schema instanceof z.ZodObject ? detached(input, Object.keys(schema.shape)) : input
    const result = schema.safeParse(given, { error: explain })
    if (result.success) return { value: isFields(result.data) ? detached(result.data, []) : result.data }
    // A misspelled name explains a missing field, so it comes first.
    const found = [...result.error.issues].sort((a, b) => rankOf(a) - rankOf(b))
    return { issues: found.flatMap((issue) => issuesOf(issue, given, schema)) }
  })
}

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function rankOf(issue: z.core.$ZodIssue): number {
  return issue.code === 'unrecognized_keys' ? 0 : 1
}

/** Names the kind of a value from a database that is not text, but not the value, which may be data of a person. */
function otherKind(input: unknown): string {
  if (input === null) return ', not null'
  return typeof input === 'number' || typeof input === 'bigint' ? `, not a ${typeof input}` : ''
}

/** Input schema for text that every store preserves byte for byte, and that has no invisible characters. */
export function text(min: number, max: number): z.ZodType<string> {
  return z
    .string({ error: ({ input }) => `must be a string${otherKind(input)}` })
    .refine((value) => whyNotPlain(value, min, max) === undefined, { error: ({ input }) => whyNotPlain(String(input), min, max) })
    .meta({ minLength: min, maxLength: max })
}

/**
 * Creates a schema from one of the library's own readers. Its errors name the position within the whole input.
 *
 * `json` describes the input in the OpenAPI document.
 */
export function readWith<T>(read: (input: unknown) => T, json: { readonly [keyword: string]: unknown }): z.ZodType<T> {
  return z
    .unknown()
    .transform((input, context) => {
      try {
        return read(input)
      } catch (error) {
        if (!isInvalidInput(error)) throw error
        for (const { path, message } of error.issues) context.issues.push({ code: 'custom', path: [...path], message, input })
        return z.NEVER
      }
    })
    .meta(json)
}

import type * as z from 'zod'
import { type Fault, fault, type Part, pointerTo, RequestFault } from './fault.js'

const MAX_FAULTS = 20

/**
 * Reads a part of a request against its schema; all that is wrong is told at once.
 *
 * @throws RequestFault `invalid_input`
 */
export function readPart<T>(schema: z.ZodType<T>, part: Part, input: unknown): T {
  const result = schema.safeParse(input, { error: (issue) => explain(issue, part) })
  if (result.success) return result.data
  const [first, ...others] = result.error.issues.flatMap((issue) => faultsOf(issue, part))
  if (first === undefined) throw fault(part, [], 'is not valid')
  throw new RequestFault([first.fault, ...others.slice(0, MAX_FAULTS - 1).map((one) => one.fault)], 'invalid_input', first.sentence)
}

/** The parameters of a query string: text, or a list where one is given several times. */
export function readQuery(search: URLSearchParams): { readonly [name: string]: string | readonly string[] } {
  // Without a prototype, so that a parameter called `__proto__` is one like any other, and refused like any other.
  const query: Record<string, string | readonly string[]> = Object.create(null)
  for (const name of new Set(search.keys())) {
    const values = search.getAll(name)
    query[name] = values.length === 1 ? (values[0] ?? '') : values
  }
  return query
}

/** What is wrong, and the same as a sentence that names the field by itself. */
type Told = { readonly fault: Fault; readonly sentence: string }

function faultsOf(issue: z.core.$ZodIssue, part: Part): readonly Told[] {
  if (issue.code !== 'unrecognized_keys') return [told(part, issue.path, issue.message)]
  const message = part === 'query' ? 'there is no such parameter' : 'there is no such field that you could set'
  return issue.keys.map((key) => told(part, [...issue.path, key], message))
}

function told(part: Part, path: readonly PropertyKey[], detail: string): Told {
  const sentence = path.length === 0 ? detail : `${path.map(String).join('.')}: ${detail}`
  return { fault: { in: part, pointer: pointerTo(path), detail }, sentence }
}

const NAMES: { readonly [type: string]: string } = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
}

const UNITS: { readonly [origin: string]: string } = { string: ' characters', array: ' entries' }

function explain(issue: z.core.$ZodRawIssue, part: Part): string | undefined {
  if (issue.input === undefined) return (issue.path?.length ?? 0) === 0 ? 'a JSON body is required' : 'is required'
  if (issue.code === 'invalid_type') return `must be ${NAMES[issue.expected] ?? issue.expected}${part === 'query' ? ', given once' : ''}`
  if (issue.code === 'too_small')
    return issue.minimum === 1 && issue.origin !== 'number' ? 'must not be empty' : `must be at least ${issue.minimum}`
  if (issue.code === 'too_big') return `must be at most ${issue.maximum}${UNITS[issue.origin] ?? ''}`
  if (issue.code === 'invalid_union') return 'is none of the allowed values'
  if (issue.code === 'invalid_value') return `must be ${issue.values.map(String).join(' or ')}`
  return undefined
}

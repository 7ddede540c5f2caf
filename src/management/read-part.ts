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
  throw first === undefined ? fault(part, [], 'is not valid') : new RequestFault([first, ...others.slice(0, MAX_FAULTS - 1)])
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

function faultsOf(issue: z.core.$ZodIssue, part: Part): readonly Fault[] {
  if (issue.code !== 'unrecognized_keys') return [{ in: part, pointer: pointerTo(issue.path), detail: sentence(issue.path, issue.message) }]
  const what = part === 'query' ? 'parameter' : 'field'
  return issue.keys.map((key) => ({
    in: part,
    pointer: pointerTo([...issue.path, key]),
    detail: sentence([...issue.path, key], `there is no such ${what} that you could set`),
  }))
}

function sentence(path: readonly PropertyKey[], message: string): string {
  return path.length === 0 ? message : `${path.map(String).join('.')}: ${message}`
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

import * as z from 'zod'
import { CODES, type Code } from '../errors.js'
import { titleOf } from '../http/problem.js'
import type { Answer, Example, Route, Sample, Tag } from './route.js'
import { problem } from './schemas/outputs.js'

const HEADERS = {
  'If-Match': {
    description: 'The `ETag` of the token as you read it. The change is made only if nobody else has changed the token since.',
    example: '"3"',
  },
  'Idempotency-Key': {
    description: 'Makes the request safe to retry: a second request with the same key does not create a second token.',
    example: 'f2b7a1f0-1',
  },
} as const

const ANSWER_HEADERS = {
  ETag: { description: 'The version of the token.', schema: { type: 'string' } },
  Location: { description: 'Where the token can be read.', schema: { type: 'string' } },
} as const

/** The groups of operations, with their descriptions. */
export const TAGS: { readonly [tag in Tag]: string } = {
  Tokens: 'Create, find, change and revoke tokens.',
  Activity: 'How tokens are used and what happened to them.',
  Permissions: 'What you may grant, and for whom.',
  Self: 'For the holder of a token, authenticated by that token.',
  Document: 'This document.',
}

/** Returns the refusals that a route can return in addition to its own. */
function usualCodes(route: Route): readonly Code[] {
  return [
    'invalid_input',
    ...(route.access === 'actor' ? (['actor_missing', 'token_cannot_manage'] as const) : []),
    ...(route.method === 'GET' && route.access === 'holder' ? [] : (['cross_site'] as const)),
    ...(route.method === 'GET'
      ? (['not_acceptable'] as const)
      : (['payload_too_large', 'media_type_unsupported', 'store_moving'] as const)),
    'rate_limited',
    'store_unavailable',
  ]
}

/** Describes a route as an OpenAPI operation. A holder may use any of the security schemes. */
export function operationOf(route: Route, sample: Sample, schemes: readonly string[]): object {
  const examples = route.examples?.(sample) ?? []
  return {
    operationId: route.operationId,
    tags: [route.tag],
    summary: route.summary,
    description: route.description,
    ...(route.access === 'holder' && { security: schemes.map((scheme) => ({ [scheme]: [] })) }),
    parameters: [...pathParameters(route), ...queryParameters(route, examples), ...headerParameters(route, examples)],
    requestBody: requestBody(route, examples),
    responses: { ...Object.fromEntries(route.answers.map((answer) => [answer.status, describeAnswer(answer)])), ...refusals(route) },
  }
}

function pathParameters(route: Route): readonly object[] {
  if (!route.path.startsWith('/:id')) return []
  return [
    {
      name: 'id',
      in: 'path',
      required: true,
      description: 'The ID of the token.',
      schema: { type: 'string', pattern: '^[0-9A-Za-z]{16}$' },
    },
  ]
}

function queryParameters(route: Route, examples: readonly Example[]): readonly object[] {
  if (route.query === undefined) return []
  const { properties = {}, required = [] } = z.toJSONSchema(route.query, { io: 'input' })
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...schema } = Object(property)
    const must = required.includes(name) ? { required: true } : {}
    return { name, in: 'query', description, ...must, schema, examples: parameterExamples(examples, (example) => example.query?.[name]) }
  })
}

function headerParameters(route: Route, examples: readonly Example[]): readonly object[] {
  return (route.headers ?? []).map((name) => {
    const { description, example } = HEADERS[name]
    const given = parameterExamples(examples, (each) => each.headers?.[name])
    return { name, in: 'header', description, schema: { type: 'string' }, ...(given === undefined ? { example } : { examples: given }) }
  })
}

function parameterExamples(examples: readonly Example[], valueIn: (example: Example) => unknown): object | undefined {
  const given = examples.filter((example) => valueIn(example) !== undefined)
  if (given.length === 0) return undefined
  return Object.fromEntries(given.map((example) => [example.name, { summary: example.summary, value: valueIn(example) }]))
}

function requestBody(route: Route, examples: readonly Example[]): object | undefined {
  if (route.body === undefined) return undefined
  const given = parameterExamples(examples, (example) => example.body)
  return {
    required: route.bodyRequired === true,
    content: { 'application/json': { schema: reference(route.body), ...(given && { examples: given }) } },
  }
}

function describeAnswer({ description, schema, headers = [] }: Answer): object {
  return {
    description,
    ...(headers.length > 0 && { headers: Object.fromEntries(headers.map((name) => [name, ANSWER_HEADERS[name]])) }),
    content: { 'application/json': { schema: reference(schema) } },
  }
}

function refusals(route: Route): object {
  const byStatus = new Map<number, string[]>()
  for (const code of [...usualCodes(route), ...route.refusals]) note(byStatus, CODES[code], code)
  if (route.headers?.includes('If-Match') === true) note(byStatus, 412, 'conflict')
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [
      status,
      {
        description: `${titleOf(status)}: ${codes.map((code) => `\`${code}\``).join(', ')}`,
        content: { 'application/problem+json': { schema: reference(problem) } },
      },
    ]),
  )
}

function note(byStatus: Map<number, string[]>, status: number, code: string): void {
  byStatus.set(status, [...new Set([...(byStatus.get(status) ?? []), code])])
}

function reference(schema: z.ZodType): object {
  return { $ref: `#/components/schemas/${z.globalRegistry.get(schema)?.id}` }
}

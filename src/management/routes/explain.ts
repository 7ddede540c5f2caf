import * as z from 'zod'
import { InvalidInputError } from '../../errors.js'
import { readShape } from '../../policy/shape.js'
import { explainFields } from '../../verbs/explain.js'
import { asInput, type Route } from '../route.js'
import { explanation } from '../schemas/explanation.js'

const MAX_RESOURCES = 1000

const { resources: _, ...fields } = explainFields
const queryShape = z.strictObject({
  ...fields,
  resource: z
    .array(z.string(), { error: 'must be a dimension and a value, such as warehouse=w1' })
    .max(MAX_RESOURCES, { error: `must have at most ${MAX_RESOURCES} values` })
    .meta({ description: 'A dimension and a value that the route names, such as `warehouse=w1`. Requires `scope`.' })
    .optional(),
})

/** `GET /:id/explain` */
export const explainToken: Route = {
  access: 'actor',
  method: 'GET',
  path: '/:id/explain',
  operationId: 'explainToken',
  tag: 'Activity',
  summary: 'Explain why a token is accepted or refused',
  description: 'Each step of the decision in order, with the facts behind it. Nothing is counted.',
  query: queryShape,
  answers: [{ status: 200, description: 'The steps.', schema: explanation }],
  refusals: ['not_found'],
  examples: ({ scope }) => [
    { name: 'now', summary: 'Whether it works now' },
    { name: 'request', summary: 'A request', query: { scope: [scope], resource: ['warehouse=w1'], ip: '203.0.113.7' } },
    { name: 'past', summary: 'As it was then', query: { at: '2026-01-31T12:00:00Z' } },
  ],
  async run({ id, query }, { handle }) {
    const { resource, ...asked } = readShape(queryShape, query, 'query')
    const resources = resource === undefined ? {} : { resources: readPairs(resource) }
    return { status: 200, body: await handle.explain(id, asInput({ ...asked, ...resources })) }
  },
}

// A dimension contains no "=", so the first one separates it from its value.
function readPairs(pairs: readonly string[]): { readonly [dimension: string]: readonly string[] } {
  const resources = new Map<string, string[]>()
  for (const [at, pair] of pairs.entries()) {
    const cut = pair.indexOf('=')
    if (cut === -1) throw new InvalidInputError(['resource', at], 'must be a dimension and a value, such as warehouse=w1')
    const dimension = pair.slice(0, cut)
    resources.set(dimension, [...(resources.get(dimension) ?? []), pair.slice(cut + 1)])
  }
  return Object.fromEntries(resources)
}

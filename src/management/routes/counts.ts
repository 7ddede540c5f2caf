import * as z from 'zod'
import type { TokenHandle } from '../../instance.js'
import type { ListInput } from '../../model/list-input.js'
import { readShape, text } from '../../policy/shape.js'
import type { Route } from '../route.js'
import { tokenCounts } from '../schemas/outputs.js'

/** Counting all tokens stops at the maximum page size of a list. */
const MOST = 1000
/** Tokens that need action are counted up to a lower limit, because each kind needs its own search, which reads whole records. */
const MOST_DUE = 100

const countsShape = z.strictObject({ tenantId: text(1, 200).meta({ description: 'Only tokens of this tenant.' }).optional() })

/** Statuses of tokens that need no action. */
const ALIVE = ['active', 'pending', 'inactive'] as const

type Count = { readonly count: number; readonly more?: true }

/** `GET /counts` */
export const countTokens: Route = {
  access: 'actor',
  method: 'GET',
  path: '/counts',
  operationId: 'countTokens',
  tag: 'Activity',
  summary: 'Count tokens that need attention',
  description: `Only tokens that you can see are counted. Counting stops at ${MOST} for all and for active tokens and at ${MOST_DUE} for the others, or earlier if tokens are very large or many have expired; then \`more\` is true.`,
  query: countsShape,
  answers: [{ status: 200, description: 'The number of tokens of each kind.', schema: tokenCounts }],
  refusals: [],
  examples: () => [{ name: 'tenant', summary: 'Of one tenant', query: { tenantId: 'acme' } }],
  async run({ query, inside }, { handle }) {
    const { tenantId } = readShape(countsShape, query, 'query')
    const count = (limit: number, filter: ListInput): Promise<Count> => countUpTo(handle, { ...filter, tenantId, limit })
    const [total, active, expiring, rotationDue, unused] = await Promise.all([
      count(MOST, {}),
      count(MOST, { status: 'active' }),
      count(MOST_DUE, { status: ALIVE, expiresWithin: '7d', notReplaced: true }),
      count(MOST_DUE, { rotationDue: true }),
      inside.settings.usage === undefined ? undefined : count(MOST_DUE, { status: ALIVE, unusedFor: '90d', notReplaced: true }),
    ])
    return { status: 200, body: { total, active, expiring, rotationDue, ...(unused !== undefined && { unused }) } }
  },
}

async function countUpTo(handle: TokenHandle, filter: ListInput): Promise<Count> {
  const { items, nextCursor } = await handle.list(filter)
  return { count: items.length, ...(nextCursor !== undefined && { more: true }) }
}

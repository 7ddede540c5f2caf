import { defineRoute, type Route } from '../route.js'
import { eventPage, me, scopeList, usageReport, usageSummaries } from '../schemas/outputs.js'
import { eventsQuery, tokenEventsQuery, usageOfQuery, usageQuery } from '../schemas/queries.js'
import { mustGet } from './token.js'

/** `GET /:id/usage` */
export const tokenUsage: Route = defineRoute({
  access: 'actor',
  method: 'GET',
  path: '/:id/usage',
  operationId: 'getTokenUsage',
  summary: 'What a token was used for',
  query: usageQuery,
  answers: [{ status: 200, description: 'Counts by hour and endpoint, by outcome and by address.', schema: usageReport }],
  refusals: ['not_found'],
  examples: () => [
    { name: 'all', summary: 'Since it was created' },
    { name: 'range', summary: 'In one month', query: { from: '2030-01-01T00:00:00Z', to: '2030-02-01T00:00:00Z' } },
  ],
  run: async ({ tokens, id, query }, actor) => ({ status: 200, body: await tokens.usage(id, defined(query), { actor }) }),
})

/** `GET /:id/events` */
export const tokenEvents: Route = defineRoute({
  access: 'actor',
  method: 'GET',
  path: '/:id/events',
  operationId: 'listTokenEvents',
  summary: 'What happened to a token',
  query: tokenEventsQuery,
  answers: [{ status: 200, description: 'Newest first.', schema: eventPage }],
  refusals: ['not_found'],
  examples: () => [{ name: 'all', summary: 'The newest', query: { limit: 20 } }],
  async run({ tokens, id, query }, actor) {
    await mustGet(tokens, id, actor)
    return { status: 200, body: await tokens.events({ ...query, tokenId: id }, { actor }) }
  },
})

/** `GET /events` */
export const listEvents: Route = defineRoute({
  access: 'actor',
  method: 'GET',
  path: '/events',
  operationId: 'listEvents',
  summary: 'What happened',
  description: 'The audit, newest first, only about tokens that you may see. The events of tokens that were pruned stay.',
  query: eventsQuery,
  answers: [{ status: 200, description: 'One page.', schema: eventPage }],
  refusals: [],
  examples: () => [
    { name: 'all', summary: 'The newest', query: { limit: 20 } },
    { name: 'revocations', summary: 'Revocations of one tenant', query: { tenantId: 'acme', action: ['token.revoked', 'tokens.revoked'] } },
  ],
  run: async ({ tokens, query }, actor) => ({ status: 200, body: await tokens.events(query, { actor }) }),
})

/** `GET /scopes` */
export const listScopes: Route = defineRoute({
  access: 'actor',
  method: 'GET',
  path: '/scopes',
  operationId: 'listScopes',
  summary: 'What can be granted',
  answers: [{ status: 200, description: 'The scopes, the groups, and what new tokens must fulfil.', schema: scopeList }],
  refusals: [],
  async run({ tokens }) {
    const items = Object.entries(tokens.catalogue).map(([name, description]) => ({ name, description }))
    const groups = Object.entries(tokens.groups).map(([name, scopes]) => ({ name: `@${name}`, scopes }))
    return { status: 200, body: { items, groups, limits: tokens.limits } }
  },
})

/** `GET /usage` */
export const usageOfTokens: Route = defineRoute({
  access: 'actor',
  method: 'GET',
  path: '/usage',
  operationId: 'getUsageOfTokens',
  summary: 'How much several tokens were used',
  description: 'In even steps of time, for a small picture beside each row of a list. Tokens that you may not see are left out.',
  query: usageOfQuery,
  answers: [{ status: 200, description: 'Counts by step, for each token.', schema: usageSummaries }],
  refusals: [],
  examples: () => [
    {
      name: 'days',
      summary: 'By day',
      query: { id: ['4kQ0tXb2LrVn8ZcD'], from: '2026-01-01T00:00:00Z', to: '2026-01-15T00:00:00Z', stepSeconds: 86_400 },
    },
  ],
  async run({ tokens, query }, actor) {
    const { id, from, to, stepSeconds } = query
    return { status: 200, body: await tokens.usageOf({ ids: id, from, to, stepSeconds }, { actor }) }
  },
})

/** `GET /me` */
export const getMe: Route = defineRoute({
  access: 'actor',
  method: 'GET',
  path: '/me',
  operationId: 'getMe',
  summary: 'Who is asking',
  description: 'Who you are to this API, where you act, and what you may grant: what a form has to offer.',
  answers: [{ status: 200, description: 'You.', schema: me }],
  refusals: [],
  async run({ tokens }, actor) {
    const { id, tenants, manages, resources, ip } = actor
    return { status: 200, body: { id, tenants, manages, resources, ip, prefix: tokens.prefix, grantable: tokens.grantable({ actor }) } }
  },
})

function defined(range: { readonly from?: string | undefined; readonly to?: string | undefined }): { from?: string; to?: string } {
  return { ...(range.from !== undefined && { from: range.from }), ...(range.to !== undefined && { to: range.to }) }
}

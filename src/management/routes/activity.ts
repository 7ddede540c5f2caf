import * as z from 'zod'
import type { CredentialSource } from '../../http/credential.js'
import { readShape } from '../../policy/shape.js'
import { eventsShape, tokenEventsShape } from '../../verbs/events.js'
import { usageShape } from '../../verbs/usage.js'
import { usageOfFields } from '../../verbs/usage-of.js'
import { mustGet } from '../must-get.js'
import { asInput, type Route } from '../route.js'
import { eventPage, me, scopeList, usageReport, usageSummaries } from '../schemas/outputs.js'

const { ids, ...range } = usageOfFields
const summariesShape = z.strictObject({ id: ids, ...range })

/** `GET /:id/usage` */
export const tokenUsage: Route = {
  access: 'actor',
  method: 'GET',
  path: '/:id/usage',
  operationId: 'getTokenUsage',
  tag: 'Activity',
  summary: 'Get the usage of a token',
  description: 'Counts for a period: the last 30 days unless `from` is given.',
  query: usageShape,
  answers: [{ status: 200, description: 'Counts by hour and endpoint, by outcome and by address.', schema: usageReport }],
  refusals: ['not_found'],
  examples: () => [
    { name: 'all', summary: 'In the last 30 days' },
    { name: 'range', summary: 'In one month', query: { from: '2030-01-01T00:00:00Z', to: '2030-02-01T00:00:00Z' } },
  ],
  run: async ({ id, query }, { handle }) => ({ status: 200, body: await handle.usage(id, asInput(query)) }),
}

/** `GET /:id/events` */
export const tokenEvents: Route = {
  access: 'actor',
  method: 'GET',
  path: '/:id/events',
  operationId: 'listTokenEvents',
  tag: 'Activity',
  summary: 'List the events of a token',
  description: 'The audit events about one token, newest first.',
  query: tokenEventsShape,
  answers: [{ status: 200, description: 'One page.', schema: eventPage }],
  refusals: ['not_found'],
  examples: () => [{ name: 'all', summary: 'The newest', query: { limit: 20 } }],
  async run({ id, query }, { handle }) {
    await mustGet(handle, id)
    return { status: 200, body: await handle.events({ ...readShape(tokenEventsShape, query, 'query'), tokenId: id }) }
  },
}

/** `GET /events` */
export const listEvents: Route = {
  access: 'actor',
  method: 'GET',
  path: '/events',
  operationId: 'listEvents',
  tag: 'Activity',
  summary: 'List events',
  description: 'Audit events of the tokens that you can see, newest first unless `order` says otherwise. Events of pruned tokens are kept.',
  query: eventsShape,
  answers: [{ status: 200, description: 'One page.', schema: eventPage }],
  refusals: [],
  examples: () => [
    { name: 'all', summary: 'The newest', query: { limit: 20 } },
    { name: 'revocations', summary: 'Revocations of one tenant', query: { tenantId: 'acme', action: ['token.revoked', 'tokens.revoked'] } },
    { name: 'follow', summary: 'From the beginning', query: { order: 'oldest', limit: 1000 } },
  ],
  run: async ({ query }, { handle }) => ({ status: 200, body: await handle.events(asInput(query)) }),
}

/** `GET /scopes` */
export const listScopes: Route = {
  access: 'actor',
  method: 'GET',
  path: '/scopes',
  operationId: 'listScopes',
  tag: 'Permissions',
  summary: 'List what can be granted',
  description: 'The scope catalogue with descriptions, the groups, and the host’s rules for new tokens.',
  answers: [{ status: 200, description: 'The scopes, the groups, and the rules for new tokens.', schema: scopeList }],
  refusals: [],
  async run({ tokens, inside }) {
    const { groups, expiry, allowWildcard, usage, owner, retention } = inside.settings
    const items = Object.entries(tokens.catalogue).map(([name, description]) => ({ name, description }))
    const named = Object.entries(groups).map(([name, scopes]) => ({ name: `@${name}`, scopes }))
    return {
      status: 200,
      body: {
        items,
        groups: named,
        expiry,
        allowWildcard,
        usage: usage !== undefined,
        ...(usage !== undefined && retention.usageMs !== undefined && { usageKeptSeconds: retention.usageMs / 1000 }),
        inherit: owner !== undefined,
      },
    }
  },
}

/** `GET /usage` */
export const usageOfTokens: Route = {
  access: 'actor',
  method: 'GET',
  path: '/usage',
  operationId: 'getUsageOfTokens',
  tag: 'Activity',
  summary: 'Get the usage of several tokens',
  description: 'Counts in equal time steps, for a sparkline beside each row of a list. Tokens that you cannot see are omitted.',
  query: summariesShape,
  answers: [{ status: 200, description: 'Counts by step, for each token.', schema: usageSummaries }],
  refusals: [],
  examples: () => [
    {
      name: 'days',
      summary: 'By day',
      query: { id: ['4kQ0tXb2LrVn8ZcD'], from: '2026-01-01T00:00:00Z', to: '2026-01-15T00:00:00Z', step: '1d' },
    },
  ],
  async run({ query }, { handle }) {
    const { id: ids, ...range } = readShape(summariesShape, query, 'query')
    return { status: 200, body: await handle.usageOf(asInput({ ids, ...range })) }
  },
}

/** Used for formats that cannot describe their tokens: text of this length with digits and letters is unlikely in a name. */
const ANY_SECRET = '(?=\\S*\\d)(?=\\S*[A-Za-z])[!#-+\\--~]{24,}'

function sentIn([source]: readonly CredentialSource[]): { readonly header: string; readonly scheme?: 'Bearer' | 'Basic' } {
  if (typeof source === 'object') return { header: source.header }
  return { header: 'Authorization', scheme: source === 'basic' ? 'Basic' : 'Bearer' }
}

/** `GET /me` */
export const getMe: Route = {
  access: 'actor',
  method: 'GET',
  path: '/me',
  operationId: 'getMe',
  tag: 'Permissions',
  summary: 'Describe the caller',
  description: 'Who you are to this API, which tenants you act in, and what you may grant: everything that a form needs.',
  answers: [{ status: 200, description: 'You.', schema: me }],
  refusals: [],
  async run({ tokens, inside, settings }, { actor, handle }) {
    const { id, tenants, manages, resources, ip } = actor
    const importedShapes = inside.settings.imports?.formats.map(({ shape }) => shape ?? ANY_SECRET)
    return {
      status: 200,
      body: {
        id,
        tenants,
        manages,
        resources,
        ip,
        prefix: tokens.prefix,
        grantable: handle.grantable(),
        sentIn: sentIn(settings.credential),
        ...(importedShapes !== undefined && { importedShapes }),
      },
    }
  },
}

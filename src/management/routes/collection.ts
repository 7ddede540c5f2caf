import type { CreateInput, Minted, Replayed } from '../../model/record.js'
import { createShape } from '../../verbs/lib/inputs.js'
import { listShape } from '../../verbs/list.js'
import { revokeAllShape } from '../../verbs/revoke-all.js'
import { refuseIfMatch, tagOf, withIdempotencyKey } from '../preconditions.js'
import { asInput, type Reply, type Route } from '../route.js'
import { minted, replayed, revokedCount, tokenPage } from '../schemas/outputs.js'

/** `POST /` */
export const createToken: Route = {
  access: 'actor',
  method: 'POST',
  path: '/',
  operationId: 'createToken',
  tag: 'Tokens',
  summary: 'Create a token',
  description:
    'The token appears only in this response. A retry with the same `Idempotency-Key` creates no second token: it returns 200 with the record but without the token. If the first response was lost, rotate that record to get a token.',
  body: createShape,
  bodyRequired: true,
  headers: ['Idempotency-Key'],
  answers: [
    { status: 201, description: 'The new token.', schema: minted, headers: ['Location', 'ETag'] },
    { status: 200, description: 'The key was already used for the same request.', schema: replayed, headers: ['Location', 'ETag'] },
  ],
  refusals: ['grant_denied', 'token_limit_reached', 'idempotency_key_reused'],
  examples: ({ scope, expiresIn }) => [
    {
      name: 'integration',
      summary: 'A token for an integration',
      body: {
        name: 'Warehouse sync',
        tenantId: 'acme',
        scopes: [scope],
        resources: { warehouse: ['w1'] },
        expiresIn,
        metadata: { contact: 'ops@example.com' },
      },
    },
    {
      name: 'retryable',
      summary: 'A creation that is safe to retry',
      headers: { 'Idempotency-Key': 'f2b7a1f0-warehouse' },
      body: {
        name: 'Warehouse sync',
        tenantId: 'acme',
        scopes: [scope],
        expiresIn,
        allowedIps: ['192.0.2.0/24'],
        rotateEvery: '1d',
      },
    },
  ],
  async run({ body, headers, mountPath }, { handle }) {
    return mintedReply(await handle.create(asInput<CreateInput>(withIdempotencyKey(body, headers))), mountPath)
  },
}

/** `GET /` */
export const listTokens: Route = {
  access: 'actor',
  method: 'GET',
  path: '/',
  operationId: 'listTokens',
  tag: 'Tokens',
  summary: 'List tokens',
  description: 'Newest first, limited to what you can see. All given filters must match.',
  query: listShape,
  answers: [{ status: 200, description: 'One page.', schema: tokenPage }],
  refusals: [],
  examples: () => [
    { name: 'all', summary: 'The newest', query: { limit: 20 } },
    {
      name: 'search',
      summary: 'By name, tenant and status',
      query: { name: 'warehouse', tenantId: 'acme', status: ['active', 'inactive'] },
    },
    { name: 'stale', summary: 'Not used for 30 days', query: { unusedFor: '30d', status: ['active'] } },
  ],
  run: async ({ query }, { handle }) => ({ status: 200, body: await handle.list(asInput(query)) }),
}

/** `POST /revoke-all` */
export const revokeAllTokens: Route = {
  access: 'actor',
  method: 'POST',
  path: '/revoke-all',
  operationId: 'revokeAllTokens',
  tag: 'Tokens',
  summary: 'Revoke many tokens',
  description: 'Revokes all tokens of a tenant, all tokens of an owner, or all tokens that you can see. This cannot be undone.',
  body: revokeAllShape,
  bodyRequired: true,
  answers: [{ status: 200, description: 'The number of tokens that this call revoked.', schema: revokedCount }],
  refusals: [],
  examples: () => [
    { name: 'tenant', summary: 'All of one tenant', body: { tenantId: 'acme', reason: 'contract ended' } },
    { name: 'owner', summary: 'All of one owner', body: { ownerId: 'user-17', reason: 'left the company' } },
  ],
  async run({ body, headers }, { handle }) {
    refuseIfMatch(headers)
    return { status: 200, body: await handle.revokeAll(asInput(body)) }
  },
}

/** Creates the response to a creation or rotation, whether new or repeated. */
export function mintedReply(result: Minted | Replayed, mountPath: string, location = `${mountPath}/${result.record.id}`): Reply {
  const headers = { location, etag: tagOf(result.record.version) }
  if (result.replayed === true) return { status: 200, body: { record: result.record, replayed: true }, headers }
  return { status: 201, body: { token: result.token, record: result.record }, headers }
}

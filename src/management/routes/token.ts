import { NotFoundError } from '../../errors.js'
import type { Latchkey } from '../../instance.js'
import type { Actor } from '../../model/actor.js'
import type { TokenRecord } from '../../model/record.js'
import { readIdempotencyKey, readIfMatch, refuseIfMatch, versionFor } from '../preconditions.js'
import { type Answer, defineRoute, type Route, recordReply } from '../route.js'
import { emptyBody, revokeBody, rotateBody, updateBody } from '../schemas/inputs.js'
import { minted, replayed, tokenRecord } from '../schemas/outputs.js'
import { mintedReply } from './collection.js'

const changed: Answer = { status: 200, description: 'The token as it is now.', schema: tokenRecord, headers: ['ETag'] }

/** `GET /:id` */
export const getToken: Route = defineRoute({
  access: 'actor',
  method: 'GET',
  path: '/:id',
  operationId: 'getToken',
  summary: 'Read a token',
  answers: [{ ...changed, description: 'The token, without its secret.' }],
  refusals: ['not_found'],
  run: async ({ tokens, id }, actor) => recordReply(await mustGet(tokens, id, actor)),
})

/** `PATCH /:id` */
export const updateToken: Route = defineRoute({
  access: 'actor',
  method: 'PATCH',
  path: '/:id',
  operationId: 'updateToken',
  summary: 'Edit a token',
  description: 'Left out: unchanged. `null`: removed. With `If-Match`, only if nobody else changed the token since it was read.',
  body: updateBody,
  bodyRequired: true,
  headers: ['If-Match'],
  answers: [changed],
  refusals: ['not_found', 'grant_denied', 'conflict'],
  examples: ({ scope }) => [
    { name: 'rename', summary: 'Another name', body: { name: 'Warehouse sync (Berlin)' } },
    { name: 'narrow', summary: 'Fewer rights', body: { scopes: [scope], resources: { warehouse: ['w1'] }, allowedIps: ['192.0.2.17'] } },
    { name: 'remove', summary: 'Take terms away', body: { description: null, metadata: null } },
  ],
  async run({ tokens, id, body, headers }, actor) {
    const version = await askedVersion(tokens, id, headers, actor)
    return recordReply(await tokens.update(id, body, { actor, version }))
  },
})

/** `POST /:id/activate` */
export const activateToken: Route = defineRoute({
  access: 'actor',
  method: 'POST',
  path: '/:id/activate',
  operationId: 'activateToken',
  summary: 'End a deactivation',
  body: emptyBody,
  headers: ['If-Match'],
  answers: [changed],
  refusals: ['not_found', 'grant_denied', 'conflict'],
  examples: () => [{ name: 'activate', summary: 'Activate', body: {} }],
  async run({ tokens, id, headers }, actor) {
    return recordReply(await tokens.activate(id, { actor, version: await askedVersion(tokens, id, headers, actor) }))
  },
})

/** `POST /:id/deactivate` */
export const deactivateToken: Route = defineRoute({
  access: 'actor',
  method: 'POST',
  path: '/:id/deactivate',
  operationId: 'deactivateToken',
  summary: 'Stop a token until it is activated again',
  body: emptyBody,
  headers: ['If-Match'],
  answers: [changed],
  refusals: ['not_found', 'conflict'],
  examples: () => [{ name: 'deactivate', summary: 'Deactivate', body: {} }],
  async run({ tokens, id, headers }, actor) {
    return recordReply(await tokens.deactivate(id, { actor, version: await askedVersion(tokens, id, headers, actor) }))
  },
})

/** `POST /:id/rotate` */
export const rotateToken: Route = defineRoute({
  access: 'actor',
  method: 'POST',
  path: '/:id/rotate',
  operationId: 'rotateToken',
  summary: 'Replace a token by a successor',
  description:
    "The successor has the same terms. The old token ends at once, or goes on for `overlapSeconds`. A retry under the same `Idempotency-Key` answers 200 with the successor's record and without its token; whoever lost the first answer rotates the successor.",
  body: rotateBody,
  headers: ['Idempotency-Key'],
  answers: [
    { status: 201, description: 'The successor.', schema: minted, headers: ['Location', 'ETag'] },
    { status: 200, description: 'The key was used before for the same request.', schema: replayed, headers: ['Location', 'ETag'] },
  ],
  refusals: ['not_found', 'grant_denied', 'conflict', 'idempotency_key_reused'],
  examples: () => [
    { name: 'overlap', summary: 'Both work for an hour', body: { overlapSeconds: 3600 } },
    { name: 'roll', summary: 'The old one ends now', body: {} },
  ],
  async run({ tokens, id, body, headers, mountPath }, actor) {
    refuseIfMatch(headers)
    return mintedReply(await tokens.rotate(id, { ...body, idempotencyKey: readIdempotencyKey(headers) }, { actor }), mountPath)
  },
})

/** `POST /:id/revoke` */
export const revokeToken: Route = defineRoute({
  access: 'actor',
  method: 'POST',
  path: '/:id/revoke',
  operationId: 'revokeToken',
  summary: 'End a token for good',
  description: 'It cannot be undone. A second time changes nothing and answers the same.',
  body: revokeBody,
  answers: [changed],
  refusals: ['not_found'],
  examples: () => [{ name: 'leak', summary: 'It was leaked', body: { reason: 'found in a public repository' } }],
  async run({ tokens, id, body, headers }, actor) {
    refuseIfMatch(headers)
    return recordReply(await tokens.revoke(id, body, { actor }))
  },
})

/**
 * The record of a token that the actor may see.
 *
 * @throws NotFoundError `not_found`
 */
export async function mustGet(tokens: Latchkey, id: string, actor: Actor): Promise<TokenRecord> {
  const record = await tokens.get(id, { actor })
  if (record === undefined) throw new NotFoundError(id)
  return record
}

// `If-Match: *` asks only that there is such a token, which the verb finds out itself.
async function askedVersion(tokens: Latchkey, id: string, headers: Headers, actor: Actor): Promise<number | undefined> {
  return versionFor(readIfMatch(headers), async () => (await mustGet(tokens, id, actor)).version)
}

import * as z from 'zod'
import type { TokenHandle } from '../../instance.js'
import type { RotateInput } from '../../model/record.js'
import { readShape } from '../../policy/shape.js'
import { updateShape } from '../../verbs/lib/inputs.js'
import { revokeShape } from '../../verbs/revoke.js'
import { rotateShape } from '../../verbs/rotate.js'
import { mustGet } from '../must-get.js'
import { readIfMatch, refuseIfMatch, versionFor, withIdempotencyKey } from '../preconditions.js'
import { type Answer, asInput, type Route, recordReply } from '../route.js'
import { minted, replayed, tokenRecord } from '../schemas/outputs.js'
import { mintedReply } from './collection.js'

/** The body of lifecycle routes without input. */
const emptyShape: z.ZodType = z.strictObject({}).meta({ id: 'Nothing' })

const changed: Answer = { status: 200, description: 'The token as it is now.', schema: tokenRecord, headers: ['ETag'] }

/** `GET /:id` */
export const getToken: Route = {
  access: 'actor',
  method: 'GET',
  path: '/:id',
  operationId: 'getToken',
  tag: 'Tokens',
  summary: 'Read a token',
  description: 'A token that you cannot see is reported as not found.',
  answers: [{ ...changed, description: 'The token, without its secret.' }],
  refusals: ['not_found'],
  run: async ({ id }, { handle }) => recordReply(await mustGet(handle, id)),
}

/** `PATCH /:id` */
export const updateToken: Route = {
  access: 'actor',
  method: 'PATCH',
  path: '/:id',
  operationId: 'updateToken',
  tag: 'Tokens',
  summary: 'Edit a token',
  description:
    'Omitted fields are unchanged; `null` removes a field. With `If-Match`, the change is made only if nobody else has changed the token since you read it.',
  body: updateShape,
  bodyRequired: true,
  headers: ['If-Match'],
  answers: [changed],
  refusals: ['not_found', 'grant_denied', 'conflict', 'token_limit_reached'],
  examples: ({ scope }) => [
    { name: 'rename', summary: 'Another name', body: { name: 'Warehouse sync (Berlin)' } },
    {
      name: 'narrow',
      summary: 'Fewer permissions',
      body: { scopes: [scope], resources: { warehouse: ['w1'] }, allowedIps: ['192.0.2.17'] },
    },
    { name: 'remove', summary: 'Remove fields', body: { description: null, metadata: null } },
  ],
  async run({ id, body, headers }, { handle }) {
    const version = await askedVersion(handle, id, headers)
    return recordReply(await handle.update(id, asInput(body), { version }))
  },
}

/** `POST /:id/activate` */
export const activateToken: Route = {
  access: 'actor',
  method: 'POST',
  path: '/:id/activate',
  operationId: 'activateToken',
  tag: 'Tokens',
  summary: 'End a deactivation',
  description: 'Calls with the token succeed again. Only actors with at least the reach of the actor who deactivated it may do this.',
  body: emptyShape,
  headers: ['If-Match'],
  answers: [changed],
  refusals: ['not_found', 'grant_denied', 'conflict'],
  examples: () => [{ name: 'activate', summary: 'Activate', body: {} }],
  async run({ id, body, headers }, { handle }) {
    readShape(emptyShape, body, 'the body')
    return recordReply(await handle.activate(id, { version: await askedVersion(handle, id, headers) }))
  },
}

/** `POST /:id/deactivate` */
export const deactivateToken: Route = {
  access: 'actor',
  method: 'POST',
  path: '/:id/deactivate',
  operationId: 'deactivateToken',
  tag: 'Tokens',
  summary: 'Stop a token until it is activated again',
  description: 'Calls with the token are refused from now on; nothing else about it changes.',
  body: emptyShape,
  headers: ['If-Match'],
  answers: [changed],
  refusals: ['not_found', 'conflict'],
  examples: () => [{ name: 'deactivate', summary: 'Deactivate', body: {} }],
  async run({ id, body, headers }, { handle }) {
    readShape(emptyShape, body, 'the body')
    return recordReply(await handle.deactivate(id, { version: await askedVersion(handle, id, headers) }))
  },
}

/** `POST /:id/rotate` */
export const rotateToken: Route = {
  access: 'actor',
  method: 'POST',
  path: '/:id/rotate',
  operationId: 'rotateToken',
  tag: 'Tokens',
  summary: 'Replace a token with a successor',
  description:
    "The successor has the same settings, except for its owner if `ownerId` names another one. The old token is revoked immediately, or keeps working for `overlap`. A retry with the same `Idempotency-Key` returns 200 with the successor's record but without its token; if the first response was lost, rotate the successor.",
  body: rotateShape,
  headers: ['Idempotency-Key'],
  answers: [
    { status: 201, description: 'The successor.', schema: minted, headers: ['Location', 'ETag'] },
    { status: 200, description: 'The key was already used for the same request.', schema: replayed, headers: ['Location', 'ETag'] },
  ],
  refusals: ['not_found', 'grant_denied', 'conflict', 'token_limit_reached', 'idempotency_key_reused'],
  examples: () => [
    { name: 'overlap', summary: 'Both work for an hour', body: { overlap: '1h' } },
    { name: 'roll', summary: 'The old one is revoked now', body: {} },
    { name: 'transfer', summary: 'The new one has another owner', body: { ownerId: 'erp-service', overlap: '7d' } },
  ],
  async run({ id, body, headers, mountPath }, { handle }) {
    refuseIfMatch(headers)
    return mintedReply(await handle.rotate(id, asInput<RotateInput>(withIdempotencyKey(body, headers))), mountPath)
  },
}

/** `POST /:id/revoke` */
export const revokeToken: Route = {
  access: 'actor',
  method: 'POST',
  path: '/:id/revoke',
  operationId: 'revokeToken',
  tag: 'Tokens',
  summary: 'Revoke a token permanently',
  description: 'This cannot be undone. Repeating it changes nothing and returns the same response.',
  body: revokeShape,
  answers: [changed],
  refusals: ['not_found'],
  examples: () => [{ name: 'leak', summary: 'It was leaked', body: { reason: 'found in a public repository' } }],
  async run({ id, body, headers }, { handle }) {
    refuseIfMatch(headers)
    return recordReply(await handle.revoke(id, asInput(body)))
  },
}

// `If-Match: *` only requires that the token exists, which the verb checks itself.
async function askedVersion(handle: TokenHandle, id: string, headers: Headers): Promise<number | undefined> {
  return versionFor(readIfMatch(headers), async () => (await mustGet(handle, id)).version)
}

import { NotFoundError } from '../../errors.js'
import { holderActor } from '../../model/own-actor.js'
import { ROTATE_SELF } from '../../policy/scope.js'
import { allowsScope } from '../../policy/scope-set.js'
import { Refusal } from '../fault.js'
import { refuseIfMatch } from '../preconditions.js'
import type { Route } from '../route.js'
import { minted, replayed, self } from '../schemas/outputs.js'
import { mintedReply } from './collection.js'
import { rotateOwn, rotateOwnShape } from './rotate-own.js'

/** `GET /self` */
export const getSelf: Route = {
  access: 'holder',
  method: 'GET',
  path: '/self',
  operationId: 'getSelf',
  tag: 'Self',
  summary: 'Read the calling token',
  description: 'Any valid token may read its own record, whatever its scopes.',
  answers: [{ status: 200, description: 'The token of this request.', schema: self }],
  refusals: ['credential_missing', 'credential_malformed', 'token_invalid', 'ip_denied', 'rate_limited'],
  async run({ inside, allowance, ip }, token) {
    const { handle } = inside.actAs(holderActor(token), ip, allowance)
    const record = await handle.get(token.tokenId)
    if (record === undefined) throw new NotFoundError(token.tokenId)
    return { status: 200, body: { record, effectiveScopes: token.granted.names } }
  },
}

/** `POST /self/rotate` */
export const rotateSelf: Route = {
  access: 'holder',
  method: 'POST',
  path: '/self/rotate',
  operationId: 'rotateSelf',
  tag: 'Self',
  summary: 'Replace the calling token with a successor',
  description:
    'Requires the scope `tokens:rotate-self`. Choose an overlap long enough to deploy the new token everywhere. Store the response before anything else: a retry with the same `Idempotency-Key`, while the old token still works, reports that the rotation happened but cannot show the new token again. In that case send the ID of the successor as `lostId`, and another successor replaces it.',
  body: rotateOwnShape,
  headers: ['Idempotency-Key'],
  answers: [
    { status: 201, description: 'The successor.', schema: minted, headers: ['Location', 'ETag'] },
    { status: 200, description: 'The key was already used for the same request.', schema: replayed, headers: ['Location', 'ETag'] },
  ],
  refusals: [
    'credential_missing',
    'credential_malformed',
    'token_invalid',
    'ip_denied',
    'rate_limited',
    'scope_insufficient',
    'conflict',
    'token_limit_reached',
    'idempotency_key_reused',
  ],
  examples: () => [{ name: 'overlap', summary: 'Both work for five minutes', body: { overlap: '5m' } }],
  async run({ inside, allowance, body, headers, mountPath, ip }, token) {
    if (!allowsScope(token.granted, ROTATE_SELF))
      throw new Refusal('scope_insufficient', 'the token cannot rotate itself, because it lacks the scope tokens:rotate-self', {
        field: ROTATE_SELF,
      })
    refuseIfMatch(headers)
    const { handle } = inside.actAs(holderActor(token), ip, allowance)
    const result = await rotateOwn(handle, token.tokenId, body, headers)
    return mintedReply(result, mountPath, `${mountPath}/self`)
  },
}

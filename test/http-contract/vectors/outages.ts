import { FAULTS } from '../faults.js'
import { get, request, type Vector } from '../vector.js'

/** Failures and malformed results of the decision. */
export const outageVectors: readonly Vector[] = Object.entries(FAULTS).flatMap(([word, { code, retryAfter = '1' }]) => {
  const expect = { refused: code ?? 'store_unavailable', retryAfter } as const
  return [
    { name: `${word} where any token is sufficient`, request: get('/api/whoami', `Authorization: Bearer ${word}`), expect },
    { name: `${word} by POST where a scope is required`, request: request('POST /api/stock', `Authorization: Bearer ${word}`), expect },
  ]
})

import type { Token } from '../lib/types.js'

/** Returns whether the token can still be changed. A revocation is final. */
export const isOver = (token: Token): boolean => token.status === 'revoked'

/** Returns whether the token can be rotated: it is valid and has no successor yet. */
export const isRotatable = (token: Token): boolean =>
  (token.status === 'active' || token.status === 'pending') && token.replacedById === undefined

export const isStopped = (token: Token): boolean => token.deactivatedAt !== undefined

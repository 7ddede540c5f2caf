import type { Token } from '../lib/types.js'

/** May it still be changed? A revocation is final. */
export const isOver = (token: Token): boolean => token.status === 'revoked'

/** Can it have a successor: is it good, and has it none yet? */
export const isRotatable = (token: Token): boolean =>
  (token.status === 'active' || token.status === 'pending') && token.replacedById === undefined

export const isStopped = (token: Token): boolean => token.deactivatedAt !== undefined

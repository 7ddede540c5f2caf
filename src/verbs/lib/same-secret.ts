import { ConflictError } from '../../errors.js'
import type { StoredToken } from '../../model/record.js'
import { type Lifecycle, refusalOf } from '../../policy/status.js'
import type { Context } from '../../verify/context.js'
import type { ReadActor } from './actor.js'

/** The secret of an imported token may also belong to other tokens. For their holder, it ends with the first of them. */
type Limited = Pick<StoredToken, 'expiresAt'>

/**
 * For the holder, returns this token with the expiry of the holder's credential, which may end before the token. For any other actor, returns it unchanged.
 *
 * @throws StoreUnavailableError `store_unavailable`
 */
export async function endingForHolder<T extends Limited>(context: Context, actor: ReadActor, token: T): Promise<T> {
  return limited(token, await othersOf(context, actor))
}

/**
 * Like `endingForHolder`, for a successor.
 *
 * @throws StoreUnavailableError `store_unavailable`
 * @throws ConflictError `conflict`, if the credential has ended although the token has not
 */
export async function endingForSuccessor<T extends Limited>(context: Context, actor: ReadActor, token: T, now: number): Promise<T> {
  const others = await othersOf(context, actor)
  if (others.some((other) => refusalOf(other, now) !== undefined))
    throw new ConflictError('conflict', 'another token with the same secret has ended, and rotation would revive it: create a new one')
  return limited(token, others)
}

// Tokens that are gone had already ended, so the credential was already refused because of them.
async function othersOf({ records, allowance }: Context, { endsWith = [] }: ReadActor): Promise<readonly Lifecycle[]> {
  const others: Lifecycle[] = []
  for (const id of endsWith) {
    const entry = await records.readAgain(id, allowance?.leftMs)
    if (entry !== undefined) others.push(entry.lifecycle)
  }
  return others
}

function limited<T extends Limited>(token: T, others: readonly Lifecycle[]): T {
  const ends = [token, ...others].flatMap(({ expiresAt }) => expiresAt ?? [])
  return others.length === 0 || ends.length === 0 ? token : { ...token, expiresAt: Math.min(...ends) }
}

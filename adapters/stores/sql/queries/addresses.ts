import type { UsageAddress } from '../../../../src/model/usage.js'
import type { Sql } from '../context.js'
import { ask, type Steps } from '../engine.js'

/** How many addresses of a token are kept and returned. The most recent ones are kept. */
export const MOST_ADDRESSES = 1_000
/** For a token with more addresses, only the most recent ones are kept. */
const TOO_MANY = 2 * MOST_ADDRESSES
/** A batch with this many addresses of one token may be part of a flood. */
const MANY_AT_ONCE = 32
/** Counting rows with every batch would cost more than storing them, so only one in this many of the other tokens, chosen at random, is counted. */
const ONE_IN = 8

/** Returns the tokens whose addresses are counted now. */
const suspects = (addresses: readonly UsageAddress[]): readonly string[] => {
  const found = new Map<string, number>()
  for (const { tokenId } of addresses) found.set(tokenId, (found.get(tokenId) ?? 0) + 1)
  return [...found].filter(([, count]) => count >= MANY_AT_ONCE || Math.random() * ONE_IN < 1).map(([tokenId]) => tokenId)
}

/** Limits the addresses of each token, in the transaction that adds some, because a token may be used from a large number of addresses. */
export function* trimAddresses({ builder }: Sql, added: readonly UsageAddress[]): Steps<void> {
  const tokenIds = suspects(added)
  if (tokenIds.length === 0) return
  const { rows: crowded } = yield* ask(
    builder
      .selectFrom('usage_addresses')
      .select('token_id')
      .where('token_id', 'in', tokenIds)
      .groupBy('token_id')
      .having((eb) => eb(eb.fn.countAll(), '>', TOO_MANY)),
  )
  for (const { token_id } of crowded) {
    const { rows } = yield* ask(
      builder
        .selectFrom('usage_addresses')
        .select(['last_at', 'ip'])
        .where('token_id', '=', token_id)
        .orderBy('last_at', 'desc')
        .orderBy('ip')
        .limit(1)
        .offset(MOST_ADDRESSES - 1),
    )
    const [last] = rows
    if (last === undefined) continue
    yield* ask(
      builder
        .deleteFrom('usage_addresses')
        .where('token_id', '=', token_id)
        .where((eb) => eb.or([eb('last_at', '<', last.last_at), eb.and([eb('last_at', '=', last.last_at), eb('ip', '>', last.ip)])])),
    )
  }
}

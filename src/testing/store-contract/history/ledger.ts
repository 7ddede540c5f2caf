import { type Code, isLatchkeyError } from '../../../errors.js'
import type { Latchkey } from '../../../instance.js'
import { chunksOf } from '../../../model/chunks.js'
import type { AuditEvent } from '../../../model/event.js'
import type { Minted, Page } from '../../../model/record.js'
import { ensure, ensureEqual } from '../../assert.js'
import type { Dice } from '../../random.js'

/** An owner of tokens. After a bulk revocation of its tokens has begun, new tokens get another owner. */
export type Owner = { readonly id: string; revoking: boolean }

/** The clients' knowledge of one token: facts that were acknowledged, and attempts that may still succeed. */
export type Known = {
  readonly id: string
  readonly token: string
  readonly owner: Owner
  /** A revocation or rotation of it has begun: it may be refused from then on. */
  ending: boolean
  /** A revocation or rotation of it was acknowledged: it must be refused from then on. */
  dead: boolean
  /** Acknowledged updates, each of which added one to `count` in the metadata. */
  updates: number
  successors: number
}

/** State that 64 clients share while they work. */
export type Ledger = {
  readonly instances: readonly [Latchkey, Latchkey]
  readonly dice: Dice
  readonly tokens: Known[]
  owner: Owner
  owners: number
  /** Acknowledged operations, each of which writes one event. */
  readonly told: { 'token.created': number; 'token.updated': number; 'token.rotated': number; 'tokens.revoked': number }
}

const REASON = 'history'

/** The number of tokens that the final check reads at once. */
const LOOKED_AT_ONCE = 32

const ANSWERS: readonly Code[] = ['conflict', 'token_limit_reached', 'not_found']

/** Returns whether the work was refused: a conflict or a missing token is a valid answer. Anything else is a fault of the store. */
async function refused(work: Promise<unknown>): Promise<boolean> {
  try {
    await work
    return false
  } catch (error) {
    if (isLatchkeyError(error) && ANSWERS.includes(error.code)) return true
    throw error
  }
}

/** Verifies a token, and checks the result against the changes that were acknowledged before the call began and those that had begun before it ended. */
export async function verify(tokens: Latchkey, known: Known): Promise<void> {
  const wasDead = known.dead
  const { ok } = await tokens.verify(known.token)
  ensure(!(ok && wasDead), `token ${known.id} was accepted by a verification that began after its revocation or rotation was acknowledged`)
  ensure(ok || known.ending || known.owner.revoking, `token ${known.id} was refused, but no revocation or rotation of it had begun`)
}

export async function create(ledger: Ledger, tokens: Latchkey): Promise<void> {
  const { owner } = ledger
  const input = { name: 'History', scopes: ['stock:read'], ownerId: owner.id, metadata: { count: 0 } }
  const { token, record } = await tokens.system.create(input)
  ledger.told['token.created'] += 1
  ledger.tokens.push({ id: record.id, token, owner, ending: false, dead: false, updates: 0, successors: 0 })
}

/** Reads, adds one, and writes only if the version is still the one that was read. */
export async function update(ledger: Ledger, tokens: Latchkey, known: Known): Promise<void> {
  const wasDead = known.dead
  const record = await tokens.system.get(known.id)
  ensure(record !== undefined, `token ${known.id} was created but cannot be found`)
  const count = record.metadata?.count
  ensure(typeof count === 'number', `token ${known.id} has lost its metadata`)
  if (await refused(tokens.system.update(known.id, { metadata: { count: count + 1 } }, { version: record.version }))) return
  ensure(!wasDead, `token ${known.id} was updated after its revocation or rotation was acknowledged`)
  known.updates += 1
  ledger.told['token.updated'] += 1
}

export async function rotate(ledger: Ledger, tokens: Latchkey, known: Known): Promise<void> {
  known.ending = true
  let successor: Minted | undefined
  const work = tokens.system.rotate(known.id).then((minted) => {
    successor = minted
  })
  if ((await refused(work)) || successor?.token === undefined) return
  known.dead = true
  known.successors += 1
  ledger.told['token.rotated'] += 1
  ledger.told['token.created'] += 1
  const { record, token } = successor
  const count = record.metadata?.count
  ensure(typeof count === 'number', `token ${record.id} must have the metadata of the token that it replaces`)
  ledger.tokens.push({ id: record.id, token, owner: known.owner, ending: false, dead: false, updates: count, successors: 0 })
}

export async function revoke(tokens: Latchkey, known: Known): Promise<void> {
  known.ending = true
  await tokens.system.revoke(known.id, { reason: REASON })
  known.dead = true
}

/** Revokes all tokens of the current owner. Tokens created from now on get a new owner. */
export async function revokeAll(ledger: Ledger, tokens: Latchkey): Promise<void> {
  const { owner } = ledger
  ledger.owners += 1
  ledger.owner = { id: `owner-${ledger.owners}`, revoking: false }
  owner.revoking = true
  const acknowledged = ledger.tokens.filter((known) => known.owner === owner)
  const { count } = await tokens.system.revokeAll({ ownerId: owner.id })
  for (const known of acknowledged) known.dead = true
  if (count > 0) ledger.told['tokens.revoked'] += 1
}

/** Checks the final state once all clients are done. */
export async function settle(ledger: Ledger): Promise<void> {
  const [tokens, other] = ledger.instances
  let revoked = 0
  const look = async (known: Known): Promise<void> => {
    await verify(tokens, known)
    await verify(other, known)
    const record = await other.system.get(known.id)
    ensureEqual(record?.metadata, { count: known.updates }, `token ${known.id} must contain every acknowledged update, and no others`)
    ensure(known.successors <= 1, `token ${known.id} was rotated twice`)
    if (record?.revokedReason === REASON) revoked += 1
    if (known.dead)
      ensureEqual(record?.status, 'revoked', `token ${known.id} must be revoked after its revocation or rotation was acknowledged`)
  }
  for (const some of chunksOf(ledger.tokens, LOOKED_AT_ONCE)) await Promise.all(some.map(look))
  const found = { 'token.created': 0, 'token.updated': 0, 'token.rotated': 0, 'token.revoked': 0, 'tokens.revoked': 0 }
  let cursor: string | undefined
  do {
    const page: Page<AuditEvent> = await tokens.system.events({ limit: 1000, cursor })
    for (const { action } of page.items) if (action in found) found[action as keyof typeof found] += 1
    cursor = page.nextCursor
  } while (cursor !== undefined)
  ensureEqual(found, { ...ledger.told, 'token.revoked': revoked }, 'every acknowledged change must have written exactly one event')
}

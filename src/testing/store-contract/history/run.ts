import { latchkey } from '../../../latchkey.js'
import { ContractError } from '../../assert.js'
import { createDice } from '../../random.js'
import type { Stage } from '../types.js'
import { create, type Known, type Ledger, revoke, revokeAll, rotate, settle, update, verify } from './ledger.js'

const CLIENTS = 64
const FIRST_TOKENS = 24

/** Picks from few tokens, so that concurrent clients compete for them. */
function pick(ledger: Ledger): Known {
  const recent = ledger.tokens.slice(-FIRST_TOKENS)
  const known =
    ledger.dice.below(3) === 0 ? ledger.tokens[ledger.dice.below(ledger.tokens.length)] : recent[ledger.dice.below(recent.length)]
  if (known === undefined) throw new Error('there are no tokens')
  return known
}

async function step(ledger: Ledger, client: number): Promise<void> {
  const tokens = ledger.instances[client % 2 === 0 ? 0 : 1]
  const roll = ledger.dice.below(200)
  if (roll < 90) await verify(tokens, pick(ledger))
  else if (roll < 115) await create(ledger, tokens)
  else if (roll < 160) await update(ledger, tokens, pick(ledger))
  else if (roll < 180) await rotate(ledger, tokens, pick(ledger))
  else if (roll < 199) await revoke(tokens, pick(ledger))
  else await revokeAll(ledger, tokens)
}

/**
 * 64 clients of two instances create, verify, update, rotate and revoke at random, and check every answer against the acknowledged changes.
 *
 * The instances cache nothing, so that the store itself is tested.
 */
export async function runHistory(stage: Stage): Promise<void> {
  const instance = (store: Stage['store']): Ledger['instances'][0] =>
    latchkey({
      prefix: stage.prefix,
      store,
      scopes: { 'stock:read': 'See stock' },
      cache: false,
      usage: false,
      deadline: 60,
    })
  const ledger: Ledger = {
    instances: [instance(stage.store), instance(stage.second)],
    dice: createDice(Math.floor(Math.random() * 2 ** 32)),
    tokens: [],
    owner: { id: 'owner-0', revoking: false },
    owners: 0,
    told: { 'token.created': 0, 'token.updated': 0, 'token.rotated': 0, 'tokens.revoked': 0 },
  }
  try {
    for (let made = 0; made < FIRST_TOKENS; made += 1) await create(ledger, ledger.instances[0])
    let left = stage.operations
    await Promise.all(
      Array.from({ length: CLIENTS }, async (_, client) => {
        while (left > 0) {
          left -= 1
          await step(ledger, client)
        }
      }),
    )
    await settle(ledger)
  } catch (error) {
    if (error instanceof ContractError) throw new ContractError(`${error.message} (random history with seed ${ledger.dice.seed})`)
    throw error
  } finally {
    for (const each of ledger.instances) await each.close()
  }
}

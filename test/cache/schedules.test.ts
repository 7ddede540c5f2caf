import { describe, expect, it } from 'vitest'
import { fc } from '../support/property.js'
import { type Act, createWorld, type Done, VERBS } from './world.js'

const SCHEDULES = Number(process.env.LATCHKEY_SCHEDULES ?? 10_000)

const act: fc.Arbitrary<Act> = fc.record({
  verb: fc.oneof({ weight: 8, arbitrary: fc.constant('verify' as const) }, { weight: 10, arbitrary: fc.constantFrom(...VERBS) }),
  node: fc.constantFrom(0 as const, 1 as const),
})

const FINAL: ReadonlySet<string> = new Set(['revoke', 'revokeAll', 'revokeOwner', 'rotate'])

/** Why this verification contradicts what was acknowledged before it began, or `undefined`. */
function contradiction(verification: Done, log: readonly Done[]): string | undefined {
  if (!verification.ok) return undefined
  const known = log.filter(({ ok, ended, node }) => ok && ended < verification.began && node === verification.node)
  for (const change of known) {
    if (FINAL.has(change.verb)) return `accepted after ${change.verb}`
    if (change.verb === 'deactivate' && !undone(change, 'activate')) return 'accepted after deactivate'
    if (verification.writes && change.verb === 'narrow' && !undone(change, 'widen')) return 'wider than the update left it'
    if (verification.writes && change.verb === 'ownerLoses' && !undone(change, 'ownerGains')) return 'wider than its owner'
  }
  return undefined

  // Whether the opposite change may have taken effect after this change and before the response.
  function undone(change: Done, by: string): boolean {
    return log.some(({ verb, began, ended }) => verb === by && ended > change.began && began < verification.ended)
  }
}

/** Why a node that has received every report contradicts what was done on any node. */
function stale(verification: Done, log: readonly Done[]): string | undefined {
  const over = log.filter(({ ok, ended }) => ok && ended < verification.began)
  if (verification.ok && over.some(({ verb }) => FINAL.has(verb))) return 'accepted although it was ended elsewhere'
  if (!verification.ok && over.every(({ verb }) => verb !== 'deactivate' && !FINAL.has(verb))) return 'refused although nothing ended it'
  const lost = over.some(({ verb }) => verb === 'narrow' || verb === 'ownerLoses')
  if (verification.ok && !lost && !verification.writes) return 'narrower although nothing narrowed it'
  return undefined
}

describe('any order of reads, answers, wake-ups and changes on two nodes', () => {
  it(`no node accepts a token after a change that ends it is acknowledged, and all nodes eventually agree with the store (${SCHEDULES} schedules)`, {
    timeout: 600_000,
  }, async () => {
    const world = createWorld()
    let accepted = 0
    let refused = 0
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.array(act, { minLength: 3, maxLength: 7 }), async (scheduler, acts) => {
        const log = await world.run(scheduler, acts)
        const verifications = log.filter(({ verb }) => verb === 'verify')
        for (const verification of verifications) expect(contradiction(verification, log)).toBeUndefined()
        for (const last of verifications.slice(-2)) expect(stale(last, log)).toBeUndefined()
        accepted += verifications.filter(({ ok }) => ok).length
        refused += verifications.filter(({ ok }) => !ok).length
      }),
      { numRuns: SCHEDULES, endOnFailure: false },
    )
    // The exploration reached both outcomes.
    expect(accepted).toBeGreaterThan(SCHEDULES / 10)
    expect(refused).toBeGreaterThan(SCHEDULES / 10)
  })
})

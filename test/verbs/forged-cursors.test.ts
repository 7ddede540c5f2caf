import type { Latchkey } from 'latchkey'
import { describe, expect, it } from 'vitest'
import { fingerprint } from '../../src/token/derive-id.js'
import { codeOf, instance, mint, type Scope } from '../latchkey/harness.js'
import { everyStore } from '../support/every-store.js'

const stores = await everyStore()

/** A cursor with the right checksum, which anyone can compute. */
function forged(text: string, ...bound: readonly unknown[]): string {
  return `${text}-${fingerprint(['cursor', text, bound]).slice(0, 16)}`
}

function callsOf({ prefix, system, as }: Latchkey<Scope>): readonly [string, () => Promise<unknown>][] {
  const [some, own] = [as({ id: 'ann', tenants: ['t1', 't2'], manages: 'all' }), as({ id: 'ann', tenants: ['t1'], manages: 'own' })]
  return ['%zz', '%00', 'a%00b', '%ED%A0%80'].flatMap((part) => {
    const all = [prefix, {}, undefined, null] as const
    return [
      ['list', () => system.list({ cursor: forged(`9000000000000-${part}`, 'list', ...all) })],
      ['tenants', () => system.tenants({ cursor: forged(part, 'tenants', ...all) })],
      ['owners', () => system.owners({ cursor: forged(part, 'owners', ...all) })],
      ['owners of some tenants', () => some.owners({ cursor: forged(`0-${part}`, 'owners', prefix, {}, ['t1', 't2'], null) })],
      ['own owners', () => own.owners({ cursor: forged(`9000000000000-${part}`, 'owners', prefix, {}, ['t1'], 'ann') })],
      ['events', () => system.events({ cursor: forged(part, 'events', ...all) })],
    ] as const
  })
}

describe.each(stores)('a forged cursor on $kind', ({ place, skip }) => {
  it.skipIf(skip)('a forged cursor is refused as invalid input and causes no fault in the store', async () => {
    const faults: string[] = []
    const open = await place()
    const tokens = instance({ store: open(), onError: ({ where }) => void faults.push(where) })
    await mint(tokens, { tenantId: 't1', ownerId: 'ann' })
    for (const [call, page] of callsOf(tokens)) expect([call, await page().then(() => 'answered', codeOf)]).toEqual([call, 'invalid_input'])
    expect(faults).toEqual([])
  })
})

import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { nextSeal, SEALED_AT_ONCE, storeSeal } from '../../src/audit/seal.js'

const page = readFileSync(new URL('../../docs/retention.md', import.meta.url), 'utf8')

/** The size in bytes of a seal over this many events, late in the life of an audit log. */
function sizeOf(count: number): number {
  const leaves = Array.from({ length: count }, (_, at) => [10_000_000 + at, 'a'.repeat(64)] as const)
  const before = nextSeal(undefined, { prefix: 'acme_live', at: 1_800_000_000_000, leaves: [] })
  return storeSeal(nextSeal(before, { prefix: 'acme_live', at: 1_800_000_000_000, leaves })).body.length
}

it('the size of the seals table matches docs/retention.md', () => {
  const [, most, row, event] = /at most (\d+) events,.* A row takes about (\d+) bytes, plus (\d+) for each event/.exec(page) ?? []
  const each = (sizeOf(SEALED_AT_ONCE) - sizeOf(0)) / SEALED_AT_ONCE
  expect([Number(most), Number(row), Number(event)]).toEqual([SEALED_AT_ONCE, Math.round(sizeOf(0) / 10) * 10, Math.round(each)])
})

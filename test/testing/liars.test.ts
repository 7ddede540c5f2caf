import { memoryStore } from 'latchkey/stores/memory'
import { type StoreContractOptions, type StoreSubject, storeContract } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import { LIARS } from './liars/all.js'
import { single } from './liars/liar.js'

type Case = { readonly title: string; readonly run: () => Promise<void> }

/** The contract works with any runner. This runner only collects the cases. */
function casesOf(create: () => StoreSubject): readonly Case[] {
  const cases: Case[] = []
  const options: StoreContractOptions = { name: 'a store', create, operations: 300 }
  storeContract({ describe: (_, body) => body(), it: (title, run) => cases.push({ title, run }) }, options)
  return cases
}

/** The errors by case. */
async function failures(create: () => StoreSubject): Promise<Map<string, unknown>> {
  const found = new Map<string, unknown>()
  for (const { title, run } of casesOf(create)) await run().catch((error: unknown) => found.set(title, error))
  return found
}

describe('the store contract', () => {
  it('the store contract accepts a correct store', async () => {
    expect(await failures(() => single(memoryStore()))).toEqual(new Map())
  })

  it('the cases of the store contract have distinct titles', () => {
    const titles = casesOf(() => single(memoryStore())).map(({ title }) => title)
    expect(new Set(titles).size).toBe(titles.length)
  })

  it.concurrent.each(LIARS)(
    'the store contract rejects a store that $name: $caughtBy',
    async ({ caughtBy, create }) => {
      const named = casesOf(create).filter(({ title }) => title === caughtBy)
      expect(named).toHaveLength(1)
      for (const { run } of named) await expect(run()).rejects.toMatchObject({ name: 'ContractError' })
    },
    60_000,
  )
})

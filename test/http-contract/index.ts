import { ContractError } from '../../src/testing/assert.js'
import type { ContractRunner } from '../../src/testing/store-contract/types.js'
import { connectionCases } from './connections.js'
import { vectorGroups } from './groups.js'
import { judge } from './judge.js'
import type { HttpHarness } from './types.js'
import type { VectorGroup } from './vector.js'
import { createWorld } from './world.js'

/** The number of requests in the suite. */
export const httpVectorCount: number = vectorGroups.reduce((sum, { vectors }) => sum + vectors.length, 0)

const known = new Set(vectorGroups.flatMap(({ vectors }) => vectors.map(({ name }) => name)))

/**
 * Declares the tests that an adapter must pass: the same request bytes give the same response bytes on every framework.
 *
 * Pass your test runner: the suite works with any of them. It talks over raw sockets to servers that the harness starts.
 *
 * @example
 * ```ts
 * import { httpContract } from 'latchkey/testing'
 * import { describe, it } from 'vitest'
 *
 * httpContract({ describe, it }, { name: 'my adapter', store: () => memoryStore(), start: (site) => startMyServer(site) })
 * ```
 */
export function httpContract({ describe, it }: ContractRunner, harness: HttpHarness): void {
  const timeout = (harness.timeoutSeconds ?? 60) * 1000
  const strangers = (harness.except ?? []).filter((name) => !known.has(name))
  if (strangers.length > 0) throw new ContractError(`no such vectors: ${strangers.join(', ')}`)
  describe(`${harness.name} fulfills the HTTP contract`, () => {
    for (const group of vectorGroups) {
      it(`${group.title} (${group.vectors.length} vectors)`, () => runGroup(harness, group), timeout)
    }
    for (const { title, site, run } of connectionCases) {
      it(
        title,
        async () => {
          const world = await createWorld(harness, site ?? 'default')
          try {
            await run(world)
          } finally {
            await world.close()
          }
        },
        timeout,
      )
    }
  })
}

async function runGroup(harness: HttpHarness, group: VectorGroup): Promise<void> {
  const world = await createWorld(harness, group.site)
  const failures: string[] = []
  try {
    for (const vector of group.vectors) {
      if (harness.except?.includes(vector.name) === true) continue
      const faults = await judge(world, group.site, vector)
      if (faults.length > 0) failures.push(`${vector.name}\n    ${faults.join('\n    ')}`)
    }
  } finally {
    await world.close()
  }
  if (failures.length > 0) {
    throw new ContractError(`${failures.length} of ${group.vectors.length} vectors failed:\n  ${failures.slice(0, 20).join('\n  ')}`)
  }
}

import { getHeapSnapshot, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it } from 'vitest'
import { checksum } from '../../src/token/checksum.js'
import { generateId, generateSecret } from '../../src/token/generate.js'
import { defaultEngine } from '../../src/token/hash.js'
import { platformRandom } from '../../src/token/random.js'
import { instance, mint, pause } from './harness.js'

/** A token with a valid checksum that was never issued. */
function stranger(): string {
  const body = `acme_test_${generateId(platformRandom)}_${generateSecret(platformRandom)}`
  return body + checksum(defaultEngine.sha256(body))
}

/** Reverses a string, so this test itself does not hold the text that it looks for. */
function backwards(text: string): string[] {
  return [...text].reverse()
}

async function heap(): Promise<string> {
  setFlagsFromString('--expose-gc')
  const gc: unknown = runInNewContext('gc')
  for (let round = 0; round < 4; round += 1) {
    if (typeof gc === 'function') gc()
    await pause(5)
  }
  const chunks: Buffer[] = []
  for await (const chunk of getHeapSnapshot()) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString('latin1')
}

describe('memory', () => {
  it('no token text remains in memory after verification', { timeout: 120_000 }, async () => {
    const tokens = instance({ store: memoryStore() })
    const secrets: string[][] = []
    await (async () => {
      for (let n = 0; n < 20; n += 1) {
        const { token, record } = await mint(tokens, { rotateEvery: '1h' })
        for (let use = 0; use < 5; use += 1) await tokens.verify(token, { ip: '10.0.0.1', endpoint: '/x' })
        if (n % 4 === 0) await tokens.system.revoke(record.id)
        await tokens.verify(token)
        const unknown = stranger()
        await tokens.verify(unknown)
        for (const text of [token, unknown]) secrets.push(backwards(text.slice(30, 60)))
      }
    })()
    const snapshot = await heap()
    expect(secrets).toHaveLength(40)
    for (const secret of secrets) expect(snapshot.includes(secret.toReversed().join(''))).toBe(false)
  })
})

import { createHash } from 'node:crypto'
import { latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { checksum } from '../../../src/token/checksum.js'
import { atMost, fixed, type Section } from '../result.js'

const WHY =
  'Each cached token keeps its own ID, digest and name as strings, 120 bytes in all; everything that tokens share is stored once. Packing records into shared arrays would take less, but code that still holds an evicted record would then read the data of the token that reused its slot.'

const SECRET = `${'S7rAnGe'.repeat(6)}x`

/** The body of the token with this number. */
const bodyOf = (n: number): string => `acme_live_${String(n).padStart(16, '0')}_${SECRET}`
const digestOf = (body: string): string => createHash('sha256').update(body).digest('hex')

/** The memory that a cached token takes. The store creates each row on request with its own strings, like a driver. */
export const memory: Section = async ({ quick }) => {
  const count = quick ? 10_000 : 100_000
  const rows: string[][] = []
  let lean = Number.NaN
  for (const kind of ['no expiry', 'a tenant, an owner, an expiry', 'the same, and metadata']) {
    const bytes = await weigh(count, kind)
    if (kind === 'a tenant, an owner, an expiry') lean = bytes
    rows.push([kind, fixed(bytes, 0)])
  }
  return {
    tables: [{ title: `Memory of ${count.toLocaleString('en')} cached tokens`, head: ['tokens with', 'bytes each'], rows }],
    verdicts: [atMost('memory per cached token (tenant, owner and expiry)', 260, lean, 'bytes', WHY)],
  }
}

async function weigh(count: number, kind: string): Promise<number> {
  const store = {
    ...memoryStore(),
    find: (ids: readonly string[]) =>
      ids.map((id) => {
        const n = Number(id)
        const full = kind !== 'no expiry'
        const row = {
          id,
          version: 1,
          prefix: 'acme_live',
          digest: digestOf(bodyOf(n)),
          name: `Integration ${n}`,
          scopes: ['inventory:read', 'billing:read'],
          createdAt: 1_700_000_000_000 + n,
          createdBy: `user-${n % 100}`,
          updatedAt: 1_700_000_000_000 + n,
          ...(full && { tenantId: `tenant-${n % 1000}`, ownerId: `user-${n % 5000}`, expiresAt: 4_000_000_000_000 + n }),
          ...(kind.includes('metadata') && { metadata: { integration: 'erp', shard: n % 10 } }),
        }
        return JSON.parse(JSON.stringify(row))
      }),
  }
  const scopes = { 'inventory:read': 'See stock', 'billing:read': 'See invoices' }
  const tokens = latchkey({ prefix: 'acme_live', store, scopes, usage: false, cache: { maxEntries: count, maxStaleness: 60 } })
  const verify = async (n: number): Promise<void> => {
    const body = bodyOf(n)
    const answer = await tokens.verify(body + checksum(digestOf(body)))
    if (!answer.ok) throw new Error(`refused: ${answer.code}`)
  }
  await verify(0)
  await new Promise((resolve) => setTimeout(resolve, 50))
  const before = heap()
  for (let n = 0; n < count; n += 1) await verify(n)
  const after = heap()
  await tokens.close()
  return (after - before) / count
}

function heap(): number {
  for (let round = 0; round < 3; round += 1) global.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

import { latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { deciderOf } from '../../src/instance.js'
import { type FloorRecord, floorVerify, pepperedDigest, textbookVerify } from './floor.js'
import { type Measured, measurePaired } from './paired.js'

const SCOPES = { 'inventory:read': 'See stock', 'inventory:write': 'Change stock' }

/** Warm verification in memory compared with the hand-written minimum, in CPU time. */
export async function benchVerify(options: { tokens: number; rounds: number; count: number; pepper?: string }): Promise<Measured[]> {
  const store = memoryStore()
  const common = { prefix: 'acme_live', store, scopes: SCOPES, ...(options.pepper !== undefined && { pepper: options.pepper }) }
  const tokens = latchkey(common)
  const uncounted = latchkey({ ...common, usage: false })
  const records = new Map<string, FloorRecord>()
  const texts: string[] = []
  for (let at = 0; at < options.tokens; at += 1) {
    const { token, record } = await tokens.system.create({ name: `token ${at}`, scopes: ['inventory:read'], expiresIn: 86_400 })
    const [stored] = await store.find([record.id])
    if (stored !== undefined)
      records.set(record.id, { digest: stored.digest, ...(stored.expiresAt !== undefined && { expiresAt: stored.expiresAt }) })
    texts.push(token)
    await tokens.verify(token)
  }
  // The first verification starts the follower; from the second on, verifications fill the cache.
  for (const token of texts) await tokens.verify(token)
  for (let round = 0; round < 2; round += 1) for (const token of texts) await uncounted.verify(token)

  let next = 0
  const pickAt = (): number => {
    next = next + 1 === texts.length ? 0 : next + 1
    return next
  }
  const pick = (): string => texts[pickAt()] ?? ''
  const junk = 'acme_live_not/a-token'
  const wrongSum = texts.map((token) => token.slice(0, -1) + (token.endsWith('0') ? '1' : '0'))
  const each = (work: () => unknown) => (count: number) => {
    for (let at = 0; at < count; at += 1) work()
  }
  const must = (ok: boolean): void => {
    if (!ok) throw new Error('the benchmark refused a valid token')
  }
  const request = { ip: '192.0.2.7', method: 'GET', endpoint: '/stock/:id' }
  const digestOf = options.pepper === undefined ? undefined : pepperedDigest(options.pepper)
  try {
    return await measurePaired(
      [
        { name: 'hand-written minimum', run: each(() => must(floorVerify(records, 'acme_live', pick(), digestOf))) },
        {
          name: 'latchkey, as adapters call it (decide and count)',
          run: each(() => {
            const verification = deciderOf(tokens).decide(pick(), request)
            if (!('ok' in verification) || !verification.ok) throw new Error('not answered from the cache')
            deciderOf(tokens).countUse(verification.principal, { endpoint: 'GET /stock/:id', ip: '192.0.2.7' })
          }),
        },
        {
          name: 'latchkey, the same with usage off',
          run: each(() => {
            const verification = deciderOf(uncounted).decide(pick(), request)
            if (!('ok' in verification) || !verification.ok) throw new Error('not answered from the cache')
            deciderOf(uncounted).countUse(verification.principal, { endpoint: 'GET /stock/:id', ip: '192.0.2.7' })
          }),
        },
        {
          name: 'latchkey, decide only',
          run: each(() => {
            const verification = deciderOf(tokens).decide(pick(), request)
            if (!('ok' in verification) || !verification.ok) throw new Error('not answered from the cache')
          }),
        },
        {
          name: 'latchkey, await verify()',
          run: async (count) => {
            for (let at = 0; at < count; at += 1) must((await tokens.verify(pick(), request)).ok)
          },
        },
        ...(digestOf === undefined
          ? [{ name: 'textbook: regular expression, createHash, timingSafeEqual', run: each(() => must(textbookVerify(records, pick()))) }]
          : []),
        { name: 'latchkey, malformed credential', run: each(() => deciderOf(tokens).decide(junk)) },
        { name: 'latchkey, wrong checksum', run: each(() => deciderOf(tokens).decide(wrongSum[pickAt()])) },
      ],
      options,
    )
  } finally {
    await Promise.all([tokens.close(), uncounted.close()])
  }
}

import type { UsageAddress, UsageBatch, UsageCount } from '../../../model/usage.js'
import { ensure, ensureEqual } from '../../assert.js'
import { batch, insert, inserted, list, START, sendOnceMore, token } from '../build.js'
import type { Stage, StoreCases } from '../types.js'
import { BUCKET, HOUR, usageBoundCases, use } from './usage-bounds.js'

async function counts(
  stage: Stage,
  tokenId: string,
  range: { readonly from?: number; readonly to?: number } = {},
): Promise<readonly UsageCount[]> {
  return (await stage.store.usage({ tokenIds: [tokenId], ...range })).counts
}

async function lastUse(stage: Stage, id: string): Promise<readonly unknown[]> {
  const [row] = await list(stage, { ids: [id] })
  return [row?.lastUsedAt, row?.lastUsedIp]
}

export const usageCases: StoreCases = {
  title: 'usage',
  cases: [
    {
      title: 'counts are summed by token, hour, endpoint, outcome and scope, and sorted in that order',
      async run(stage) {
        const { id } = await inserted(stage)
        const keys: readonly Partial<UsageCount>[] = [
          { bucketAt: BUCKET, endpoint: '' },
          { bucketAt: BUCKET, endpoint: 'GET /stock' },
          { bucketAt: BUCKET, endpoint: 'GET /stock ' },
          { bucketAt: BUCKET, endpoint: 'GET /stock', outcome: 'token_expired' },
          { bucketAt: BUCKET, endpoint: 'GET /stock', scope: 'stock:read' },
          { bucketAt: BUCKET, endpoint: 'GET /stock', scope: 'stock:read stock:write' },
          { bucketAt: BUCKET, endpoint: 'GET /stock', scope: 's'.repeat(200) },
          { bucketAt: BUCKET, endpoint: 'GET /Stock' },
          { bucketAt: BUCKET, endpoint: 'GET /ü'.padEnd(200, 'ü') },
          { bucketAt: BUCKET, endpoint: 'get /stock' },
          { bucketAt: BUCKET, endpoint: 'GET /:käse/😀/*' },
          { bucketAt: BUCKET + HOUR, endpoint: 'GET /stock' },
          { bucketAt: BUCKET - HOUR, endpoint: 'POST /stock' },
        ]
        for (const seq of [1, 2]) {
          await stage
            .handle(seq)
            .recordUsage(
              batch({ nodeId: `node-${stage.prefix}`, seq, counts: keys.map((key, index) => use(id, { ...key, count: index + 1 })) }),
            )
        }
        const expected = keys.map((key, index) => use(id, { ...key, count: 2 * (index + 1) }))
        const order = (each: UsageCount): readonly (string | number)[] => [each.bucketAt, each.endpoint, each.outcome, each.scope]
        const compare = (a: UsageCount, b: UsageCount): number => {
          for (const [index, part] of order(a).entries()) {
            const other = order(b)[index] ?? part
            if (part !== other) return part < other ? -1 : 1
          }
          return 0
        }
        ensureEqual(
          (await counts(stage, id)).toSorted(compare),
          expected.toSorted(compare),
          'usage() must return one sum for each hour, endpoint, outcome and scope',
        )
        const ascii = (await counts(stage, id)).filter(({ endpoint }) => !endpoint.includes('😀'))
        ensureEqual(ascii, ascii.toSorted(compare), 'usage() must return rows in ascending order of bucketAt, endpoint, outcome and scope')
      },
    },
    {
      title: 'a usage report includes counts at from and excludes counts at to',
      async run(stage) {
        const { id } = await inserted(stage)
        const hours = [0, 1, 2, 3].map((hour) => use(id, { bucketAt: BUCKET + hour * HOUR }))
        await stage.store.recordUsage(batch({ counts: hours }))
        ensureEqual(await counts(stage, id, { from: BUCKET + HOUR }), hours.slice(1), 'usage() must treat from as inclusive')
        ensureEqual(await counts(stage, id, { to: BUCKET + 2 * HOUR }), hours.slice(0, 2), 'usage() must treat to as exclusive')
        ensureEqual(
          await counts(stage, id, { from: BUCKET + HOUR, to: BUCKET + 2 * HOUR }),
          hours.slice(1, 2),
          'usage() must treat from as inclusive and to as exclusive',
        )
        ensureEqual(
          await counts(stage, id, { from: BUCKET + HOUR, to: BUCKET + HOUR }),
          [],
          'usage() must return nothing for an empty range',
        )
      },
    },
    ...usageBoundCases,
    {
      title: 'each token is reported separately, and unknown tokens are omitted',
      async run(stage) {
        const [a, b, c] = [await inserted(stage), await inserted(stage), await inserted(stage)]
        const addresses = [a, b].map(({ id }) => ({ tokenId: id, ip: '192.0.2.1', count: 3, lastAt: START }))
        await stage.store.recordUsage(batch({ counts: [use(a.id), use(b.id, { count: 5 })], addresses }))
        const both = await stage.store.usage({ tokenIds: [a.id, b.id, c.id] })
        ensureEqual(both.counts.map(({ count }) => count).sort(), [1, 5], 'usage() must return the counts of both tokens')
        ensureEqual(both.addresses.length, 2, 'usage() must return the addresses of both tokens')
        const { id } = token(stage.prefix)
        for (const tokenIds of [[c.id], [id], []]) {
          ensureEqual(
            await stage.store.usage({ tokenIds }),
            { counts: [], addresses: [] },
            'usage() must return nothing for tokens without usage',
          )
        }
      },
    },
    {
      title: 'a batch is counted once even if it is sent repeatedly, and a late batch with a lower seq is ignored',
      async run(stage) {
        const { id } = await inserted(stage)
        const nodeId = `node-${stage.prefix}`
        const send = async (seq: number, handle = stage.store, node = nodeId): Promise<boolean> => {
          const addresses = [{ tokenId: id, ip: '192.0.2.1', count: 1, lastAt: START }]
          return await handle.recordUsage(batch({ nodeId: node, seq, counts: [use(id)], addresses }))
        }
        const answers = [
          await send(1),
          await send(1),
          await send(1, stage.second),
          await send(3),
          await send(2),
          await send(3, stage.second),
        ]
        ensureEqual(answers, [true, false, false, true, false, false], 'recordUsage() must return whether it counted the batch')
        const empty = { counts: [], addresses: [], lastUses: [] }
        const ofOther = batch({ nodeId: `${nodeId}-c`, seq: 1, ...empty })
        const closed = [await stage.store.recordUsage(ofOther), await stage.store.recordUsage({ ...ofOther, counts: [use(id)] })]
        ensureEqual(closed, [true, false], 'an empty batch must use up its seq like any other')
        await Promise.all(Array.from({ length: 10 }, (_, turn) => send(4, stage.handle(turn))))
        ensureEqual((await counts(stage, id))[0]?.count, 3, 'batches 1, 3 and 4 must count once each, and the late batch 2 not at all')
        const { addresses } = await stage.store.usage({ tokenIds: [id] })
        ensureEqual(addresses[0]?.count, 3, 'the addresses of batches 1, 3 and 4 must count once each')
        for (const node of [`${nodeId}-b`, `${nodeId} `, nodeId.toUpperCase()]) await send(1, stage.store, node)
        ensureEqual((await counts(stage, id))[0]?.count, 6, 'batches with the same seq from other nodes must count')
      },
    },
    {
      title: 'a batch is counted once even if the clocks of other nodes are years off',
      async run(stage) {
        const { id } = await inserted(stage)
        const ofNode = `node-${stage.prefix}`
        const send = async (nodeId: string, at: number): Promise<boolean> =>
          await stage.store.recordUsage(batch({ nodeId, at, counts: [use(id)] }))
        const offs = [0, 31, 4000, -31, -4000]
        const first = []
        for (const off of offs) first.push(await send(`${ofNode}${off}`, START + off * 24 * HOUR))
        ensureEqual(
          first,
          offs.map(() => true),
          'the first batch of each node must count',
        )
        const again = []
        for (const off of offs) again.push(await send(`${ofNode}${off}`, START + off * 24 * HOUR))
        ensureEqual(
          again,
          offs.map(() => false),
          "a repeated batch must not be counted again, regardless of its node's clock",
        )
        ensureEqual((await counts(stage, id))[0]?.count, offs.length, 'each batch must count exactly once')
      },
    },
    {
      title: 'counts are exact when 100 parallel writers from two instances send every batch twice',
      async run(stage) {
        const tokens = [token(stage.prefix), token(stage.prefix), token(stage.prefix)]
        await insert(stage.store, tokens)
        await Promise.all(
          Array.from({ length: 100 }, async (_, writer) => {
            for (const seq of [1, 2]) {
              const counted: UsageBatch = batch({
                nodeId: `node-${stage.prefix}-${writer}`,
                seq,
                // Each writer uses a different order.
                counts: tokens.map((_each, index) => use(tokens[(index + writer) % 3]?.id ?? '', { count: writer + 1 })),
                addresses: tokens.map(({ id }) => ({ tokenId: id, ip: '192.0.2.1', count: 1, lastAt: START + writer })),
                lastUses: tokens.map(({ id }) => ({ tokenId: id, at: START + writer })),
              })
              await Promise.all([stage.handle(writer), stage.handle(writer + 1)].map((store) => sendOnceMore(store, counted)))
            }
          }),
        )
        for (const { id } of tokens) {
          const { counts: counted, addresses } = await stage.store.usage({ tokenIds: [id] })
          ensureEqual(counted, [use(id, { count: 10_100 })], 'the counts of 200 concurrent batches must add up to 10,100')
          ensureEqual(
            addresses,
            [{ tokenId: id, ip: '192.0.2.1', count: 200, lastAt: START + 99 }],
            'the address counts of 200 concurrent batches must add up to 200',
          )
          ensureEqual((await lastUse(stage, id))[0], START + 99, 'the last use must be the latest of all batches')
        }
      },
    },
    {
      title: 'the last use never moves back, and the stored address is from that use',
      async run(stage) {
        const { id } = await inserted(stage)
        const record = async (at: number, ip?: string): Promise<void> => {
          await stage.store.recordUsage(batch({ lastUses: [{ tokenId: id, at, ...(ip === undefined ? {} : { ip }) }] }))
        }
        await record(START + 20, '192.0.2.20')
        await record(START + 10, '192.0.2.10')
        ensureEqual(await lastUse(stage, id), [START + 20, '192.0.2.20'], 'an older use must not replace the last use')
        await record(START + 30, '192.0.2.30')
        ensureEqual(await lastUse(stage, id), [START + 30, '192.0.2.30'], 'a later use must replace the last use')
        await record(START + 40)
        ensureEqual(await lastUse(stage, id), [START + 40, undefined], 'a later use from an unknown address must not keep the old address')
      },
    },
    {
      title: 'at most 1,000 addresses are returned, most recent first, and their times never move back',
      async run(stage) {
        const { id } = await inserted(stage)
        const made = Array.from({ length: 1050 }, (_, index) => ({
          tokenId: id,
          ip: `2001:db8::${index.toString(16)}`,
          count: 1,
          lastAt: START + index,
        }))
        for (let start = 0; start < made.length; start += 150)
          await stage.store.recordUsage(batch({ addresses: made.slice(start, start + 150) }))
        const { addresses } = await stage.store.usage({ tokenIds: [id] })
        ensureEqual(addresses.length, 1000, 'usage() must return at most 1,000 addresses')
        ensureEqual(addresses[0], made.at(-1), 'usage() must return the most recent address first')
        ensure(
          addresses.every(({ lastAt }, index) => index === 0 || lastAt <= (addresses[index - 1]?.lastAt ?? 0)),
          'usage() must return addresses in order of lastAt, most recent first',
        )
        await stage.store.recordUsage(batch({ addresses: [{ tokenId: id, ip: made.at(-1)?.ip ?? '', count: 4, lastAt: START }] }))
        const [newest] = (await stage.store.usage({ tokenIds: [id] })).addresses
        ensureEqual(newest, { ...made.at(-1), count: 5 }, 'an older use of an address must be counted and must not move its lastAt back')
      },
    },
    {
      title: 'only the most recent addresses of a token are kept, and a dropped address starts again at zero',
      async run(stage) {
        const { id } = await inserted(stage)
        const seen = (ip: string, lastAt: number, count = 1): UsageAddress => ({ tokenId: id, ip, count, lastAt })
        await stage.store.recordUsage(batch({ addresses: [seen('192.0.2.1', START, 5)] }))
        const later = Array.from({ length: 6000 }, (_, index) => seen(`2001:db8::${index.toString(16)}`, START + 1 + index))
        for (let start = 0; start < later.length; start += 500) {
          await stage.handle(start / 500).recordUsage(batch({ addresses: later.slice(start, start + 500) }))
        }
        await stage.store.recordUsage(batch({ addresses: [seen('192.0.2.1', START + 9000)] }))
        const { addresses } = await stage.store.usage({ tokenIds: [id] })
        ensureEqual(addresses[0], seen('192.0.2.1', START + 9000), 'a dropped address must be counted from zero when it is used again')
        ensureEqual(addresses.slice(1), later.slice(-999).reverse(), 'the most recent addresses must be kept')
      },
    },
    {
      title: 'a batch of 500 tokens with counts, addresses and last uses is counted completely',
      async run(stage) {
        const made = Array.from({ length: 500 }, (_, index) => token(stage.prefix, { createdAt: START + index }))
        await insert(stage.store, made)
        const ids = made.map(({ id }) => id)
        const whole = batch({
          counts: ids.map((id) => use(id)),
          addresses: ids.map((tokenId, index) => ({ tokenId, ip: '2001:db8::1', count: 1, lastAt: START + index })),
          lastUses: ids.map((tokenId, index) => ({ tokenId, at: START + index, ip: '2001:db8::1' })),
        })
        await stage.store.recordUsage(whole)
        const report = await stage.store.usage({ tokenIds: ids })
        ensureEqual(
          [report.counts.length, report.addresses.length],
          [500, 500],
          'usage() must return one count and one address for each token',
        )
        const last = (await list(stage)).map(({ lastUsedAt }) => lastUsedAt)
        ensureEqual(last, whole.lastUses.map(({ at }) => at).reverse(), 'list() must return the last use of each token')
      },
    },
    {
      title: 'counts with the same key in one batch are summed',
      async run(stage) {
        const { id } = await inserted(stage)
        const address = { tokenId: id, ip: '192.0.2.1', count: 2, lastAt: START }
        const lastUses = [
          { tokenId: id, at: START + 2 },
          { tokenId: id, at: START + 1 },
        ]
        await stage.store.recordUsage(
          batch({ counts: [use(id), use(id, { count: 4 })], addresses: [address, { ...address, lastAt: START + 9 }], lastUses }),
        )
        ensureEqual(await counts(stage, id), [use(id, { count: 5 })], 'counts with the same key must be stored as one row with their sum')
        const { addresses } = await stage.store.usage({ tokenIds: [id] })
        ensureEqual(
          addresses,
          [{ ...address, count: 4, lastAt: START + 9 }],
          'equal addresses must be stored as one row with their sum and the later time',
        )
        ensureEqual((await lastUse(stage, id))[0], START + 2, 'the last use must be the later of two in one batch')
      },
    },
  ],
}

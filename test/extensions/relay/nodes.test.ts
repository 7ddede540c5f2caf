import { describe, expect, it } from 'vitest'
import { quantile } from '../../cluster/scenarios.js'
import { BOUND_MS, bodyOf, changeAndJudge, only, readerOf, running } from './judge.js'
import { createWorld, KEY, mostInASecond } from './world.js'

describe('with a well-behaved broker', () => {
  it('one node reads for all nodes, and the others learn of a change immediately', async () => {
    const world = await running()
    world.calls.length = 0
    expect(await changeAndJudge(world, world.nodes)).toBeLessThan(100)
    expect(new Set(world.others.map((one) => one.lastRead() < world.time.now() - 6_000))).toEqual(new Set([true]))
  })

  it('a stream of changes costs at most 20 queries a second, and nodes learn of 99% of them within 100 ms', async () => {
    const { time, memory, nodes, calls } = await running(30)
    const from = time.now()
    const before = nodes.map(({ heard }) => heard.length)
    const changed: number[] = []
    for (let at = 0; at < 100; at += 1) {
      await memory.commit({ ownersChanged: [{ ownerId: `o${at}` }], events: [] })
      changed.push(time.now())
      await time.pass(35)
    }
    await time.pass(200)
    const late = nodes.flatMap(({ heard }, node) =>
      changed.map((at, change) => (heard[(before[node] ?? 0) + change] ?? Number.POSITIVE_INFINITY) - at),
    )
    expect(quantile(late, 0.99)).toBeLessThanOrEqual(100)
    expect(mostInASecond(calls, from, time.now())).toBeLessThanOrEqual(20)
  })

  it('the node that makes a change announces it when the store cannot wake the others', async () => {
    const world = createWorld()
    const { subscribe: _, ...deaf } = world.memory
    const nodes = [0, 1, 2].map(() => world.node({ store: deaf }))
    for (const { follower } of nodes) follower.start()
    await world.time.pass(3_000)
    const [maker] = nodes.filter((one) => one !== readerOf(nodes))
    const before = nodes.map(({ heard }) => heard.length)
    const changed = world.time.now()
    await maker?.store.commit({ ownersChanged: [{ ownerId: 'o' }], events: [] })
    await world.time.pass(400)
    for (const [at, { heard }] of nodes.entries()) expect((heard[before[at] ?? 0] ?? Number.POSITIVE_INFINITY) - changed).toBeLessThan(200)
  })

  it("the store keeps each node's lease with the cursor that the node has read to", async () => {
    const world = await running(5)
    await changeAndJudge(world, world.nodes)
    const leases = await world.memory.leases(0)
    const { cursor } = await world.memory.changes(undefined, 1)
    expect(leases.map((lease) => [lease.nodeId, lease.cursor]).sort()).toEqual([1, 2, 3, 4, 5].map((at) => [`node${at}`, cursor]))
  })

  it('a node does not trust its cache before its lease is in the store', async () => {
    const world = await running()
    world.broker.meddle = (message) => (['lease', 'renewed'].includes(bodyOf(message).kind) ? [] : [{ message, afterMs: 1 }])
    const late = world.node()
    late.follower.start()
    for (let waited = 0; waited < 3_000; waited += 10) {
      await world.time.pass(10)
      if (late.follower.isFresh()) expect((await world.memory.leases(0)).map(({ nodeId }) => nodeId)).toContain('node4')
    }
    expect(late.follower.isFresh()).toBe(true)
  })

  it('when a node leaves, another node takes over reading the feed', async () => {
    const world = await running()
    const left = world.reader.follower.stop()
    await world.time.pass(200)
    await left
    await world.reader.store.close?.()
    await world.time.pass(600)
    expect(await changeAndJudge(world, world.others)).toBeLessThan(100)
  })

  it('a store that was closed gets wake-ups again when it is used again', async () => {
    const world = await running()
    const [again, maker] = world.others
    const left = again!.follower.stop()
    await world.time.pass(1_500)
    await left
    await again!.store.close?.()
    let woken = 0
    const listen = again!.store.subscribe?.(() => {
      woken += 1
    })
    await world.time.pass(2_000)
    await listen
    const before = woken
    const committed = maker!.store.commit({ ownersChanged: [{ ownerId: 'o' }], events: [] })
    await world.time.pass(400)
    await committed
    expect(woken).toBeGreaterThan(before)
  })
})

describe('a node that leaves', () => {
  it.each([0, 20, 40, 80, 160, 290])('leaves no lease behind, even if it stops %i ms after a change', async (ms) => {
    const world = await running()
    for (const leaving of [...world.others, world.reader]) {
      await world.memory.commit({ ownersChanged: [{ ownerId: 'o' }], events: [] })
      await world.time.pass(ms)
      const left = leaving.follower.stop()
      await world.time.pass(1_500)
      await left
    }
    expect((await world.memory.leases(0)).map(({ nodeId }) => nodeId)).toEqual([])
  })
})

describe('unrelated nodes', () => {
  it('a node with a different key reads the feed itself, and nodes with either key warn about the mismatch', async () => {
    const world = await running()
    const stranger = world.node({ key: 'Zq3xW8vN1mK5tR7yU0pL2sD4fG6hJ9aB' })
    stranger.follower.start()
    await world.time.pass(3_000)
    expect(await changeAndJudge(world, [...world.nodes, stranger])).toBeLessThan(200)
    for (const { faults } of [stranger, ...world.nodes])
      expect(faults).toContainEqual(expect.objectContaining({ code: 'LATCHKEY_RELAY_REFUSED' }))
  })

  it('nodes on a different store never receive answers from this store', async () => {
    const world = await running()
    const elsewhere = createWorld()
    const stranger = world.node({ store: elsewhere.memory })
    stranger.follower.start()
    await world.time.pass(3_000)
    const before = stranger.heard.length
    await changeAndJudge(world, world.nodes)
    expect(stranger.heard.length).toBe(before)
    await elsewhere.memory.commit({ ownersChanged: [{ ownerId: 'o' }], events: [] })
    await world.time.pass(BOUND_MS)
    expect(stranger.heard.length).toBe(before + 1)
  })
})

describe('the reader', () => {
  it('a reader that dies is replaced, and no node misses a change in the meantime', async () => {
    const world = await running()
    world.reader.die()
    expect(await changeAndJudge(world, world.others)).toBeLessThan(BOUND_MS)
  })

  it('a reader that pauses between reading and answering does not extend any node’s trust', async () => {
    const world = await running()
    const held: string[] = []
    world.broker.meddle = only('answer', (message) => {
      held.push(message)
      return []
    })
    await world.time.pass(600)
    const changing = changeAndJudge(world, world.nodes)
    world.time.after(1_900, () => {
      for (const message of held) world.broker.deliver(`latchkey.relay.to.${JSON.parse(message.slice(64)).to}`, message)
    })
    await changing
  })

  it('two concurrent readers cause no errors, and soon only one remains', async () => {
    const world = await running()
    world.broker.meddle = only('beat', () => [])
    await world.time.pass(2_000)
    await changeAndJudge(world, world.nodes)
    world.broker.meddle = (message) => [{ message, afterMs: 1 }]
    await world.time.pass(1_000)
    world.calls.length = 0
    await world.time.pass(3_000)
    expect(world.nodes.filter((one) => one.lastRead() > world.time.now() - 2_000)).toHaveLength(1)
  })

  it('a reader whose store fails is replaced by another node', async () => {
    const world = createWorld()
    let fails = false
    const failing = {
      ...world.memory,
      changes: (after: string | undefined, limit: number) => {
        if (fails) throw new Error('this node cannot reach it')
        return world.memory.changes(after, limit)
      },
    }
    const first = world.node({ store: failing })
    first.follower.start()
    await world.time.pass(2_000)
    const others = [world.node(), world.node()]
    for (const { follower } of others) follower.start()
    await world.time.pass(2_000)
    fails = true
    const failed = world.time.now()
    // A little over a second: nodes must not wait longer for a failing reader.
    await world.time.pass(1_050)
    expect(others.some((one) => one.lastRead() > failed)).toBe(true)
    await world.time.pass(2_000)
    expect(await changeAndJudge(world, others)).toBeLessThan(100)
    expect(others.some((one) => one.lastRead() > world.time.now() - 2_000)).toBe(true)
  })
})

it('a node whose wall clock is hours off follows the feed like any other node', async () => {
  const world = createWorld()
  const nodes = [world.node({ wallMs: 7 * 3_600_000 }), world.node({ wallMs: -7 * 3_600_000 }), world.node()]
  for (const { follower } of nodes) follower.start()
  await world.time.pass(3_000)
  expect(await changeAndJudge(world, nodes)).toBeLessThan(100)
})

it('closing a node ends its pending request with store_unavailable', async () => {
  const world = await running()
  world.broker.meddle = () => []
  await world.time.pass(300)
  const [node] = world.others
  const { cursor } = await world.memory.changes(undefined, 1)
  const out = Promise.resolve(node?.store.changes(cursor, 1000)).then(
    () => 'answered',
    (error: unknown) => (error as { code?: string }).code,
  )
  await node?.store.close?.()
  expect(await out).toBe('store_unavailable')
})

it('relayedStore() rejects a weak key, an invalid channel and an unknown option by field name', async () => {
  const { relayedStore } = await import('latchkey/relay')
  const { memory, broker } = createWorld()
  const transport = broker.transport({ cut: false })
  const why = (options: object): string => {
    try {
      relayedStore(memory, { transport, key: KEY, ...options } as never)
      return 'taken'
    } catch (error) {
      return (error as { field?: string }).field ?? String(error)
    }
  }
  expect(
    [{ key: 'short' }, { key: 'a'.repeat(40) }, { channel: 'a b' }, { channel: '*' }, { transport: {} }, { subject: 'x' }, {}].map(why),
  ).toEqual(['key', 'key', 'channel', 'channel', 'transport', 'subject', 'taken'])
})

import { describe, expect, it } from 'vitest'
import { createWorld, KEY, type Meddle, type Node, type World } from './world.js'

const BOUND_MS = 2_000

/** Some nodes that follow the feed, of which one reads for the others. */
async function running(count = 3, world: World = createWorld()): Promise<World & { nodes: Node[]; reader: Node; others: Node[] }> {
  const nodes = Array.from({ length: count }, () => world.node())
  for (const { follower } of nodes) follower.start()
  await world.time.pass(3_000)
  const reader = readerOf(nodes)
  return { ...world, nodes, reader, others: nodes.filter((one) => one !== reader) }
}

function readerOf(nodes: readonly Node[]): Node {
  const [reader] = nodes.toSorted((a, b) => b.lastRead() - a.lastRead())
  if (reader === undefined) throw new Error('there is no node')
  return reader
}

/** Changes something, and sees that each node believes its cache no longer than the bound unless it has heard of it. Answers when the last one heard. */
async function changeAndJudge({ time, memory }: World, nodes: readonly Node[]): Promise<number> {
  const before = nodes.map(({ heard }) => heard.length)
  await memory.commit({ ownersChanged: [{ ownerId: 'o' }], events: [] })
  const changed = time.now()
  const hasHeard = (one: Node, at: number): boolean => one.heard.length > (before[at] ?? 0)
  const late: number[] = []
  for (let waited = 0; waited < 6_000; waited += 20) {
    await time.pass(20)
    nodes.forEach((one, at) => {
      if (one.follower.fresh && !hasHeard(one, at) && time.now() - changed > BOUND_MS) late.push(time.now() - changed)
    })
  }
  expect(late).toEqual([])
  expect(nodes.every(hasHeard)).toBe(true)
  return Math.max(...nodes.map(({ heard }, at) => heard[before[at] ?? 0] ?? Number.POSITIVE_INFINITY)) - changed
}

const bodyOf = (message: string): { readonly kind: string; readonly [name: string]: unknown } => JSON.parse(message.slice(64)).body

/** Does something to one kind of message, and passes the others on. */
const only =
  (kind: string, meddle: (message: string) => readonly { readonly message: string; readonly afterMs: number }[]): Meddle =>
  (message) =>
    bodyOf(message).kind === kind ? meddle(message) : [{ message, afterMs: 1 }]

describe('with an honest broker', () => {
  it('one node reads for all, and the others hear of a change at once', async () => {
    const world = await running()
    world.calls.length = 0
    expect(await changeAndJudge(world, world.nodes)).toBeLessThan(100)
    expect(new Set(world.others.map((one) => one.lastRead() < world.time.now() - 6_000))).toEqual(new Set([true]))
  })

  it('a change that the store wakes nobody for is told by the node that made it', async () => {
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

  it('leases stand in the store, as far as each node has read', async () => {
    const world = await running(5)
    await changeAndJudge(world, world.nodes)
    const leases = await world.memory.leases(0)
    const { cursor } = await world.memory.changes(undefined, 1)
    expect(leases.map((lease) => [lease.nodeId, lease.cursor]).sort()).toEqual([1, 2, 3, 4, 5].map((at) => [`node${at}`, cursor]))
  })

  it('a node that leaves hands the reading on', async () => {
    const world = await running()
    const left = world.reader.follower.stop()
    await world.time.pass(200)
    await left
    await world.reader.store.close?.()
    await world.time.pass(600)
    expect(await changeAndJudge(world, world.others)).toBeLessThan(100)
  })
})

describe('whatever the broker does, no node believes its cache past the bound:', () => {
  const courses: { readonly [what: string]: (world: World) => Meddle } = {
    'it loses everything': () => () => [],
    'it delivers 10 seconds late': () => (message) => [{ message, afterMs: 10_000 }],
    'it delivers everything twice': () => (message) => [
      { message, afterMs: 1 },
      { message, afterMs: 30 },
    ],
    'it delivers in any order': (world) => (message) => [{ message, afterMs: 1 + world.time.random() * 400 }],
    'it loses half': (world) => (message) => (world.time.random() < 0.5 ? [] : [{ message, afterMs: 1 }]),
    'it loses questions': () => only('page', () => []),
    'it loses answers': () => only('answer', () => []),
    'it holds answers up for 3 seconds': () => only('answer', (message) => [{ message, afterMs: 3_000 }]),
    'it cuts answers short': () => only('answer', (message) => [{ message: message.slice(0, -20), afterMs: 1 }]),
    'it replays the first answer in place of each later one': () => {
      let first: string | undefined
      return only('answer', (message) => {
        first ??= message
        return [{ message: first, afterMs: 1 }]
      })
    },
    'it changes what a page says': () =>
      only('answer', (message) => [{ message: message.replace('"owners":[{', '"owners":[],"x":[{'), afterMs: 1 }]),
    'it moves the cursor of a page ahead': () =>
      only('answer', (message) => [{ message: message.replace(/"cursor":"(m\d+)\.\d+"/, '"cursor":"$1.999"'), afterMs: 1 }]),
    'it answers by itself, without the key': () =>
      only('page', (message) => {
        const { nonce, after } = bodyOf(message)
        const page = { cursor: after, ids: [], owners: [], bulk: [], everything: false, more: false }
        const { from, to } = JSON.parse(message.slice(64))
        const forged = JSON.stringify({ from: to, to: from, seq: 999_999, body: { kind: 'answer', nonce, page } })
        return [{ message: '0'.repeat(64) + forged, afterMs: 1 }]
      }),
    'it replays that there is a reader, which there is not': (world) => {
      const beats: string[] = []
      return only('beat', (message) => {
        beats.push(message)
        if (beats.length === 1)
          for (let at = 1; at < 60; at += 1) world.time.after(at * 200, () => world.broker.deliver('latchkey.relay.all', message))
        return []
      })
    },
    'it sends a message of 10 MB now and then': (world) => (message) => {
      if (world.time.random() < 0.1) world.broker.deliver('latchkey.relay.all', '0'.repeat(10_000_000))
      return [{ message, afterMs: 1 }]
    },
  }
  for (const [what, meddle] of Object.entries(courses)) {
    it(what, async () => {
      const world = await running()
      world.broker.meddle = meddle(world)
      await changeAndJudge(world, world.nodes)
      world.broker.meddle = (message) => [{ message, afterMs: 1 }]
      await world.time.pass(12_000)
      expect(await changeAndJudge(world, world.nodes)).toBeLessThan(200)
    })
  }

  it('it hands the answer to one node to another', async () => {
    const world = await running()
    const own = new Map<string, string>()
    world.broker.meddle = (message, channel) => {
      if (bodyOf(message).kind !== 'answer') return [{ message, afterMs: 1 }]
      own.set(channel, message)
      for (const other of own.keys()) if (other !== channel) world.broker.deliver(other, message)
      return []
    }
    await changeAndJudge(world, world.nodes)
  })

  it('it is gone for one node', async () => {
    const world = await running()
    const [cut] = world.others
    if (cut !== undefined) cut.link.cut = true
    await changeAndJudge(world, world.nodes)
    expect(cut?.faults).not.toEqual([])
  })

  it('it is gone for all', async () => {
    const world = await running()
    for (const { link } of world.nodes) link.cut = true
    expect(await changeAndJudge(world, world.nodes)).toBeLessThan(BOUND_MS)
  })
})

describe('nodes that do not belong together', () => {
  it('a node with another key reads for itself, and both kinds are told of it', async () => {
    const world = await running()
    const stranger = world.node({ key: 'Zq3xW8vN1mK5tR7yU0pL2sD4fG6hJ9aB' })
    stranger.follower.start()
    await world.time.pass(3_000)
    expect(await changeAndJudge(world, [...world.nodes, stranger])).toBeLessThan(200)
    for (const { faults } of [stranger, ...world.nodes])
      expect(faults).toContainEqual(expect.objectContaining({ code: 'LATCHKEY_RELAY_REFUSED' }))
  })

  it('nodes on another store are never answered from this one', async () => {
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

describe('a reader', () => {
  it('that dies is replaced, and nobody misses a change meanwhile', async () => {
    const world = await running()
    world.reader.die()
    expect(await changeAndJudge(world, world.others)).toBeLessThan(BOUND_MS)
  })

  it('that stops between its read and its answer, and goes on later, makes nobody believe longer', async () => {
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

  it('and a second one beside it are one soon, and do no harm before', async () => {
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

  it('whose store fails makes way for another', async () => {
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
    await world.time.pass(3_000)
    expect(await changeAndJudge(world, others)).toBeLessThan(100)
    expect(others.some((one) => one.lastRead() > world.time.now() - 2_000)).toBe(true)
  })
})

it('A node whose wall clock is hours off follows as any other', async () => {
  const world = createWorld()
  const nodes = [world.node({ wallMs: 7 * 3_600_000 }), world.node({ wallMs: -7 * 3_600_000 }), world.node()]
  for (const { follower } of nodes) follower.start()
  await world.time.pass(3_000)
  expect(await changeAndJudge(world, nodes)).toBeLessThan(100)
})

it('A broker that throws or hangs in everything costs the relay, not the feed', async () => {
  const hang = (): Promise<never> => new Promise(() => undefined)
  const fail = (): never => {
    throw new Error('no broker')
  }
  for (const [publish, subscribe] of [
    [hang, hang],
    [fail, fail],
    [hang, fail],
    [fail, hang],
  ] as const) {
    const world = createWorld()
    world.broker.transport = () => ({ publish, subscribe })
    const nodes = [world.node(), world.node()]
    for (const { follower } of nodes) follower.start()
    await world.time.pass(3_000)
    expect(await changeAndJudge(world, nodes)).toBeLessThan(BOUND_MS)
  }
})

it('A close while a question is out answers it, and asks nothing more', async () => {
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

it('A weak key, a channel that brokers do not take and an unknown option are refused by name', async () => {
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

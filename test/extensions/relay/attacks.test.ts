import { describe, expect, it } from 'vitest'
import { BOUND_MS, bodyOf, changeAndJudge, only, running } from './judge.js'
import { createWorld, type Meddle, type World } from './world.js'

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
      // Once more, with what the broker has learned meanwhile.
      await changeAndJudge(world, world.nodes)
      world.broker.meddle = (message) => [{ message, afterMs: 1 }]
      await world.time.pass(12_000)
      expect(await changeAndJudge(world, world.nodes)).toBeLessThan(200)
    })
  }

  it('it answers with what it answered before the change, again and again', async () => {
    const world = await running(2)
    const old: string[] = []
    let changed = false
    world.broker.meddle = only('answer', (message) => {
      if (!changed) old.push(message)
      return changed ? old.map((kept) => ({ message: kept, afterMs: 1 })) : [{ message, afterMs: 1 }]
    })
    await world.time.pass(1_200)
    expect(old.length).toBeGreaterThan(0)
    changed = true
    await changeAndJudge(world, world.nodes)
  })

  it('it loses answers, so that each node soon reads for itself instead of waiting for them', async () => {
    const world = await running()
    world.broker.meddle = only('answer', () => [])
    await changeAndJudge(world, world.nodes)
    expect(await changeAndJudge(world, world.nodes)).toBeLessThan(600)
  })

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

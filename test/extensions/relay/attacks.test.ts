import { describe, expect, it } from 'vitest'
import { BOUND_MS, bodyOf, changeAndJudge, only, running } from './judge.js'
import { createWorld, type Meddle, type World } from './world.js'

describe('a misbehaving broker', () => {
  const courses: { readonly [what: string]: (world: World) => Meddle } = {
    'loses everything': () => () => [],
    'delivers 10 seconds late': () => (message) => [{ message, afterMs: 10_000 }],
    'delivers everything twice': () => (message) => [
      { message, afterMs: 1 },
      { message, afterMs: 30 },
    ],
    'delivers in any order': (world) => (message) => [{ message, afterMs: 1 + world.time.random() * 400 }],
    'loses half of all messages': (world) => (message) => (world.time.random() < 0.5 ? [] : [{ message, afterMs: 1 }]),
    'loses requests': () => only('page', () => []),
    'loses answers': () => only('answer', () => []),
    'delays answers for 3 seconds': () => only('answer', (message) => [{ message, afterMs: 3_000 }]),
    'truncates answers': () => only('answer', (message) => [{ message: message.slice(0, -20), afterMs: 1 }]),
    'replays the first answer instead of later ones': () => {
      let first: string | undefined
      return only('answer', (message) => {
        first ??= message
        return [{ message: first, afterMs: 1 }]
      })
    },
    'modifies a page': () => only('answer', (message) => [{ message: message.replace('"owners":[{', '"owners":[],"x":[{'), afterMs: 1 }]),
    'advances the cursor of a page': () =>
      only('answer', (message) => [{ message: message.replace(/"cursor":"(m\d+)\.\d+"/, '"cursor":"$1.999"'), afterMs: 1 }]),
    'forges answers without the key': () =>
      only('page', (message) => {
        const { nonce, after } = bodyOf(message)
        const page = { cursor: after, ids: [], owners: [], bulk: [], everything: false, more: false }
        const { from, to } = JSON.parse(message.slice(64))
        const forged = JSON.stringify({ from: to, to: from, seq: 999_999, body: { kind: 'answer', nonce, page } })
        return [{ message: '0'.repeat(64) + forged, afterMs: 1 }]
      }),
    'replays the heartbeat of a reader that no longer exists': (world) => {
      const beats: string[] = []
      return only('beat', (message) => {
        beats.push(message)
        if (beats.length === 1)
          for (let at = 1; at < 60; at += 1) world.time.after(at * 200, () => world.broker.deliver('latchkey.relay.all', message))
        return []
      })
    },
    'occasionally sends a 10 MB message': (world) => (message) => {
      if (world.time.random() < 0.1) world.broker.deliver('latchkey.relay.all', '0'.repeat(10_000_000))
      return [{ message, afterMs: 1 }]
    },
  }
  for (const [what, meddle] of Object.entries(courses)) {
    it(`no node trusts its cache past the bound when the broker ${what}`, async () => {
      const world = await running()
      world.broker.meddle = meddle(world)
      await changeAndJudge(world, world.nodes)
      // Repeats this with everything that the broker has seen by now.
      await changeAndJudge(world, world.nodes)
      world.broker.meddle = (message) => [{ message, afterMs: 1 }]
      await world.time.pass(12_000)
      expect(await changeAndJudge(world, world.nodes)).toBeLessThan(200)
    })
  }

  it('no node trusts its cache past the bound when the broker keeps replaying answers from before the change', async () => {
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

  it('nodes soon read the feed themselves when the broker loses answers, instead of waiting for answers', async () => {
    const world = await running()
    world.broker.meddle = only('answer', () => [])
    await changeAndJudge(world, world.nodes)
    // Half of the bound: waiting for an answer each time would use up the whole bound.
    expect(await changeAndJudge(world, world.nodes)).toBeLessThan(1000)
  })

  it('no node trusts its cache past the bound when the broker delivers one node’s answer to another', async () => {
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

  it('no node trusts its cache past the bound when the broker is down for one node', async () => {
    const world = await running()
    const [cut] = world.others
    if (cut !== undefined) cut.link.cut = true
    await changeAndJudge(world, world.nodes)
    expect(cut?.faults).not.toEqual([])
  })

  it('no node trusts its cache past the bound when the broker is down for every node', async () => {
    const world = await running()
    for (const { link } of world.nodes) link.cut = true
    expect(await changeAndJudge(world, world.nodes)).toBeLessThan(BOUND_MS)
  })
})

it('a broker that always throws or hangs disables the relay but not the feed', async () => {
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

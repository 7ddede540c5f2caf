import { expect } from 'vitest'
import { createWorld, type Meddle, type Node, type World } from './world.js'

export const BOUND_MS = 2_000

/** Starts nodes that follow the feed, one of which reads for the others. */
export async function running(count = 3, world: World = createWorld()): Promise<World & { nodes: Node[]; reader: Node; others: Node[] }> {
  const nodes = Array.from({ length: count }, () => world.node())
  for (const { follower } of nodes) follower.start()
  await world.time.pass(3_000)
  const reader = readerOf(nodes)
  return { ...world, nodes, reader, others: nodes.filter((one) => one !== reader) }
}

export function readerOf(nodes: readonly Node[]): Node {
  const [reader] = nodes.toSorted((a, b) => b.lastRead() - a.lastRead())
  if (reader === undefined) throw new Error('there is no node')
  return reader
}

/**
 * Makes a change and checks that each node trusts its cache no longer than the bound unless it has learned of the change. Returns the delay
 * until the last node learned of the change.
 */
export async function changeAndJudge({ time, memory }: World, nodes: readonly Node[]): Promise<number> {
  const before = nodes.map(({ heard }) => heard.length)
  await memory.commit({ ownersChanged: [{ ownerId: 'o' }], events: [] })
  const changed = time.now()
  const hasHeard = (one: Node, at: number): boolean => one.heard.length > (before[at] ?? 0)
  const late: number[] = []
  for (let waited = 0; waited < 4_000; waited += 20) {
    await time.pass(20)
    nodes.forEach((one, at) => {
      if (one.follower.isFresh() && !hasHeard(one, at) && time.now() - changed > BOUND_MS) late.push(time.now() - changed)
    })
  }
  expect(late).toEqual([])
  expect(nodes.every(hasHeard)).toBe(true)
  return Math.max(...nodes.map(({ heard }, at) => heard[before[at] ?? 0] ?? Number.POSITIVE_INFINITY)) - changed
}

export const bodyOf = (message: string): { readonly kind: string; readonly [name: string]: unknown } => JSON.parse(message.slice(64)).body

/** Applies `meddle` to one kind of message and passes on all other messages. */
export const only =
  (kind: string, meddle: (message: string) => readonly { readonly message: string; readonly afterMs: number }[]): Meddle =>
  (message) =>
    bodyOf(message).kind === kind ? meddle(message) : [{ message, afterMs: 1 }]

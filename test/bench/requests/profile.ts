import { type Profiler, Session } from 'node:inspector/promises'

/** The owners of a process's CPU time. */
export const OWNERS = ['own', 'framework', 'node', 'collection', 'native'] as const
export type Owner = (typeof OWNERS)[number]

/** Each owner's share of the time in which the process was not idle, from 0 to 1. */
export type Shares = { readonly [name in Owner]: number }

const INTERVAL_MICROS = 100

/** Samples this process. The returned function stops sampling and returns whose code ran. */
export async function startProfile(): Promise<() => Promise<Shares>> {
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: INTERVAL_MICROS })
  await session.post('Profiler.start')
  return async () => {
    const { profile } = await session.post('Profiler.stop')
    session.disconnect()
    return sharesOf(profile)
  }
}

function sharesOf({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): Shares {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]))
  const micros = { own: 0, framework: 0, node: 0, collection: 0, native: 0 }
  samples.forEach((id, at) => {
    const frame = frames.get(id)
    const owner = frame === undefined || frame.functionName === '(idle)' ? undefined : ownerOf(frame.functionName, frame.url)
    if (owner !== undefined) micros[owner] += timeDeltas[at] ?? 0
  })
  const all = OWNERS.reduce((sum, owner) => sum + micros[owner], 0)
  return Object.fromEntries(OWNERS.map((owner) => [owner, micros[owner] / all])) as Shares
}

// The benchmark's server, with its hand-written guard, is a separate file next to the builds of latchkey.
function ownerOf(name: string, url: string): Owner {
  if (name === '(garbage collector)') return 'collection'
  if (url === '') return 'native'
  if (url.startsWith('node:')) return 'node'
  return /\/node_modules\/(?!\.cache\/)/.test(url) ? 'framework' : 'own'
}

import { LoadedServer } from '../load.js'
import { quantile } from '../paired.js'
import { atLeast, fixed, type Section, type Verdict } from '../result.js'

const VARIANTS = ['bare', 'hand-written optimum', 'latchkey']

/** Requests per second compared with the hand-written optimum in the same framework, over fresh processes, one after another. */
export const throughput: Section = async ({ quick }) => {
  const [generations, amount] = quick ? [2, 500] : [9, 6000]
  const rows: string[][] = []
  const verdicts: Verdict[] = []
  for (const framework of ['express', 'koa', 'fastify']) {
    const ratios: { readonly [name: string]: number[] } = Object.fromEntries(VARIANTS.map((name) => [name, []]))
    for (let generation = 0; generation < generations; generation += 1) {
      const perSecond = await generationOf(framework, amount, generation)
      const optimum = perSecond.get('hand-written optimum') ?? Number.NaN
      for (const name of VARIANTS) ratios[name]?.push((perSecond.get(name) ?? Number.NaN) / optimum)
    }
    for (const name of VARIANTS) {
      const own = ratios[name] ?? []
      rows.push([framework, name, fixed(quantile(own, 0.5)), `${fixed(Math.min(...own))} to ${fixed(Math.max(...own))}`])
    }
    const ours = quantile(ratios.latchkey ?? [], 0.5)
    verdicts.push(
      atLeast(`requests per second in ${framework}, relative to the hand-written optimum (for information only)`, 0.97, ours, '×', WHY),
    )
  }
  const head = ['framework', 'variant', 'relative to the optimum (median)', 'range']
  const title = `Requests per second, ${generations} processes run one after another`
  return {
    tables: [{ title, head, rows }],
    verdicts,
    notes: ['This machine cannot measure a difference of 3%, so these figures are for information only.'],
  }
}

async function generationOf(framework: string, amount: number, generation: number): Promise<Map<string, number>> {
  const server = await LoadedServer.start(framework)
  const rates = new Map<string, number[]>()
  try {
    const doors = server.doors.filter(({ name }) => VARIANTS.includes(name))
    // In a process that has just started, the compiler would dominate the measurement.
    for (const door of doors) await server.load(door, 2 * amount)
    for (let turn = 0; turn < 3; turn += 1) {
      for (let offset = 0; offset < doors.length; offset += 1) {
        const door = doors[(generation + turn + offset) % doors.length]
        if (door === undefined) continue
        rates.set(door.name, [...(rates.get(door.name) ?? []), (await server.load(door, amount)).perSecond])
      }
    }
  } finally {
    await server.stop()
  }
  return new Map([...rates].map(([name, own]) => [name, quantile(own, 0.5)]))
}

const WHY =
  'The optimum neither counts uses nor records which requests it accepted. The tables of CPU time per request show the cost of these tasks.'

import { setTimeout as sleep } from 'node:timers/promises'
import type { Dice } from '../../src/testing/random.js'
import type { Fleet, Slot } from './fleet.js'

const HOUR_MS = 3_600_000

type Disturbance = { readonly name: string; run(fleet: Fleet, slot: Slot, dice: Dice): Promise<unknown> }

const seconds = (dice: Dice): number => 1000 + dice.below(5000)

const DISTURBANCES: readonly Disturbance[] = [
  { name: 'node killed and started again', run: (fleet, slot) => fleet.kill(slot) },
  { name: 'link to the store refused', run: (fleet, slot, dice) => fleet.disturb(slot, 'all', 'cut', seconds(dice)) },
  { name: 'link to the store silent', run: (fleet, slot, dice) => fleet.disturb(slot, 'all', 'drop', seconds(dice)) },
  {
    name: 'link to the store slow',
    run: (fleet, slot, dice) => fleet.disturb(slot, 'all', { delayMs: 20 + dice.below(200) }, seconds(dice)),
  },
  { name: 'wake-up channel cut', run: (fleet, slot, dice) => fleet.disturb(slot, 'bus', 'cut', seconds(dice)) },
  { name: 'wake-up channel silent', run: (fleet, slot, dice) => fleet.disturb(slot, 'bus', 'drop', seconds(dice)) },
  { name: 'wall clock stepped', run: (_fleet, slot, dice) => slot.child.ask({ do: 'step', ms: (dice.below(49) - 24) * HOUR_MS }) },
  {
    name: 'node stopped and continued',
    async run(_fleet, { child }, dice) {
      child.freeze()
      await sleep(seconds(dice))
      child.thaw()
    },
  },
]

/** Disturbs one node after another until `until`, a lane of its own for each that goes on at the same time. Answers how often each happened. */
export const disturb = async (
  fleet: Fleet,
  dice: Dice,
  { until, lanes, free }: { readonly until: number; readonly lanes: number; readonly free: number },
): Promise<ReadonlyMap<string, number>> => {
  const happened = new Map<string, number>(DISTURBANCES.map(({ name }) => [name, 0]))
  const busy = new Set<Slot>()
  const lane = async (): Promise<void> => {
    while (performance.now() < until) {
      await sleep(300 + dice.below(1500))
      const candidates = fleet.slots.slice(free).filter((slot) => !busy.has(slot))
      const slot = candidates[dice.below(candidates.length)]
      const disturbance = DISTURBANCES[dice.below(DISTURBANCES.length)]
      if (slot === undefined || disturbance === undefined) continue
      busy.add(slot)
      await disturbance.run(fleet, slot, dice).catch(() => undefined)
      happened.set(disturbance.name, (happened.get(disturbance.name) ?? 0) + 1)
      busy.delete(slot)
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  for (const { proxy } of fleet.slots) proxy.set('all', 'pass')
  return happened
}

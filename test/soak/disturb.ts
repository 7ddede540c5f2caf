import { setTimeout as sleep } from 'node:timers/promises'
import type { Dice } from '../../src/testing/random.js'
import type { Fleet, Slot } from './fleet.js'
import type { Pair } from './pair.js'

const HOUR_MS = 3_600_000

type Disturbance = { readonly name: string; run(fleet: Fleet, slot: Slot, dice: Dice): Promise<unknown> }

const seconds = (dice: Dice): number => 1000 + dice.below(5000)

/** The failover and the replica's pause affect all nodes, so each has a separate lane. */
const FAILOVER = 'primary killed, and its synchronous standby promoted'
const PAUSE = 'replay of the replica paused'

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
    name: 'node stopped and resumed',
    async run(_fleet, { child }, dice) {
      child.freeze()
      await sleep(seconds(dice))
      child.thaw()
    },
  },
]

type Schedule = { readonly until: number; readonly lanes: number; readonly free: number; readonly failoverEveryMs: number }

/** Disturbs one node after another until `until`, in several concurrent lanes. Returns how often each disturbance happened. */
export const disturb = async (
  fleet: Fleet,
  dice: Dice,
  pair: Pair,
  { until, lanes, free, failoverEveryMs }: Schedule,
): Promise<ReadonlyMap<string, number>> => {
  const happened = new Map<string, number>([...DISTURBANCES.map(({ name }) => name), PAUSE, FAILOVER].map((name) => [name, 0]))
  const count = (name: string): void => void happened.set(name, (happened.get(name) ?? 0) + 1)
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
      count(disturbance.name)
      busy.delete(slot)
    }
  }
  const failovers = async (): Promise<void> => {
    for (let next = performance.now() + failoverEveryMs / 2; next < until - 10_000; next = performance.now() + failoverEveryMs) {
      await sleep(Math.max(0, next - performance.now()))
      await pair.failOver()
      fleet.follow()
      count(FAILOVER)
      await pair.repair()
      fleet.follow()
    }
  }
  const pauses = async (): Promise<void> => {
    while (performance.now() < until) {
      await sleep(seconds(dice))
      const { standby } = pair
      // The standby may be shutting down, or may no longer be a standby.
      const paused = await standby.query('select pg_wal_replay_pause()').catch(() => undefined)
      await sleep(seconds(dice))
      await standby.query('select pg_wal_replay_resume()').catch(() => undefined)
      if (paused !== undefined) count(PAUSE)
    }
  }
  await Promise.all([...Array.from({ length: lanes }, lane), failovers(), pauses()])
  for (const { proxy } of fleet.slots) proxy.set('all', 'pass')
  return happened
}

import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from './cluster.js'
import type { ClusterNode } from './node.js'
import type { Made, Span, Watched } from './protocol.js'

/** The findings of a scenario. Times are in milliseconds. */
export type Finding = {
  readonly scenario: string
  /** Pairs of a revocation and a node that had the token in memory. */
  readonly trials: number
  /** Acceptances that began too late, and refusals that should not have happened. */
  readonly violations: readonly string[]
  /** Verifications by the watched nodes. */
  readonly verifications: number
  /** The time from the acknowledgment of the revocation to a node's first refusal. */
  readonly seenAfterMs: readonly number[]
  readonly notes: readonly string[]
}

type Watch = { readonly node: ClusterNode; readonly watched: Watched }
type Trial = { readonly made: Made; readonly revoked: Span; readonly watches: readonly Watch[] }

/** The steps of a trial: the calls that revoke, and the disturbances around them. */
type Course = {
  readonly nodes: readonly ClusterNode[]
  readonly revoke: (made: Made) => Promise<Span>
  /** Runs after the nodes have the token in memory and before its revocation. */
  readonly before?: () => Promise<void> | void
  /** How long to keep asking once every node has refused the token. @default AFTERWARDS_MS */
  readonly watchForMs?: number
}

/** Long enough for a late answer in flight to arrive and be trusted by mistake. */
const AFTERWARDS_MS = 50
/** How long after the bound the test still waits for a refusal. */
const PATIENCE_MS = 3000

async function trial(cluster: Cluster, course: Course): Promise<Trial> {
  const [made] = await cluster.chief.create(1)
  if (made === undefined) throw new Error('no token was created')
  await Promise.all(course.nodes.map((node) => node.watch(made.token)))
  await course.before?.()
  const revoked = await course.revoke(made)
  const refused = Promise.all(course.nodes.map((node) => node.refused(made.token)))
  const patience = sleep(cluster.maxStalenessMs + PATIENCE_MS)
  await Promise.race([refused, patience])
  await sleep(course.watchForMs ?? AFTERWARDS_MS)
  const watches = await Promise.all(course.nodes.map(async (node) => ({ node, watched: await node.watched(made.token) })))
  return { made, revoked, watches }
}

/**
 * Runs this many trials, one after another, and judges each. No node may accept the token later than `allowedMs` after the acknowledgment.
 */
async function judge(
  scenario: string,
  trials: number,
  allowedMs: number,
  run: () => Promise<Trial>,
  also: (watched: Watched) => readonly string[] = () => [],
): Promise<Finding> {
  const violations: string[] = []
  const seenAfterMs: number[] = []
  let judged = 0
  let verifications = 0
  for (let at = 0; at < trials; at += 1) {
    const { revoked, watches } = await run()
    for (const { watched } of watches) {
      judged += 1
      verifications += watched.accepted + watched.refused
      const late = watched.lastAcceptedBegan - revoked.ended - allowedMs
      if (late > 0) violations.push(`accepted ${late.toFixed(1)} ms after the bound`)
      if (watched.acceptedAgain > 0) violations.push(`accepted ${watched.acceptedAgain} times after a refusal`)
      if (watched.firstRefusedEnded === undefined) violations.push('never refused')
      else seenAfterMs.push(watched.firstRefusedEnded - revoked.ended)
      violations.push(...also(watched))
    }
  }
  return { scenario, trials: judged, violations, verifications, seenAfterMs, notes: [] }
}

const only =
  (...codes: readonly string[]) =>
  (watched: Watched): readonly string[] =>
    Object.keys(watched.codes)
      .filter((code) => !codes.includes(code))
      .map((code) => `answered ${code}`)

/** A scenario without disturbances. */
export function healthy(cluster: Cluster, trials: number): Promise<Finding> {
  const revoke = ({ id }: Made): Promise<Span> => cluster.chief.revoke(id)
  const run = () => trial(cluster, { nodes: cluster.others, revoke })
  return judge('nothing disturbed', trials, cluster.maxStalenessMs, run, only('token_revoked'))
}

/** How a series of revocations is judged. */
export type Judged = { readonly scenario: string; readonly trials: number; readonly codes: readonly string[] }

/** Revokes tokens that all other nodes have in memory. `disturb` runs just before each revocation. */
export function judgeRevocations(cluster: Cluster, { scenario, trials, codes }: Judged, disturb: () => Promise<void>): Promise<Finding> {
  const revoke = ({ id }: Made): Promise<Span> => cluster.chief.revoke(id)
  const run = () => trial(cluster, { nodes: cluster.others, revoke, before: disturb })
  return judge(scenario, trials, cluster.maxStalenessMs, run, only(...codes))
}

/** Revokes all tokens of the tenant in one call. */
export function bulk(cluster: Cluster, trials: number): Promise<Finding> {
  const revoke = (): Promise<Span> => cluster.chief.revokeAll('acme')
  const run = () => trial(cluster, { nodes: cluster.others, revoke })
  return judge('bulk revocation of all tokens', trials, cluster.maxStalenessMs, run, only('token_revoked'))
}

/** The wake-up channel is cut or silent. The store is reachable. */
export async function busGone(cluster: Cluster, trials: number, mode: 'cut' | 'drop'): Promise<Finding> {
  for (const { proxy } of cluster.others) {
    // After an earlier disturbance, a node needs time to reopen the channel.
    for (let tries = 0; proxy.count('bus') === 0; tries += 1) {
      if (tries === 500) throw new Error('there is no wake-up channel to disturb')
      await sleep(20)
    }
    proxy.set('bus', mode)
  }
  try {
    const revoke = ({ id }: Made): Promise<Span> => cluster.chief.revoke(id)
    const run = () => trial(cluster, { nodes: cluster.others, revoke })
    return await judge(`wake-up channel ${mode === 'cut' ? 'cut' : 'silent'}`, trials, cluster.maxStalenessMs, run, only('token_revoked'))
  } finally {
    for (const { proxy } of cluster.others) proxy.set('bus', 'pass')
  }
}

/** The link is slow and narrow. */
export async function slowLink(cluster: Cluster, trials: number): Promise<Finding> {
  for (const { proxy } of cluster.others) proxy.set('all', { delayMs: 40, bytesPerSecond: 200_000 })
  try {
    const revoke = ({ id }: Made): Promise<Span> => cluster.chief.revoke(id)
    const run = () => trial(cluster, { nodes: cluster.others, revoke })
    return await judge('link slow and narrow', trials, cluster.maxStalenessMs, run, only('token_revoked', 'store_unavailable'))
  } finally {
    for (const { proxy } of cluster.others) proxy.set('all', 'pass')
  }
}

/** A node cannot reach the database at all. It refuses once the bound has passed, and recovers soon after the link is back. */
export async function storeGone(cluster: Cluster, trials: number, mode: 'cut' | 'drop'): Promise<Finding> {
  const { chief, others, maxStalenessMs } = cluster
  const node = others[0] ?? chief
  const recovered: number[] = []
  const [good] = await chief.create(1)
  const run = async (): Promise<Trial> => {
    await node.watch(good?.token ?? '')
    const revoke = ({ id }: Made): Promise<Span> => {
      node.proxy.set('all', mode)
      return chief.revoke(id)
    }
    const course = { nodes: [node], revoke, watchForMs: 700 }
    try {
      return await trial(cluster, course)
    } finally {
      node.proxy.set('all', 'pass')
      const back = performance.now()
      await node.ask({ do: 'settle', token: good?.token ?? '' })
      recovered.push(performance.now() - back)
      await node.watched(good?.token ?? '')
    }
  }
  const found = await judge(
    `node cut off from the store (${mode === 'cut' ? 'refused' : 'silent'})`,
    trials,
    maxStalenessMs,
    run,
    (watched) => (watched.codes.token_revoked === undefined ? only('store_unavailable')(watched) : []),
  )
  return {
    ...found,
    notes: [`a valid token was verified from memory again ${Math.max(...recovered).toFixed(0)} ms after the link was back, at most`],
  }
}

/** A node freezes for a few seconds while a token is revoked, and continues. */
export async function frozen(cluster: Cluster, trials: number, forMs: number): Promise<Finding> {
  const { chief, others, maxStalenessMs } = cluster
  const node = others[0] ?? chief
  const revoke = async ({ id }: Made): Promise<Span> => {
    node.freeze()
    const span = await chief.revoke(id)
    await sleep(forMs)
    node.thaw()
    return span
  }
  const run = () => trial(cluster, { nodes: [node], revoke, watchForMs: 300 })
  const found = await judge('node stopped and resumed', trials, maxStalenessMs, run, only('token_revoked', 'store_unavailable'))
  return { ...found, notes: [`stopped for ${(forMs / 1000).toFixed(1)} s each time`] }
}

/** A node's clock is stepped forward and back. Because of this, no valid token is refused and no revoked token is accepted longer. */
export async function steppedClock(cluster: Cluster, trials: number): Promise<Finding> {
  const { chief, others, maxStalenessMs } = cluster
  const node = others[0] ?? chief
  const HOUR_MS = 3_600_000
  let turn = 0
  const refusedValid: string[] = []
  try {
    const run = async (): Promise<Trial> => {
      const [good] = await chief.create(1)
      if (good === undefined) throw new Error('no token was created')
      await node.watch(good.token)
      turn += 1
      const before = () => node.stepClock(turn % 2 === 0 ? HOUR_MS : -HOUR_MS)
      const done = await trial(cluster, { nodes: [node], before, revoke: ({ id }) => chief.revoke(id) })
      const seen = await node.watched(good.token)
      if (seen.refused > 0) refusedValid.push(`a valid token was refused ${seen.refused} times: ${JSON.stringify(seen.codes)}`)
      return done
    }
    const found = await judge('clock stepped by an hour', trials, maxStalenessMs, run, only('token_revoked'))
    return { ...found, violations: [...found.violations, ...refusedValid] }
  } finally {
    await node.stepClock(0)
  }
}

/** `waitForNodes`: once it has resolved, no node accepts the token, even if a node was cut off or stopped in the meantime. */
export async function barrier(cluster: Cluster, trials: number, trouble: 'none' | 'cut' | 'frozen'): Promise<Finding> {
  const { chief, others } = cluster
  const node = others[0] ?? chief
  const waited: number[] = []
  const revoke = async ({ id }: Made): Promise<Span> => {
    if (trouble === 'cut') node.proxy.set('all', 'drop')
    if (trouble === 'frozen') node.freeze()
    const span = await chief.revoke(id, true)
    waited.push(span.ended - span.began)
    if (trouble === 'frozen') node.thaw()
    return span
  }
  const run = async (): Promise<Trial> => {
    try {
      return await trial(cluster, { nodes: others, revoke })
    } finally {
      node.proxy.set('all', 'pass')
    }
  }
  const name = { none: 'waitForNodes', cut: 'waitForNodes, a node cut off', frozen: 'waitForNodes, a node stopped' }[trouble]
  const found = await judge(name, trials, 0, run)
  // How long the wait takes is printed, not judged: a slow machine is no violation. An endless wait never reaches this line.
  return { ...found, notes: [`revoke() took ${median(waited).toFixed(0)} ms (median), ${Math.max(...waited).toFixed(0)} ms at most`] }
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** The value below which this share of the values lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

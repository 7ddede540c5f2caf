import { once } from 'node:events'
import { Redis } from 'ioredis'
import { Client } from 'pg'
import { startCluster } from '../../cluster/cluster.js'
import { healthy } from '../../cluster/scenarios.js'
import { service } from '../../support/services.js'
import { quantile } from '../paired.js'
import { atMost, fixed, type Section, type Verdict } from '../result.js'

/** How soon another process sees a revocation, compared with the server's bare notifications in the same run. */
export const revocation: Section = async ({ quick, worker }) => {
  const trials = quick ? 10 : 250
  const rows: string[][] = []
  const verdicts: Verdict[] = []
  const notes: string[] = []
  for (const kind of ['postgres', 'redis'] as const) {
    const { url, skip } = await service(kind)
    if (url === undefined) {
      notes.push(`Revocation on ${kind} was not measured: ${skip}.`)
      continue
    }
    const raw = await (kind === 'postgres' ? postgresNotices : redisNotices)(url, trials)
    const cluster = await startCluster(kind, url, { nodes: 2, maxStaleness: 2, worker })
    try {
      const { seenAfterMs, violations } = await healthy(cluster, trials)
      rows.push(row(`${kind}: a notification alone, from sending to receiving`, raw))
      rows.push(row(`${kind}: from the acknowledged revocation to the first refusal by another process`, seenAfterMs))
      if (violations.length > 0) throw new Error(violations.join('; '))
      const why = 'With other work on the same two cores, a process waits longer than that to be scheduled.'
      verdicts.push(atMost(`time until another process sees a revocation on ${kind}, p99`, 10, quantile(seenAfterMs, 0.99), 'ms', why))
      verdicts.push(atMost(`time until another process sees a revocation on ${kind}, maximum`, 50, Math.max(...seenAfterMs), 'ms', why))
    } finally {
      await cluster.close()
    }
  }
  const head = ['what', 'trials', 'ms (median)', 'ms (p99)', 'ms (max)']
  return {
    tables: [{ title: 'Time until another process sees a revocation', head, rows }],
    verdicts,
    notes: [...notes, 'The other process verifies the token every millisecond, so the figures are no more precise than that.'],
  }
}

function row(what: string, samples: readonly number[]): string[] {
  const figures = [quantile(samples, 0.5), quantile(samples, 0.99), Math.max(...samples)]
  return [what, String(samples.length), ...figures.map((value) => fixed(value))]
}

async function postgresNotices(url: string, trials: number): Promise<number[]> {
  const [from, to] = [new Client({ connectionString: url }), new Client({ connectionString: url })]
  await Promise.all([from.connect(), to.connect()])
  await to.query('listen latchkey_bench')
  const samples = await trip(trials, to, 'notification', () => from.query('notify latchkey_bench'))
  await Promise.all([from.end(), to.end()])
  return samples
}

async function redisNotices(url: string, trials: number): Promise<number[]> {
  const [from, to] = [new Redis(url), new Redis(url)]
  await to.subscribe('latchkey-bench')
  const samples = await trip(trials, to, 'message', () => from.publish('latchkey-bench', ''))
  from.disconnect()
  to.disconnect()
  return samples
}

async function trip(trials: number, to: NodeJS.EventEmitter, event: string, send: () => Promise<unknown>): Promise<number[]> {
  const samples: number[] = []
  for (let at = 0; at < trials; at += 1) {
    const began = performance.now()
    const received = once(to, event).then(() => performance.now() - began)
    await send()
    samples.push(await received)
  }
  return samples
}

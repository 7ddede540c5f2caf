import { once } from 'node:events'
import { Client } from 'pg'
import { bundle } from '../support/bundle.js'
import { newKeyPrefix, removeKeys, withRedis } from '../support/redis.js'
import { ClusterNode } from './node.js'
import type { Backend } from './protocol.js'
import { StoreProxy } from './proxy.js'

const DEADLINE_SECONDS = 0.5
/** Long enough that the chief misses its deadline only under other load on the machine. */
const CHIEF_DEADLINE_SECONDS = 10

/** The broker that carries the relay between the nodes. */
export type Broker = { readonly kind: 'nats' | 'redis'; readonly url: string }

/** Several nodes on one database. Each is a separate process and reaches the database through its own proxy. */
export type Cluster = {
  readonly kind: Backend['kind']
  /** The node that creates and revokes tokens. No scenario disturbs it. */
  readonly chief: ClusterNode
  readonly others: readonly ClusterNode[]
  readonly maxStalenessMs: number
  close(): Promise<void>
}

let program: Promise<string> | undefined

/** Starts a cluster in a new schema or key prefix, which is removed at the end. `worker` is the nodes' program if it is already bundled. */
export async function startCluster(
  kind: Backend['kind'],
  url: string,
  { nodes, maxStaleness, worker, relay }: { nodes: number; maxStaleness: number; worker?: string; relay?: Broker },
): Promise<Cluster> {
  program ??= worker === undefined ? bundle(new URL('./worker.ts', import.meta.url)) : Promise.resolve(worker)
  const path = await program
  const place = kind === 'postgres' ? await createSchema(url) : newKeyPrefix()
  const started: ClusterNode[] = []
  const channel = `latchkey.${place.replace(/[^a-z0-9]/gi, '')}`
  const close = async (): Promise<void> => {
    await Promise.allSettled(started.map((node) => node.close()))
    if (kind === 'postgres') await onPostgres(url, `drop schema ${place} cascade`)
    else await withRedis(url, (client) => removeKeys(client, place))
  }
  try {
    for (let at = 0; at < nodes; at += 1) {
      const through = await StoreProxy.before(url, kind === 'postgres' ? 5432 : 6379)
      const broker = relay && (await StoreProxy.before(relay.url, relay.kind === 'nats' ? 4222 : 6379))
      const node = new ClusterNode(path, through.proxy, broker?.proxy)
      started.push(node)
      const deadline = at === 0 ? CHIEF_DEADLINE_SECONDS : DEADLINE_SECONDS
      const options = {
        backend: { kind, url: through.url, place },
        maxStaleness,
        deadline,
        ...(relay && broker && { relay: { kind: relay.kind, url: broker.url, channel } }),
      }
      await node.ask({ do: 'open', options })
    }
    const [chief, ...others] = started
    if (chief === undefined) throw new Error('a cluster needs a node')
    await warmUp(started)
    return { kind, chief, others, maxStalenessMs: maxStaleness * 1000, close }
  } catch (error) {
    await close()
    throw error
  }
}

// A node's first call sets up the store, which may take longer than the deadline of later calls.
async function warmUp(nodes: readonly ClusterNode[]): Promise<void> {
  for (const node of nodes) {
    const [made] = await createPatiently(node)
    await node.watch(made?.token ?? '')
    await node.watched(made?.token ?? '')
  }
}

async function createPatiently(node: ClusterNode, tries = 20): Promise<Awaited<ReturnType<ClusterNode['create']>>> {
  try {
    return await node.create(1)
  } catch (error) {
    if (tries === 0) throw error
    return createPatiently(node, tries - 1)
  }
}

async function createSchema(url: string): Promise<string> {
  const schema = `latchkey_cluster_${process.pid}_${Math.random().toString(36).slice(2, 8)}`
  await onPostgres(url, `create schema ${schema}`)
  return schema
}

async function onPostgres(url: string, text: string): Promise<void> {
  const client = new Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  try {
    await client.query(text)
  } finally {
    const ended = once(client, 'end')
    await client.end()
    await ended.catch(() => undefined)
  }
}

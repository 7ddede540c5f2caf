import { connect } from '@nats-io/transport-node'
import { Redis } from 'ioredis'
import { type Latchkey, latchkey } from 'latchkey'
import { natsTransport, type RelayTransport, redisTransport, relayedStore } from 'latchkey/relay'
import { postgresStore } from 'latchkey/stores/postgres'
import { redisStore } from 'latchkey/stores/redis'
import type { TokenStore } from '../../src/store/port.js'
import { answerParent } from './child.js'
import { lyingTransport } from './lying-transport.js'
import type { Backend, Command, Made, NodeOptions, RelayPlace, Span } from './protocol.js'
import { Watcher } from './watcher.js'

// One node of a cluster. It runs in a separate process and executes its parent's commands.
const watchers = new Map<string, Watcher>()
let tokens: Latchkey | undefined
let stepped = 0
let lies = false

const RELAY_KEY = 'kB7w2nTq0sXz9fLr4vJc8mYd1hGp6eAu'

const monotonic = (): number => Number(process.hrtime.bigint()) / 1e6

function openStore({ kind, url, place }: Backend): TokenStore {
  return kind === 'postgres'
    ? postgresStore({ url, schema: place, poolSize: 4 })
    : redisStore({ url, keyPrefix: place, onWarning: () => {} })
}

async function openTransport({ kind, url }: RelayPlace): Promise<RelayTransport> {
  if (kind === 'nats')
    return natsTransport({ connection: await connect({ servers: url, maxReconnectAttempts: -1, reconnectTimeWait: 200, timeout: 5000 }) })
  const client = new Redis(url, { enableOfflineQueue: false, retryStrategy: () => 200 })
  client.on('error', () => {})
  return redisTransport({ client })
}

async function open({ backend, maxStaleness, deadline, relay }: NodeOptions): Promise<void> {
  const store = openStore(backend)
  tokens = latchkey({
    prefix: 'acme_test',
    store:
      relay === undefined
        ? store
        : relayedStore(store, {
            transport: lyingTransport(await openTransport(relay), () => lies),
            key: RELAY_KEY,
            channel: relay.channel,
            onWarning: () => {},
          }),
    scopes: { 'stock:read': 'See stock' },
    cache: { maxStaleness },
    deadline,
    clock: () => Date.now() + stepped,
  })
}

function opened(): Latchkey {
  if (tokens === undefined) throw new Error('not open')
  return tokens
}

function watcherOf(token: string): Watcher {
  const watcher = watchers.get(token)
  if (watcher === undefined) throw new Error('not watched')
  return watcher
}

async function timed(work: () => Promise<unknown>): Promise<Span> {
  const began = monotonic()
  await work()
  return { began, ended: monotonic() }
}

async function create(count: number): Promise<readonly Made[]> {
  const made: Made[] = []
  for (let at = 0; at < count; at += 1) {
    const { token, record } = await opened().system.create({ name: `token ${at}`, tenantId: 'acme', scopes: ['stock:read'] })
    made.push({ token, id: record.id })
  }
  return made
}

async function perform(command: Command): Promise<unknown> {
  switch (command.do) {
    case 'open':
      return open(command.options)
    case 'create':
      return create(command.count)
    case 'watch':
      watchers.set(command.token, new Watcher(opened(), command.token, monotonic))
      return undefined
    case 'settle':
      return watcherOf(command.token).settled()
    case 'refused':
      return watcherOf(command.token).refused()
    case 'watched': {
      const watcher = watcherOf(command.token)
      watchers.delete(command.token)
      return watcher.stop()
    }
    case 'revoke':
      return timed(() => opened().system.revoke(command.id, { waitForNodes: command.waitForNodes ?? false }))
    case 'revokeAll':
      return timed(() => opened().system.revokeAll({ tenantId: command.tenantId }))
    case 'step':
      stepped = command.ms
      return undefined
    case 'lie':
      lies = command.on
      return undefined
    case 'close':
      for (const watcher of watchers.values()) watcher.stop()
      await tokens?.close().catch(() => undefined)
      return undefined
  }
}

answerParent(perform)

import { createHash } from 'node:crypto'
import { isErrorLike } from '../../../src/errors.js'

/** The commands of an `ioredis` client or cluster that the store uses. */
export type IoredisClient = {
  evalsha(sha: string, keyCount: number, ...args: string[]): Promise<unknown>
  eval(script: string, keyCount: number, ...args: string[]): Promise<unknown>
  mget(...keys: string[]): Promise<unknown>
  /** Used at startup to check `appendfsync`. */
  config?(subcommand: 'GET', parameter: string): Promise<unknown>
  readonly status: string
  /** Used to open the connection of the wake-up channel. */
  duplicate?(): object
  /** In a cluster client, states which nodes the client reads from. */
  readonly options?: object
}

/** The commands of a node-redis client, cluster or pool that the store uses. */
export type NodeRedisClient = {
  evalSha(sha: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
  mGet(keys: string[]): Promise<unknown>
  configGet?(parameter: string): Promise<unknown>
  readonly isReady?: boolean
  duplicate?(): object
  /** Used to receive replies as the server sends them, without the client's type mapping and cache. */
  withTypeMapping?(mapping: Record<never, never>): object
}

/** The clients that `redisStore({ client })` accepts. */
export type RedisClient = IoredisClient | NodeRedisClient

/** A Lua script and the name that Redis caches it under. */
export type Script = { readonly source: string; readonly sha: string }

export function script(...parts: readonly string[]): Script {
  const source = parts.join('\n')
  return { source, sha: createHash('sha1').update(source).digest('hex') }
}

/** Runs scripts on either client. `isReady` is false while the client knows that it has no connection. */
export type Runner = {
  run(script: Script, root: string, args: string[]): Promise<unknown>
  getMany(keys: string[]): Promise<unknown>
  isReady(): boolean
  /** Reads a server setting. Throws if the server does not allow it. */
  setting(name: string): Promise<unknown>
  readonly client: RedisClient
}

export function isIoredis(client: RedisClient): client is IoredisClient {
  return 'evalsha' in client && typeof client.evalsha === 'function'
}

export function isRedisClient(client: unknown): client is RedisClient {
  if (typeof client !== 'object' || client === null) return false
  const has = (name: string): boolean => name in client && typeof Reflect.get(client, name) === 'function'
  return has('eval') && ((has('evalsha') && has('mget')) || (has('evalSha') && has('mGet')))
}

export function runnerOf(client: RedisClient): Runner {
  return isIoredis(client) ? ioredisRunner(client) : nodeRedisRunner(client)
}

/**
 * Runs EVALSHA, and falls back to EVAL if the server does not have the script: after a restart, a failover or SCRIPT FLUSH. The EVALSHA has then run nothing.
 */
async function withFallback(evalsha: Promise<unknown>, evaluate: () => Promise<unknown>): Promise<unknown> {
  try {
    return await evalsha
  } catch (error) {
    if (!isErrorLike(error) || !error.message.startsWith('NOSCRIPT')) throw error
    return evaluate()
  }
}

/** MGET in a script, because clients never send scripts to a replica, which may not have a recent revocation yet. */
const READ: Script = script("return redis.call('MGET', unpack(KEYS))")

function ioredisRunner(client: IoredisClient): Runner {
  const { scaleReads } = (client.options ?? {}) as { readonly scaleReads?: unknown }
  const fromReplicas = scaleReads !== undefined && scaleReads !== 'master'
  const evaluate = ({ sha, source }: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> =>
    withFallback(client.evalsha(sha, keys.length, ...keys, ...args), () => client.eval(source, keys.length, ...keys, ...args))
  return {
    client,
    run: (script, root, args) => evaluate(script, [root], args),
    getMany: (keys) => (fromReplicas ? evaluate(READ, keys, []) : client.mget(...keys)),
    isReady: () => client.status === 'ready',
    async setting(name) {
      const answer = await client.config?.('GET', name)
      return Array.isArray(answer) ? answer[1] : settingOf(answer, name)
    },
  }
}

function nodeRedisRunner(client: NodeRedisClient): Runner {
  const plain = (client.withTypeMapping?.({}) ?? client) as NodeRedisClient
  const evaluate = ({ sha, source }: Script, keys: string[], args: string[]): Promise<unknown> => {
    const options = { keys, arguments: args }
    return withFallback(plain.evalSha(sha, options), () => plain.eval(source, options))
  }
  // A cluster client knows its replicas once connected, and only if it reads from them; a sentinel client does not expose them.
  const fromReplicas = (): boolean => {
    const { replicas } = client as { readonly replicas?: unknown }
    return 'getSentinelNode' in client || (Array.isArray(replicas) && replicas.length > 0)
  }
  return {
    client,
    run: (script, root, args) => evaluate(script, [root], args),
    getMany: (keys) => (fromReplicas() ? evaluate(READ, keys, []) : plain.mGet(keys)),
    // Clusters and pools do not have this property, and manage their connections themselves.
    isReady: () => client.isReady ?? true,
    setting: async (name) => settingOf(await plain.configGet?.(name), name),
  }
}

function settingOf(answer: unknown, name: string): unknown {
  if (answer instanceof Map) return answer.get(name)
  return typeof answer === 'object' && answer !== null ? Reflect.get(answer, name) : undefined
}

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { onTestFinished } from 'vitest'
import { ownDatabase, ownFolder, ownSchema } from '../../stores/sql/databases.js'
import { bundled } from '../../support/bundle.js'
import { newKeyPrefix, removeKeys, withRedis } from '../../support/redis.js'
import { service } from '../../support/services.js'
import type { Place } from './open.js'

/** The stores that processes can share, each with the reason to skip its tests if its server is not running. */
export const everyKind = async (): Promise<readonly { readonly kind: Place['kind']; readonly skip?: string | undefined }[]> => [
  { kind: 'sqlite' },
  ...(await Promise.all((['postgres', 'mysql', 'redis'] as const).map(async (kind) => ({ kind, skip: (await service(kind)).skip })))),
]

/** A new location for a test, removed when the test ends. */
export const newPlace = async (kind: Place['kind']): Promise<Place> => {
  if (kind === 'sqlite') {
    const folder = await ownFolder()
    onTestFinished(() => folder.remove())
    return { kind, at: folder.path('tokens.db'), name: '' }
  }
  const { skip, url } = await service(kind)
  if (url === undefined) throw new Error(skip)
  if (kind === 'redis') {
    const name = newKeyPrefix()
    onTestFinished(() => withRedis(url, (client) => removeKeys(client, name)))
    return { kind, at: url, name }
  }
  const place = await (kind === 'postgres' ? ownSchema(url) : ownDatabase(url))
  onTestFinished(() => place.remove())
  return { kind, at: place.url, name: place.schema }
}

/** Runs a test program at this location, and waits until the program reports that it is ready. */
export const start = async (program: URL, place: Place, argument: string): Promise<ChildProcess> => {
  const child = spawn(process.execPath, [await bundled(program), JSON.stringify(place), argument], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => kill(child))
  await once(child.stdout, 'data')
  return child
}

/** Ends a process as a crash does. */
export const kill = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}

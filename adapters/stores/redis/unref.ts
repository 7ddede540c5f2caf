type Emitter = { on(event: string, listener: () => void): unknown }
type Handle = { unref?(): unknown }

/**
 * Keeps a connection that is ready, or waits to connect again, from keeping the process alive. ioredis has no method for it.
 *
 * A command that waits for its answer keeps the process alive by its own timer.
 */
export function letProcessEnd(client: Emitter): void {
  const release = (property: 'stream' | 'reconnectTimeout') => (): void => {
    const handle: Handle | null | undefined = Reflect.get(client, property)
    handle?.unref?.()
  }
  client.on('ready', release('stream'))
  client.on('reconnecting', release('reconnectTimeout'))
}

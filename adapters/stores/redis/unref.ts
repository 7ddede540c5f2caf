type Emitter = { on(event: string, listener: () => void): unknown }
type Handle = { unref?(): unknown }

/**
 * Lets the process exit while a connection is ready or waiting to reconnect. ioredis has no method for this.
 *
 * A pending command keeps the process alive through its own timer.
 */
export function letProcessEnd(client: Emitter): void {
  const release = (property: 'stream' | 'reconnectTimeout') => (): void => {
    const handle: Handle | null | undefined = Reflect.get(client, property)
    handle?.unref?.()
  }
  client.on('ready', release('stream'))
  client.on('reconnecting', release('reconnectTimeout'))
}

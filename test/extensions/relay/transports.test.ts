import { connect } from '@nats-io/transport-node'
import { Redis } from 'ioredis'
import { natsTransport, type RelayTransport, redisTransport } from 'latchkey/relay'
import { createClient } from 'redis'
import { describe, expect, it, onTestFinished } from 'vitest'
import { service } from '../../support/services.js'

type Made = { readonly transport: RelayTransport; end(): unknown }

const [nats, redis] = [await service('nats'), await service('redis')]

const kinds = [
  {
    name: 'NATS',
    ...nats,
    async open(url: string): Promise<Made> {
      const connection = await connect({ servers: url })
      return { transport: natsTransport({ connection }), end: () => connection.close() }
    },
  },
  {
    name: 'Redis, ioredis',
    ...redis,
    async open(url: string): Promise<Made> {
      const client = new Redis(url)
      return { transport: redisTransport({ client }), end: () => client.disconnect() }
    },
  },
  {
    name: 'Redis, node-redis',
    ...redis,
    async open(url: string): Promise<Made> {
      const client = createClient({ url })
      await client.connect()
      return { transport: redisTransport({ client }), end: () => client.destroy() }
    },
  },
]

for (const { name, url, skip, open } of kinds) {
  describe.skipIf(skip !== undefined)(`a relay over ${name} ${skip ?? ''}`, () => {
    const opened = async (): Promise<RelayTransport> => {
      const { transport, end } = await open(url ?? '')
      onTestFinished(async () => void (await end()))
      return transport
    }
    const channelOf = (): string => `latchkey.test.${Math.random().toString(36).slice(2)}`

    it('the transport delivers each message in order to every subscriber of its channel, including the sender', async () => {
      const [here, there] = [await opened(), await opened()]
      const channel = channelOf()
      const heard: { readonly [at: string]: string[] } = { here: [], there: [], other: [] }
      const stops = [
        await here.subscribe(channel, (message) => void heard.here?.push(message)),
        await here.subscribe(`${channel}.other`, (message) => void heard.other?.push(message)),
        await there.subscribe(channel, (message) => void heard.there?.push(message)),
      ]
      const messages = Array.from({ length: 100 }, (_, at) => `${at} \\u00e9 ${'x'.repeat(at * 20)}`)
      // A subscription may take a moment to reach the server.
      await expect
        .poll(async () => {
          await there.publish(channel, 'ready?')
          return [heard.here?.length, heard.there?.length].every((count) => count !== undefined && count > 0)
        })
        .toBe(true)
      for (const message of messages) await there.publish(channel, message)
      const real = (at: string): string[] => (heard[at] ?? []).filter((message) => message !== 'ready?')
      await expect.poll(() => [real('here').length, real('there').length]).toEqual([100, 100])
      expect([real('here'), real('there'), heard.other]).toEqual([messages, messages, []])
      for (const stop of stops) await stop()
    })

    it('the transport delivers nothing after a subscription stops, and can subscribe again', async () => {
      const transport = await opened()
      const channel = channelOf()
      const [first, second]: [string[], string[]] = [[], []]
      const stop = await transport.subscribe(channel, (message) => void first.push(message))
      await expect.poll(async () => (await transport.publish(channel, 'a')) !== null && first.length > 0).toBe(true)
      await stop()
      const before = first.length
      const again = await transport.subscribe(channel, (message) => void second.push(message))
      await expect.poll(async () => (await transport.publish(channel, 'b')) !== null && second.length > 0).toBe(true)
      expect(first.filter((message) => message === 'b')).toEqual([])
      expect(first.length).toBeLessThanOrEqual(before + 1)
      await again()
    })

    it('the transport serves two stores on one channel, and one still receives after the other has stopped', async () => {
      const transport = await opened()
      const channel = channelOf()
      const [first, second]: [string[], string[]] = [[], []]
      const stop = await transport.subscribe(channel, (message) => void first.push(message))
      const stopSecond = await transport.subscribe(channel, (message) => void second.push(message))
      const heard = (message: string, by: readonly string[]) => async (): Promise<boolean> => {
        await transport.publish(channel, message)
        return by.includes(message)
      }
      await expect.poll(heard('a', second)).toBe(true)
      await expect.poll(heard('b', first)).toBe(true)
      await stop()
      await expect.poll(heard('c', second)).toBe(true)
      expect(first).not.toContain('c')
      await stopSecond()
    })

    it('the transport delivers messages of the largest size that the relay writes', async () => {
      const transport = await opened()
      const channel = channelOf()
      const heard: string[] = []
      const long = 'x'.repeat(256 * 1024)
      const stop = await transport.subscribe(channel, (message) => void heard.push(message))
      await expect.poll(async () => (await transport.publish(channel, long)) !== null && heard.length > 0).toBe(true)
      expect(heard[0]).toBe(long)
      await stop()
    })
  })
}

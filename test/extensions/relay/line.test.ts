import { expect, it } from 'vitest'
import { realClock } from '../../../src/extensions/relay/clock.js'
import { Line } from '../../../src/extensions/relay/line.js'
import type { Body } from '../../../src/extensions/relay/messages.js'
import { createWire } from '../../../src/extensions/relay/wire.js'
import { KEY } from './world.js'

const [HERE, THERE] = ['a'.repeat(32), 'b'.repeat(32)]
const NONCE = '1'.repeat(24)

it('a relay line accepts a request only once, even after an older response from its sender is replayed', () => {
  const wire = createWire(KEY, 'latchkey.relay', 'a store')
  const hearers: ((text: string) => void)[] = []
  const heard: string[] = []
  const line = new Line({
    id: HERE,
    channel: 'latchkey.relay',
    transport: {
      publish: () => undefined,
      subscribe: (_, hear) => {
        hearers.push(hear)
        return () => undefined
      },
    },
    wire,
    clock: realClock(),
    hear: ({ seq, body }) => void heard.push(`${seq} ${body.kind}`),
    refused: () => void heard.push('refused'),
    failed: () => void heard.push('failed'),
  })
  line.open()
  const lease = { nodeId: 'a node that has since left', cursor: '1', expiresAt: 1 }
  const bodies: readonly Body[] = [
    { kind: 'renewed', nonce: NONCE },
    { kind: 'lease', nonce: NONCE, lease },
    { kind: 'page', nonce: NONCE, after: '1', limit: 10 },
  ]
  const texts = bodies.map((body, at) => wire.write({ from: THERE, to: HERE, seq: at + 1, body }) ?? '')
  for (const text of [...texts, ...texts]) hearers[0]?.(text)
  expect(heard).toEqual(['1 renewed', '2 lease', '3 page', '1 renewed'])
  line.close()
})

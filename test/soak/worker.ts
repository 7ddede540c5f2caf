import { type Latchkey, latchkey } from 'latchkey'
import { postgresStore } from 'latchkey/stores/postgres'
import { answerParent } from '../cluster/child.js'
import { Patrol } from './patrol.js'
import type { Command, Done, Target } from './protocol.js'

// One node of the soak test. It verifies continuously, and makes the changes that its parent requests.
let tokens: Latchkey | undefined
let patrol: Patrol | undefined
let stepped = 0

const monotonic = (): number => Number(process.hrtime.bigint()) / 1e6

function opened(): Latchkey {
  if (tokens === undefined) throw new Error('not open')
  return tokens
}

async function done(work: () => Promise<{ readonly token: string; readonly record: { readonly id: string } } | undefined>): Promise<Done> {
  const began = monotonic()
  const minted = await work()
  const ended = monotonic()
  const made: Target | undefined = minted && { id: minted.record.id, token: minted.token }
  return { began, ended, ...(made !== undefined && { made }) }
}

async function perform(command: Command): Promise<unknown> {
  switch (command.do) {
    case 'open': {
      const { url, read, schema, maxStaleness } = command
      tokens = latchkey({
        prefix: 'acme_test',
        store: postgresStore({ url, schema, poolSize: 8, read: { url: read, poolSize: 2 } }),
        scopes: { 'stock:read': 'See stock' },
        cache: { maxStaleness },
        deadline: '2s',
        clock: () => Date.now() + stepped,
        logger: false,
      })
      patrol = new Patrol(tokens, monotonic, (report) => void process.send?.(report))
      return undefined
    }
    case 'patrol':
      return patrol?.change(command.add, command.drop)
    case 'create': {
      const { tenantId } = command
      return done(() => opened().system.create({ name: 'soak', scopes: ['stock:read'], ...(tenantId !== undefined && { tenantId }) }))
    }
    case 'update':
      return done(async () => void (await opened().system.update(command.id, { description: `${monotonic()}` })))
    case 'rotate':
      return done(() => opened().system.rotate(command.id))
    case 'revoke':
      return done(async () => void (await opened().system.revoke(command.id)))
    case 'revokeAll':
      return done(async () => void (await opened().system.revokeAll({ tenantId: command.tenantId })))
    case 'step':
      stepped = command.ms
      return undefined
    case 'close':
      await tokens?.close().catch(() => undefined)
      return undefined
  }
}

answerParent(perform)

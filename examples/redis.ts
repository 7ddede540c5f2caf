/**
 * Two nodes on one Redis. A token created on one node works on the other, and once it is revoked on one node, the other refuses it.
 *
 * Run it with your own Redis: `REDIS_URL=redis://127.0.0.1:6379 npx tsx examples/redis.ts`
 */
import { type Latchkey, latchkey } from 'latchkey'
import { redisStore } from 'latchkey/stores/redis'

const url = process.env.REDIS_URL ?? 'redis://127.0.0.1:6379'
const keyPrefix = process.env.KEY_PREFIX ?? '{latchkey-example}:'

/** Each of your processes does this once at startup. */
const startNode = (name: string) =>
  latchkey({
    prefix: 'acme_live',
    store: redisStore({ url, keyPrefix, onWarning: ({ code, message }) => console.log(`${name} warns: ${code}\n  ${message}`) }),
    scopes: { 'inventory:read': 'See stock', 'inventory:write': 'Change stock' },
  })

const berlin = startNode('berlin')
const lisbon = startNode('lisbon')

const see = async (name: string, node: Latchkey<'inventory:read' | 'inventory:write'>, token: string): Promise<boolean> => {
  const seen = await node.verify(token, { ip: '192.0.2.7', endpoint: 'GET /stock' })
  console.log(`${name}: ${seen.ok ? `accepted, for ${seen.principal.name}` : `refused, ${seen.code}`}`)
  return seen.ok
}

try {
  const { token, record } = await berlin.system.create({ name: 'Warehouse robot', tenantId: 'acme', scopes: ['inventory:read'] })
  console.log(`berlin made ${record.hint}`)
  await see('berlin', berlin, token)
  await see('lisbon', lisbon, token)

  await berlin.system.revoke(record.id, { reason: 'the robot was sold' })
  console.log('berlin revoked it')
  await see('berlin', berlin, token)
  // Redis wakes the other node. Without the wake-up, that node would check again within two seconds.
  while (await see('lisbon', lisbon, token)) await new Promise((resolve) => setTimeout(resolve, 20))

  const { items } = await lisbon.system.events({ tokenId: record.id })
  for (const { at, action, actorId, reason } of items)
    console.log(`${at.toISOString()} ${action} by ${actorId}${reason ? `: ${reason}` : ''}`)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
} finally {
  await Promise.all([berlin.close(), lisbon.close()])
}

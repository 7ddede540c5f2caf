// Mails the owner of a token before the token expires. Here, two hours pass in each second, so the mail is sent within 20 seconds.
// Run it with `npx tsx examples/notices.ts`.
import { type AuditEvent, latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'

const began = Date.now()
const tokens = latchkey({
  prefix: 'acme_live',
  store: memoryStore(),
  scopes: { 'inventory:read': 'See stock' },
  notices: { expiring: ['1d'] },
  // Omit this in your application, because the default is the system clock.
  clock: () => began + (Date.now() - began) * 7200,
})

/** A placeholder for your mail service. Pass it the event's ID, so that a repeated event is not mailed twice. */
async function mail(to: string, subject: string, messageId: string): Promise<void> {
  console.log(`to ${to}, message ${messageId}: ${subject}`)
}

async function tellOwner({ id, action, tokenId, ownerId, details }: AuditEvent): Promise<void> {
  if (tokenId === undefined || ownerId === undefined) return
  if (action !== 'token.expiring' && action !== 'token.expired') return
  const record = await tokens.system.get(tokenId)
  if (record === undefined) return
  const what = action === 'token.expiring' ? 'ends at' : 'ended at'
  await mail(ownerId, `Your token ${record.name} (${record.hint}) ${what} ${details?.expiresAt}`, id)
}

const mailer = tokens.system.consume('mail', tellOwner)
await tokens.system.create({ name: 'ERP', ownerId: 'ada@example.com', scopes: ['inventory:read'], expiresIn: '26h' })

async function stop(): Promise<void> {
  await mailer.stop()
  await tokens.close()
}
process.once('SIGINT', () => void stop())
process.once('SIGTERM', () => void stop())

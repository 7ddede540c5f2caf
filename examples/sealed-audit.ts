// A tamper-evident audit log: someone with access to the database changes an event, and a head that was kept elsewhere reveals it.
// Run it with `npx tsx examples/sealed-audit.ts`.
import { latchkey } from 'latchkey'
import { verifyAuditExport, verifyEventProof } from 'latchkey/audit'
import { memoryStore } from 'latchkey/stores/memory'

const tokens = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: { 'inventory:read': 'See stock' } })
const { record } = await tokens.system.create({ name: 'ERP', scopes: ['inventory:read'], ownerId: 'bob' })
await tokens.system.revoke(record.id, { reason: 'laptop lost' })

// The option `sealing` does this on a schedule. Keep the head where the database's administrator cannot write.
const head = await tokens.system.sealAudit()
if (head === undefined) throw new Error('there are events')
console.log(`seal ${head.number}: ${head.hash}`)

const entries = []
for await (const entry of tokens.system.exportAudit()) entries.push(entry)
console.log('as it was written:', (await verifyAuditExport(entries, { head })).ok)

const rewritten = entries.map(({ event, seal }) => (event === undefined ? { seal } : { event: { ...event, actorId: 'somebody else' } }))
const { ok, problems } = await verifyAuditExport(rewritten, { head })
console.log('after it was changed:', ok, problems.map(({ kind, seq }) => `${kind} at ${seq}`).join(', '))

const [revoked] = (await tokens.system.events({ action: 'token.revoked' })).items
const proof = await tokens.system.proveEvent(revoked?.id ?? '', { head, hide: ['ownerId'] })
console.log('proof of the revocation alone:', (await verifyEventProof(proof, { head })).ok)
await tokens.close()

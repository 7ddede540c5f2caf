import type { Latchkey } from 'latchkey'

/** Calls an API as its users would, and prints each response. The routes are those of the framework examples. */
export async function tryOut(tokens: Latchkey, call: (path: string, init?: RequestInit) => Promise<Response>): Promise<void> {
  const { token, record } = await tokens.system.create({
    name: 'Warehouse scanner',
    tenantId: 'acme',
    scopes: ['inventory:read'],
    resources: { warehouse: ['w1'] },
  })
  const show = async (what: string, path: string, headers: Record<string, string>, method = 'GET'): Promise<void> => {
    const response = await call(path, { method, headers })
    console.log(`${what}: ${method} ${path} → ${response.status} ${await response.text()}`)
  }
  const holder = { authorization: `Bearer ${token}` }
  await show('no token', '/api/stock', {})
  await show('its token', '/api/stock', holder)
  await show('its warehouse', '/api/warehouses/w1', holder)
  await show('another warehouse', '/api/warehouses/w2', holder)
  await show('a scope it lacks', '/api/stock', holder, 'PUT')
  await show('the administrator', `/admin/tokens/${record.id}`, { 'x-demo-user': 'ada' })
  await show('nobody', `/admin/tokens/${record.id}`, {})
  await tokens.system.revoke(record.id, { reason: 'the tour has ended' })
  await show('revoked', '/api/stock', holder)
}

/** A placeholder for your own sign-in. Anyone can send a header, so check your session here. */
export function demoUser(user: string | null | undefined): { id: string; tenants: string[]; manages: 'all' } | undefined {
  return user === 'ada' ? { id: 'ada', tenants: ['acme'], manages: 'all' } : undefined
}

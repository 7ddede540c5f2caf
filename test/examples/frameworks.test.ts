import { afterEach, expect, it, vi } from 'vitest'

afterEach(() => vi.restoreAllMocks())

it.each([
  ['koa', () => import('../../examples/koa.js')],
  ['fastify', () => import('../../examples/fastify.js')],
  ['hono', () => import('../../examples/hono.js')],
  ['nest', () => import('../../examples/nest.js')],
  ['web', () => import('../../examples/web.js')],
])('the %s example shows which requests are accepted and refused', async (_name, run) => {
  const lines: string[] = []
  vi.spyOn(console, 'log').mockImplementation((line) => void lines.push(String(line)))
  await run()
  const outcomes = lines.map((line) => line.replace(/→ (\d+) .*$/s, '→ $1').replace(/tokens\/\w{16}/, 'tokens/:id'))
  expect(outcomes).toEqual([
    'no token: GET /api/stock → 401',
    'its token: GET /api/stock → 200',
    'its warehouse: GET /api/warehouses/w1 → 200',
    'another warehouse: GET /api/warehouses/w2 → 403',
    'a scope it lacks: PUT /api/stock → 403',
    'the administrator: GET /admin/tokens/:id → 200',
    'nobody: GET /admin/tokens/:id → 401',
    'revoked: GET /api/stock → 401',
  ])
  expect(lines[1]).toContain('"caller":"Warehouse scanner"')
})
